import type { StatusDocument } from '../status/document.ts'
import { type LocatedFault, type Outcome, parseJson } from '../status/json.ts'
import { reread } from '../status/reread.ts'
import type { SavedDocument } from '../status/schema.ts'
import { BYTES_MAX, type Seen, type StatusFile } from './status-file.ts'

/** An in-place save is seen empty, then partial, then whole: text that stays the same for this long, in ms, is whole. */
const UNFINISHED_MAX_MS = 1000

/** What the file turned out to hold. */
export type Found =
  | { readonly kind: 'known'; readonly seen: Seen }
  | { readonly kind: 'gone'; readonly seen: undefined }
  | { readonly kind: 'edited'; readonly seen: Seen; readonly saved: SavedDocument }
  | { readonly kind: 'unfinished'; readonly seen: Seen }
  | { readonly kind: 'invalid'; readonly seen: Seen; readonly faults: readonly LocatedFault[] }

/** Looks at the file and tells what has become of it: the content counts, not events, not times. */
export class Reader {
  readonly #file: StatusFile
  readonly #patience = new Patience()
  #invalid: { readonly bytes: Buffer; readonly faults: readonly LocatedFault[] } | undefined

  constructor(file: StatusFile) {
    this.#file = file
  }

  /**
   * @param known the bytes that the server itself last put there or took from there
   * @param document what they say
   */
  async look(known: Buffer, document: StatusDocument): Promise<Found> {
    const seen = await this.#file.read()
    if (seen === undefined) return { kind: 'gone', seen }
    // The same bytes as one object: what is known of them need not be found out again.
    if (seen.bytes.equals(known)) return { kind: 'known', seen: { ...seen, bytes: known } }
    if (this.#invalid?.bytes.equals(seen.bytes) === true) return { kind: 'invalid', seen, faults: this.#invalid.faults }

    const outcome = outcomeOf(seen, document)
    if (outcome.ok) return { kind: 'edited', seen, saved: outcome.value }
    if (!isWhole(seen) && this.#patience.lastsFor(seen)) return { kind: 'unfinished', seen }
    this.#invalid = { bytes: seen.bytes, faults: outcome.faults }
    return { kind: 'invalid', seen, faults: outcome.faults }
  }
}

/** Waits for a text to become whole: for as long as it changes, and a little longer. */
export class Patience {
  #stamp: string | undefined
  #since = 0

  /** Whether the text may still become whole. */
  lastsFor({ stamp }: Seen): boolean {
    if (this.#stamp !== stamp) {
      this.#stamp = stamp
      this.#since = Date.now()
    }
    return Date.now() - this.#since < UNFINISHED_MAX_MS
  }
}

/** Whether a text can be parsed; half of a JSON text never can. */
export function isWhole({ bytes }: Seen): boolean {
  return parseJson(bytes).ok
}

/** What a text says, or what is wrong with it. */
export function outcomeOf(seen: Seen, known: StatusDocument): Outcome<SavedDocument, LocatedFault> {
  if (seen.size <= BYTES_MAX) return reread(seen.bytes, known)
  const detail = `must not have more than ${BYTES_MAX} bytes`
  return { ok: false, faults: [{ pointer: '', line: 1, column: 1, detail }] }
}
