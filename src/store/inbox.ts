import { join } from 'node:path'
import type { Edit } from '../status/edits.ts'
import { type LocatedFault, type Outcome, parseJson } from '../status/json.ts'
import { Refusal } from '../status/refusal.ts'
import { readEdit, seemingGeneration } from '../status/saved-edit.ts'
import type { SavedDocument } from '../status/schema.ts'
import type { Clock } from '../status/time.ts'
import { inSlices } from '../slices.ts'
import { type Directory, STATUS_FILE } from './directory.ts'
import { type DisplacedFile, WatchedFiles } from './displaced.ts'
import { BYTES_MAX, type FileState, digestInSlices, digestOf } from './durable-file.ts'
import type { Record } from './record.ts'

const MERGE_FAILED: readonly LocatedFault[] = [
  { pointer: '', line: 1, column: 1, detail: 'could not be merged because of an internal error; see the log' },
]

/** A text that another program saved. */
interface Text {
  readonly state: FileState
  /** The displaced file that holds it; without one `status.json` does. */
  readonly file?: DisplacedFile | undefined
}

/** A valid text. */
export interface EditText extends Text {
  readonly edit: Edit
}

export interface InvalidText extends Text {
  readonly faults: readonly LocatedFault[]
  /** True if the text is valid and merging it failed because of a defect. */
  readonly isDefect: boolean
}

/** Everything that others have saved, as one round finds it. */
export interface Found {
  /** `status.json`; `undefined` if there is none. */
  readonly status: FileState | undefined
  /** True if `status.json` holds the committed document. */
  readonly isOurs: boolean
  /** True if `status.json` is being written. */
  readonly isUnfinished: boolean
  /** Displaced ones first, then `status.json`, which was saved last. */
  readonly edits: readonly EditText[]
  readonly invalid: readonly InvalidText[]
}

export const NOTHING_FOUND: Found = { status: undefined, isOurs: false, isUnfinished: false, edits: [], invalid: [] }

/** A text that is not in the document, with its faults and its file. */
export interface RejectedText {
  /** `status.json` until the next commit, then a file of its own. */
  readonly file: string
  readonly faults: readonly LocatedFault[]
  readonly isDefect: boolean
}

/**
 * Reads every text that somebody else has saved: in place, displaced by a commit, or left by a crash. No such text is
 * removed before it is merged or set aside.
 */
export class Inbox {
  readonly #directory: Directory
  readonly #record: Record
  readonly #watched = new WatchedFiles()
  #unread: readonly DisplacedFile[] = []
  /** The time at which each incomplete text was first seen unchanged, by path; on the clock of `performance.now()`. */
  readonly #unfinished = new Map<string, { readonly version: string; readonly since: number }>()
  /** The text in `status.json` that was rejected, so that it is not parsed again in every round. */
  #rejectedInPlace: InvalidText | undefined
  #rejected: RejectedText | undefined

  constructor(directory: Directory, record: Record) {
    this.#directory = directory
    this.#record = record
  }

  /** True if there is an unread displaced file. */
  get hasUnread(): boolean {
    return this.#unread.length > 0
  }

  /** True if a private file is one that this inbox reads or watches. */
  isOwn(path: string): boolean {
    return this.#unread.some((file) => file.path === path) || this.#watched.has(path)
  }

  /** True if a displaced file is watched, because an editor may still write into it. */
  get isWatching(): boolean {
    return !this.#watched.isEmpty
  }

  /** The last rejected text, until it is corrected. */
  get rejected(): RejectedText | undefined {
    return this.#rejected
  }

  /** Adds unread displaced files. */
  add(...files: readonly DisplacedFile[]): void {
    this.#unread = [...this.#unread, ...files]
  }

