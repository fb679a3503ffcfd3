import { type StatusDocument, compareTargets, position, readDocument } from './document.ts'
import type { LocatedFault, Outcome } from './json.ts'
import { type SavedDocument, type SavedStatus, TARGETS_MAX } from './schema.ts'

/** What stands around the entries of a document, and between two of them, where it has the usual form. */
const OPENING = '\n  "statuses": [\n'
const BETWEEN = '\n    },\n    {'
const CLOSING = '\n  ]\n}\n'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads `status.json` as `readDocument` does, but only those entries that are not as they stand in a known document: the
 * others are the very objects of it. Another server's commit, and most edits, change few of many.
 */
export function reread(bytes: Uint8Array, known: StatusDocument): Outcome<SavedDocument, LocatedFault> {
  return readChanges(bytes, known) ?? readDocument(bytes)
}

/** `undefined` where it takes a whole reading: the form is not the usual one, or something is wrong. */
function readChanges(bytes: Uint8Array, known: StatusDocument): Outcome<SavedDocument, LocatedFault> | undefined {
  const text = decode(bytes)
  const begin = text.indexOf(OPENING) + OPENING.length
  if (begin < OPENING.length || !text.endsWith(CLOSING) || text.length - CLOSING.length <= begin) return undefined
  const parts = text.slice(begin, -CLOSING.length).split(BETWEEN)
  if (parts.length > TARGETS_MAX) return undefined

  const statuses: (SavedStatus | undefined)[] = []
  const changed: string[] = []
  let next = 0
  for (const [index, part] of parts.entries()) {
    const whole = `${index === 0 ? '' : '    {'}${part}${index === parts.length - 1 ? '' : '\n    }'}`
    if (known.entries[next]?.text !== whole) {
      // Each part must be whole in itself: then nothing of one can be a part of another.
      const target = targetOf(whole)
      if (target === undefined) return undefined
      next = position(known.entries, target)[0]
    }
    const entry = known.entries[next]
    if (entry?.text === whole) {
      statuses.push(entry.status)
      next += 1
    } else {
      statuses.push(undefined)
      changed.push(whole)
    }
  }
  // Everything that is new is read as a document of its own: nothing less is looked at than in a whole reading.
  const rest = changed.length === 0 ? CLOSING.slice(1) : changed.join(',\n') + CLOSING
  const outcome = readDocument(Buffer.from(text.slice(0, begin) + rest))
  if (!outcome.ok || outcome.value.statuses.length !== changed.length) return undefined
  const read = outcome.value.statuses.values()
  const all = statuses.map((status) => status ?? read.next().value)
  const inOrder = all.every((status, index) => {
    const before = all[index - 1]
    return status !== undefined && (before === undefined || compareTargets(before, status) < 0)
  })
  return inOrder
    ? { ok: true, value: { ...outcome.value, statuses: all.filter((each) => each !== undefined) } }
    : undefined
}

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    return ''
  }
}

function targetOf(text: string): { repo: string; server: string } | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('repo' in value) || !('server' in value)) return undefined
    const { repo, server } = value
    return typeof repo === 'string' && typeof server === 'string' ? { repo, server } : undefined
  } catch {
    return undefined
  }
}
