import { type Fault, type LocatedFault, type Outcome } from './json.ts'
import { duplicateFaults, limitFaults, locate, parseJson, pointTo } from './json.ts'
import {
  type SavedDocument,
  type SavedStatus,
  type Status,
  TARGETS_MAX,
  savedDocumentSchema,
  snapshotSchema,
} from './schema.ts'
import { contradictions, timeOf } from './snapshot.ts'
import { formatTime } from './time.ts'
import { validator } from './validation.ts'

/** What a snapshot speaks of; the key of the merge. */
export interface Target {
  readonly repo: string
  readonly server: string
}

/** The document as it stands at one generation. It is never changed; a `Draft` makes the next one. */
export interface StatusDocument {
  readonly generation: number
  /** UTC, whole seconds. */
  readonly updatedAt: string
  readonly head: Head
  readonly headEdited?: Edits | undefined
  /** Sorted by repo, then server. */
  readonly entries: readonly Entry[]
  /** Targets that were lately removed, by key: an old copy of the file does not bring them back. */
  readonly removals: ReadonlyMap<string, Change>
}

/** What stands at the top of the document beside the server's own stamps: `$schema` and what people added. */
export type Head = Readonly<Record<string, unknown>> & { readonly $schema: string }

/** A status as the document keeps it, with what would be costly to find out again. */
export interface Entry {
  readonly status: Status
  /** The status as it stands in the file, indented. */
  readonly text: string
  /** Length of `text` in UTF-8. */
  readonly bytes: number
  /** When `stale` will next flip by itself, in ms since the epoch. */
  readonly flipsAt: number
  readonly provenance: Provenance
}

/** Who last changed an entry: it decides what an edit made from an older copy may change in it. */
export interface Provenance {
  /** Generation at which a snapshot last changed the entry. */
  readonly postedAt: number
  readonly postedBy?: Actor | undefined
  /** Properties beyond `CHECK_PROPERTIES` that snapshots have brought. */
  readonly carried?: ReadonlySet<string>
  readonly edited?: Edits | undefined
}

/** Who posted or removed something, as far as it is known. */
export interface Actor {
  /** The name of the token. */
  readonly token?: string
  /** Where the request came from. */
  readonly address?: string
}

/** The properties that were changed by hand, each with its last such change. */
export type Edits = ReadonlyMap<string, Change>

/** A change, by the generation that it made and, for an edit, the generation of the copy that was edited. */
export interface Change {
  readonly at: number
  readonly from?: number
  readonly by?: Actor
}

/** What every snapshot speaks of: the outcome of a check. It belongs together, since half of one is half a lie. */
export const CHECK_PROPERTIES: ReadonlySet<string> = new Set(
  ['since', ...Object.keys(snapshotSchema.properties)].filter((name) => name !== 'stale_after'),
)

/** The document before anything was ever posted. */
export const EMPTY_DOCUMENT: StatusDocument = {
  generation: 0,
  updatedAt: formatTime(0),
  head: { $schema: './status.schema.json' },
  entries: [],
  removals: new Map(),
}

const isSavedDocument = validator<SavedDocument>(savedDocumentSchema)

/** One string for a target. No name holds a control character, so no two targets share it. */
export function keyOf({ repo, server }: Target): string {
  return `${repo}\n${server}`
}

/** The order of the entries: by repo, then server, by UTF-16 code units so that no locale changes it. */
export function compareTargets(a: Target, b: Target): number {
  if (a.repo !== b.repo) return a.repo < b.repo ? -1 : 1
  if (a.server !== b.server) return a.server < b.server ? -1 : 1
  return 0
}

/** Finds the entry of a target. */
export function findEntry(document: StatusDocument, target: Target): Entry | undefined {
  const [at, found] = position(document.entries, target)
  return found ? document.entries[at] : undefined
}

/** Where a target's entry stands, or would stand, and whether it is there. */
export function position(entries: readonly Entry[], target: Target): [at: number, found: boolean] {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const entry = entries[middle]
    if (entry !== undefined && compareTargets(entry.status, target) < 0) low = middle + 1
    else high = middle
  }
  const entry = entries[low]
  return [low, entry !== undefined && compareTargets(entry.status, target) === 0]
}

/** The text of one entry as it stands in the file: indented to its depth there. */
export function textOf(status: SavedStatus): string {
  return `    ${JSON.stringify(status, null, 2).replaceAll('\n', '\n    ')}`
}

const SEPARATOR = ',\n'

/** A document's entries and the bytes of `status.json` that hold them. */
export interface Rendered {
  readonly entries: readonly Entry[]
  readonly bytes: Buffer
}

/**
 * The bytes of `status.json`. An entry is not serialised again: its kept text is encoded, and where it stands in `before`
 * already, it is copied from there, together with all its neighbours of which that is true.
 */