  /** Reads everything. The caller holds the lock and has loaded the record. */
  async read(clock: Clock): Promise<Found> {
    const displaced = await this.#readUnread(clock)
    const { bytes } = this.#record.current
    const status = await this.#directory.readStatus(bytes)
    const isOurs = status?.bytes.equals(bytes) === true
    if (isOurs && this.#rejected?.file === STATUS_FILE) this.#rejected = undefined
    // Its server may have been killed before it noted that.
    if (isOurs) await this.#record.notePlaced()
    if (status === undefined || isOurs || this.#record.isSuperseded(await digestInSlices(status.bytes))) {
      return { status, isOurs, isUnfinished: false, ...sorted(displaced) }
    }
    const text = this.#knownInPlace(status) ?? (await this.#parse({ state: status }, clock))
    if (text === undefined) return { status, isOurs, isUnfinished: true, ...sorted(displaced) }
    if ('faults' in text) this.#rejectInPlace(text)
    return { status, isOurs, isUnfinished: false, ...sorted([...displaced, text]) }
  }

  /**
   * Settles what a round has found, once its document is on disk: what was merged goes, what was rejected is set aside.
   *
   * @param errors one for each edit: why its merge failed, or `undefined`
   * @param displaced what the commit has displaced, oldest first
   */
  async settle(
    { status, edits, invalid }: Found,
    errors: readonly unknown[],
    displaced: readonly DisplacedFile[],
  ): Promise<void> {
    const inPlace = displaced.find(({ state }) => status?.bytes.equals(state.bytes) === true)
    this.add(...displaced.filter((file) => file !== inPlace))
    for (const [index, { state, file = inPlace }] of edits.entries()) {
      const error = errors[index]
      if (error !== undefined) {
        await this.#reject({ state, file, ...whyNotMerged(error) })
      } else {
        this.#rejected = undefined
        if (file !== undefined) await this.#discard(file)
      }
    }
    for (const { file = inPlace, ...text } of invalid) await this.#reject({ ...text, file })
    const isText = [...invalid, ...edits].some(({ file }) => file === undefined)
    if (inPlace !== undefined && !isText) await this.#discard(inPlace)
  }

  /** Forgets a rejected text once its file is deleted. */
  async review(): Promise<void> {
    const file = this.#rejected?.file
    if (file !== undefined && file !== STATUS_FILE && !(await this.#directory.has(file))) this.#rejected = undefined
    this.add(...(await this.#watched.review()))
  }

  /** Ends the watch over displaced files: the next review reads what was written into them. */
  endWatch(): void {
    this.#watched.end()
  }

  async close(): Promise<void> {
    for (const file of this.#unread) await file.close()
    await this.#watched.close()
  }

  async #readUnread(clock: Clock): Promise<(EditText | InvalidText)[]> {
    const texts: (EditText | InvalidText)[] = []
    for (const file of this.#unread) {
      const now = await file.reread().catch(() => undefined)
      if (now === undefined) {
        // The volume is gone, or another server has taken over the file. What is left of it, the next start finds.
        this.#forget(file)
        await file.close()
      } else {
        const text = await this.#parse({ state: now.state, file: now }, clock)
        if (text !== undefined) texts.push(text)
      }
    }
    return texts
  }

  /** The text in `status.json`, if it was rejected before. */
  #knownInPlace(state: FileState): InvalidText | undefined {
    const known = this.#rejectedInPlace
    return known?.state.bytes.equals(state.bytes) === true ? { ...known, state } : undefined
  }

  /** The content of a text, or its faults; `undefined` while it is being written. */
  async #parse(text: Text, clock: Clock): Promise<EditText | InvalidText | undefined> {
    const { state, file } = text
    const path = file?.path ?? STATUS_FILE
    const outcome = await this.#readSaved(state, clock)
    if (!outcome.ok) {
      if (this.#isUnfinished(path, state)) return undefined
      return { ...text, faults: outcome.faults, isDefect: false }
    }
    this.#unfinished.delete(path)
    const saved = outcome.value
    const { document, digest } = await this.#record.documentAt(saved.generation, clock)
    const isOlder = document.generation < this.#record.current.document.generation
    const isRestore = isOlder && digest === digestOf(state.bytes)
    return { ...text, edit: { saved, origin: document, isRestore } }
  }

  async #readSaved({ size, bytes }: FileState, clock: Clock): Promise<Outcome<SavedDocument, LocatedFault>> {
    if (size > BYTES_MAX) {
      const detail = `must not have more than ${BYTES_MAX} bytes`
      return { ok: false, faults: [{ pointer: '', line: 1, column: 1, detail }] }
    }
    const { document } = await this.#record.documentAt(seemingGeneration(bytes), clock)
    return inSlices(readEdit(bytes, document, clock.now))
  }

  /**
   * True while an invalid text that is no JSON may still become it. A save in place is seen empty, then partial, then whole;
   * a text that has not changed for some time is whole.
   */
  #isUnfinished(path: string, { bytes, size, version }: FileState): boolean {
    if (size > BYTES_MAX || parseJson(bytes).ok) {
      this.#unfinished.delete(path)
      return false
    }
    const known = this.#unfinished.get(path)
    if (known?.version !== version) this.#unfinished.set(path, { version, since: performance.now() })
    return performance.now() - (this.#unfinished.get(path)?.since ?? 0) < this.#directory.files.access.unfinishedMaxMs
  }

  #rejectInPlace(text: InvalidText): void {
    this.#rejectedInPlace = text
    const { faults, isDefect } = text
    if (this.#rejected?.faults !== faults) this.#rejected = { file: STATUS_FILE, faults, isDefect }
  }

  /** Sets a text aside. One in `status.json` stays there until a commit displaces it. */
  async #reject(text: InvalidText): Promise<void> {
    const { state, file, faults, isDefect } = text
    if (file === undefined) {
      this.#rejectInPlace(text)
      return
    }
    try {
      const name = await this.#directory.setAside(file.path, state.bytes)
      this.#rejected = { file: name, faults, isDefect }
      this.#forget(file)
      this.#watch(file.keptAs(join(this.#directory.path, name)))
    } catch (error) {
      // The next round tries again.
      if (!this.isOwn(file.path)) this.add(file)
      throw error
    }
  }

  async #discard(file: DisplacedFile): Promise<void> {
    this.#forget(file)
    this.#watch(file)
    await file.discard()
  }

  #watch(file: DisplacedFile): void {
    this.#watched.add(file, this.#directory.files.access.reviewAfterMs)
  }

  #forget({ path }: DisplacedFile): void {
    this.#unread = this.#unread.filter((unread) => unread.path !== path)
    this.#unfinished.delete(path)
  }
}

function whyNotMerged(error: unknown): Pick<InvalidText, 'faults' | 'isDefect'> {
  if (!(error instanceof Refusal)) return { faults: MERGE_FAILED, isDefect: true }
  return { faults: [{ pointer: '', line: 1, column: 1, detail: error.message }], isDefect: false }
}

function sorted(texts: readonly (EditText | InvalidText)[]): Pick<Found, 'edits' | 'invalid'> {
  return {
    edits: texts.flatMap((text) => ('edit' in text ? text : [])),
    invalid: texts.flatMap((text) => ('faults' in text ? text : [])),
  }
}
