import type { Steps } from '../steps.ts'
import { type Entry, type StatusDocument, position, textOf } from './document.ts'
import { type LocatedFault, type Outcome, afterBlanks, beginOfArray, decode, endOfValue } from './json.ts'
import { readText } from './saved-document.ts'
import { type SavedDocument, type SavedStatus, TARGETS_MAX } from './schema.ts'
import { keyOf } from './target.ts'

/** The number of spaces before an entry in the file. */
const INDENT = /^ */.exec(textOf({}))?.[0].length ?? 0

/**
 * Reads a `status.json` that somebody has edited. The outcome is that of `readDocument`, but what an edit has left alone
 * costs next to nothing: where the text goes on with the text of a known entry, its status is the known object. Every
 * other entry is read by itself. If anything is wrong with the text, it is read again as a whole, so that the faults are
 * those of the whole.
 *
 * A known entry is not checked again: it was checked before a server committed it.
 *
 * Yields after each entry, so that the caller can let others work meanwhile.
 *
 * @param known the document that the text was probably made from; another one costs time and changes nothing
 * @param now milliseconds since the epoch
 */
export function* readEdit(
  bytes: Uint8Array,
  known: StatusDocument,
  now: number,
): Steps<Outcome<SavedDocument, LocatedFault>> {
  const text = decode(bytes)
  if (!text.ok) return text
  yield
  return (yield* readByEntry(text.value, new Known(known.entries), now)) ?? readText(text.value, now)
}

/** Where the generation of a document is looked for, in bytes. */
const TOP_BYTES = 1024

/** The generation that a text seems to name at its top. It may be wrong: the text is not parsed. */
export function seemingGeneration(bytes: Uint8Array): number | undefined {
  const [top = ''] = new TextDecoder().decode(bytes.subarray(0, TOP_BYTES)).split('"statuses"')
  const [, digits] = /"generation"\s*:\s*(\d{1,16})\b/.exec(top) ?? []
  return digits === undefined ? undefined : Number(digits)
}

/** Reads a text entry by entry; `undefined` if anything is wrong with it. */
function* readByEntry(
  text: string,
  known: Known,
  now: number,
): Steps<Outcome<SavedDocument, LocatedFault> | undefined> {
  const begin = beginOfArray(text, 'statuses')
  if (begin === undefined) return undefined
  const statuses: SavedStatus[] = []
  let at = afterBlanks(text, begin)
  for (;;) {
    const taken = known.takeAt(text, at)
    if (taken === undefined) {
      const end = text[at] === '{' ? endOfValue(text, at) : undefined
      const status = end === undefined ? undefined : known.take(readEntry(text.slice(at, end), now))
      if (end === undefined || status === undefined) return undefined
      statuses.push(status)
      at = end
    } else {
      statuses.push(taken.status)
      at = taken.end
    }
    yield
    at = afterBlanks(text, at)
    if (text[at] === ']') break
    if (text[at] !== ',') return undefined
    at = afterBlanks(text, at + 1)
  }
  if (statuses.length > TARGETS_MAX) return undefined
  // The text without its entries is JSON only if `begin` is where it seemed to be.
  const head = readText(text.slice(0, begin) + text.slice(at), now)
  return head.ok ? { ok: true, value: { ...head.value, statuses } } : undefined
}

/** Reads the text of an entry, as if it were the only one; `undefined` if anything is wrong with it. */
function readEntry(text: string, now: number): SavedStatus | undefined {
  const outcome = readText(`{"statuses":[${text}]}`, now)
  return outcome.ok ? outcome.value.statuses[0] : undefined
}

/** The entries of the known document, and which targets a text has already had. */
class Known {
  readonly #entries: readonly Entry[]
  /** 1 for each entry whose target the text has had. */
  readonly #taken: Uint8Array
  /** The keys of the other targets. */
  readonly #added = new Set<string>()
  /** The index of the entry with which the text probably goes on. */
  #next = 0

  constructor(entries: readonly Entry[]) {
    this.#entries = entries
    this.#taken = new Uint8Array(entries.length)
  }

  /** The status with whose text, less its indentation, a text goes on at a place, and where that ends. */
  takeAt(text: string, at: number): { readonly status: SavedStatus; readonly end: number } | undefined {
    const entry = this.#entries[this.#next]
    if (entry === undefined || this.#taken[this.#next] === 1) return undefined
    const known = textOf(entry.status)
    if (!text.startsWith(known, at - INDENT)) return undefined
    this.#taken[this.#next] = 1
    this.#next += 1
    return { status: entry.status, end: at - INDENT + known.length }
  }

  /** Takes a status that was read. Returns the known one if it is the same; `undefined` if its target was there before. */
  take(status: SavedStatus | undefined): SavedStatus | undefined {
    if (status === undefined) return undefined
    const [index, isKnown] = position(this.#entries, status)
    const key = keyOf(status)
    if (isKnown ? this.#taken[index] === 1 : this.#added.has(key)) return undefined
    if (isKnown) this.#taken[index] = 1
    else this.#added.add(key)
    this.#next = isKnown ? index + 1 : index
    const entry = this.#entries[index]
    return isKnown && entry !== undefined && textOf(status) === textOf(entry.status) ? entry.status : status
  }
}