export function toBytes(document: StatusDocument, before?: Rendered): Buffer {
  const { entries } = document
  const { $schema, ...others } = document.head
  const top = { $schema, generation: document.generation, updated_at: document.updatedAt, ...others }
  const opening = `${JSON.stringify(top, null, 2).slice(0, -2)},\n  "statuses": [${entries.length === 0 ? '' : '\n'}`
  const closing = `${entries.length === 0 ? '' : '\n  '}]\n}\n`

  const buffer = Buffer.allocUnsafe(Buffer.byteLength(opening) + lengthOf(entries) + closing.length)
  let end = buffer.write(opening)
  let index = 0
  const encodeUpTo = (to: number): void => {
    for (; index < to; index += 1) {
      if (index > 0) end += buffer.write(SEPARATOR, end)
      end += buffer.write(entries[index]?.text ?? '', end)
    }
  }
  if (before !== undefined) {
    let [old, at] = [0, before.bytes.length - closing.length - lengthOf(before.entries)]
    for (const { from, to, length } of sharedRuns(before.entries, entries)) {
      encodeUpTo(to)
      if (index > 0) end += buffer.write(SEPARATOR, end)
      at += lengthOf(before.entries, old, from) + (from > old ? SEPARATOR.length : 0)
      const run = lengthOf(entries, to, to + length)
      end += before.bytes.copy(buffer, end, at, at + run)
      at += run + SEPARATOR.length
      index += length
      old = from + length
    }
  }
  encodeUpTo(entries.length)
  buffer.write(closing, end)
  return buffer
}

/** How many bytes a stretch of entries has, with the separators in it. */
function lengthOf(entries: readonly Entry[], from = 0, to = entries.length): number {
  let length = Math.max(to - from - 1, 0) * SEPARATOR.length
  for (let index = from; index < to; index += 1) length += entries[index]?.bytes ?? 0
  return length
}

/** A stretch of entries that two documents share: where it begins in the one and in the other, and how long it is. */
interface Run {
  readonly from: number
  readonly to: number
  readonly length: number
}

/** What two documents share, the very same entries, in order. Costs hardly more than a look at each. */
export function* sharedRuns(before: readonly Entry[], after: readonly Entry[]): Generator<Run> {
  let from = 0
  let to = 0
  for (;;) {
    const [old, next] = [before[from], after[to]]
    if (old === undefined || next === undefined) return
    if (old === next) {
      let length = 1
      while (from + length < before.length && before[from + length] === after[to + length]) length += 1
      yield { from, to, length }
      from += length
      to += length
    } else {
      const order = compareTargets(old.status, next.status)
      if (order <= 0) from += 1
      if (order >= 0) to += 1
    }
  }
}

/** Reads `status.json` as it was found, by whomever written. Times come back as UTC whole seconds. */
export function readDocument(bytes: Uint8Array): Outcome<SavedDocument, LocatedFault> {
  const json = parseJson(bytes)
  if (!json.ok) return json
  const { value, text } = json.value
  const limits = limitFaults(value, TARGETS_MAX)
  if (limits.length > 0) return { ok: false, faults: locate(text, limits) }
  if (!isSavedDocument(value)) return { ok: false, faults: locate(text, isSavedDocument.faults('')) }
  const faults = documentFaults(value)
  if (faults.length > 0) return { ok: false, faults: locate(text, faults) }
  // What reads back to the letter has no member twice; looking for them takes five times as long.
  const duplicates = text === `${JSON.stringify(value, null, 2)}\n` ? [] : duplicateFaults(text)
  if (duplicates.length > 0) return { ok: false, faults: duplicates }
  const { updated_at: updatedAt } = value
  const times = updatedAt === undefined ? {} : { updated_at: utc(updatedAt) }
  return { ok: true, value: { ...value, ...times, statuses: value.statuses.map(withUtcTimes) } }
}

/** What no schema can say: whether the entries contradict themselves or each other. */
function documentFaults(value: SavedDocument): Fault[] {
  const faults: Fault[] = []
  const seen = new Map<string, string>()
  for (const [index, status] of value.statuses.entries()) {
    const pointer = pointTo('/statuses', index)
    faults.push(...contradictions(status, pointer))
    const other = seen.get(keyOf(status))
    if (other !== undefined) faults.push({ pointer, detail: `must not have the same repo and server as ${other}` })
    seen.set(keyOf(status), other ?? pointer)
  }
  return faults
}

function withUtcTimes(status: SavedStatus): SavedStatus {
  return {
    ...status,
    last_check: utc(status.last_check),
    files: status.files.map((file) => (file.since === undefined ? file : { ...file, since: utc(file.since) })),
    ...(status.since === undefined ? {} : { since: utc(status.since) }),
  }
}

function utc(time: string): string {
  return formatTime(timeOf(time))
}
