import type { Edit } from '../status/edits.ts'
import { type LocatedFault, type Outcome, parseJson } from '../status/json.ts'
import { readDocument } from '../status/saved-document.ts'
import type { SavedDocument } from '../status/schema.ts'
import type { Clock } from '../status/time.ts'
import { type Directory, STATUS_FILE } from './directory.ts'
import { type DisplacedFile, WatchedFiles } from './displaced.ts'
import { BYTES_MAX, type FileState, digestOf, readHandle } from './durable-file.ts'
import type { Record } from './record.ts'

/** A save in place is seen empty, then partial, then whole. A text that does not change for this long, in ms, is whole. */
const UNFINISHED_MAX_MS = 1000

/** A text that somebody else has saved. */
export interface Text {
  readonly state: FileState
  /** The displaced file that holds it; without one `status.json` does. */
  readonly file?: DisplacedFile
  readonly outcome: Outcome<Edit, LocatedFault>
}

/** Everything that others have saved, as one round finds it. */
export interface Found {
  /** `status.json`; `undefined` if there is none. */
  readonly status: FileState | undefined
  /** True if `status.json` holds the committed document. */
  readonly isOurs: boolean
  /** Texts that are whole: displaced ones first, then `status.json`, which was saved last. */
  readonly texts: readonly Text[]
  /** True if `status.json` is being written. */
  readonly isUnfinished: boolean
}

/** A text that is not in the document: what is wrong with it, and where it is. */
export interface RejectedText {
  /** `status.json` until the next commit, then a file of its own. */
  readonly file: string
  readonly faults: readonly LocatedFault[]
  /** True if the text is valid and merging it failed because of a defect. */
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
  /** When each text that is not whole was first seen as it is, by the file's path. */
  readonly #unfinished = new Map<string, { readonly version: string; readonly since: number }>()
  /** The text in `status.json` that was rejected, so that it is not parsed again in every round. */
  #rejectedInPlace: { readonly bytes: Buffer; readonly faults: readonly LocatedFault[] } | undefined
  #rejected: RejectedText | undefined

  constructor(directory: Directory, record: Record) {
    this.#directory = directory
    this.#record = record
  }

  /** True if there is a displaced file that nobody has read. */
  get hasUnread(): boolean {
    return this.#unread.length > 0
  }

  /** The last text that was rejected, while nobody has put that right. */
  get rejected(): RejectedText | undefined {
    return this.#rejected
  }

  /** Adds displaced files that nobody has read. */
  add(...files: readonly DisplacedFile[]): void {
    this.#unread = [...this.#unread, ...files]
  }

  /** Reads everything. The caller holds the lock and has loaded the record. */
  async read(clock: Clock): Promise<Found> {
    const displaced = await this.#readUnread(clock)
    const { bytes } = this.#record.current
    const found = await this.#directory.readStatus()
    // The same bytes as one object are hashed once.
    const isOurs = found?.bytes.equals(bytes) === true
    const status = isOurs ? { ...found, bytes } : found
    const nothing = { status, isOurs, texts: displaced, isUnfinished: false }
    if (isOurs && this.#rejected?.file === STATUS_FILE) this.#rejected = undefined
    if (status === undefined || isOurs || this.#record.isSuperseded(digestOf(status.bytes))) return nothing

    const outcome = await this.#outcomeInPlace(status, clock)
    if (outcome === undefined) return { ...nothing, isUnfinished: true }
    if (!outcome.ok) this.#rejectInPlace(status, outcome.faults)
    return { ...nothing, texts: [...displaced, { state: status, outcome }] }
  }

  /**
   * Settles what a round has found, once its document is on disk: what was merged goes, what was rejected is set aside.
   *
   * @param errors one for each valid text: why its merge failed, or `undefined`
   * @param displaced what the commit has displaced
   */
  async settle(found: Found, errors: readonly unknown[], displaced: DisplacedFile | undefined): Promise<void> {
    const isAsFound = displaced !== undefined && found.status?.bytes.equals(displaced.state.bytes) === true
    if (displaced !== undefined && !isAsFound) this.add(displaced)
    const valid = found.texts.filter(({ outcome }) => outcome.ok)
    for (const text of found.texts) {
      const error = errors[valid.indexOf(text)]
      const faults = text.outcome.ok ? faultsOf(error) : text.outcome.faults
      const file = text.file ?? (isAsFound ? displaced : undefined)
      if (faults === undefined) this.#rejected = undefined
      if (faults !== undefined) await this.#reject(text, faults, file, text.outcome.ok)
      else if (file !== undefined) await this.#discard(file)
    }
    const isOwn = found.isOurs || found.texts.every(({ file }) => file !== undefined)
    if (isAsFound && isOwn) await this.#discard(displaced)
  }

  /** Forgets a rejected text once somebody has deleted its file. */
  async review(): Promise<void> {
    const file = this.#rejected?.file
    if (file !== undefined && file !== STATUS_FILE && !(await this.#directory.has(file))) this.#rejected = undefined
    this.add(...(await this.#watched.review()))
  }

  async close(): Promise<void> {
    for (const { handle } of this.#unread) await handle.close().catch(() => undefined)
    await this.#watched.close()
  }

  async #readUnread(clock: Clock): Promise<Text[]> {
    const texts: Text[] = []
    for (const file of this.#unread) {
      const state = await readHandle(file.handle).catch(() => undefined)
      if (state === undefined) {
        // The volume is gone. What is left of the file on it, the next start finds.
        this.#forget(file)
        await file.handle.close().catch(() => undefined)
      } else if (!this.#isUnfinished(file.path, state)) {
        texts.push({ state, file: { ...file, state }, outcome: await this.#outcomeOf(state, clock) })
      }
    }
    return texts
  }

  /** What `status.json` says, or what is wrong with it; `undefined` while it is being written. */
  async #outcomeInPlace(state: FileState, clock: Clock): Promise<Text['outcome'] | undefined> {
    const known = this.#rejectedInPlace
    if (known?.bytes.equals(state.bytes) === true) return { ok: false, faults: known.faults }
    return this.#isUnfinished(STATUS_FILE, state) ? undefined : this.#outcomeOf(state, clock)
  }

  async #outcomeOf(state: FileState, clock: Clock): Promise<Text['outcome']> {
    const outcome = readSaved(state)
    if (!outcome.ok) return outcome
    const saved = outcome.value
    const { document, digest } = await this.#record.documentAt(saved.generation, clock)
    const isOlder = document.generation < this.#record.current.document.generation
    const isRestore = isOlder && digest === digestOf(state.bytes)
    return { ok: true, value: { saved, origin: document, isRestore } }
  }

  /** True while a text that is no JSON may still become it. */
  #isUnfinished(path: string, { bytes, size, version }: FileState): boolean {
    if (size > BYTES_MAX || parseJson(bytes).ok) {
      this.#unfinished.delete(path)
      return false
    }
    const known = this.#unfinished.get(path)
    if (known?.version !== version) this.#unfinished.set(path, { version, since: Date.now() })
    return Date.now() - (this.#unfinished.get(path)?.since ?? 0) < UNFINISHED_MAX_MS
  }

  #rejectInPlace({ bytes }: FileState, faults: readonly LocatedFault[], isDefect = false): void {
    if (this.#rejectedInPlace?.bytes.equals(bytes) === true) return
    this.#rejectedInPlace = { bytes, faults }
    this.#rejected = { file: STATUS_FILE, faults, isDefect }
  }

  /** Sets a text aside. One in `status.json` stays there until a commit displaces it. */
  async #reject(
    { state }: Text,
    faults: readonly LocatedFault[],
    file: DisplacedFile | undefined,
    isDefect: boolean,
  ): Promise<void> {
    if (file === undefined) {
      this.#rejectInPlace(state, faults, isDefect)
      return
    }
    const name = await this.#directory.setAside(file.path, state.bytes)
    this.#rejected = { file: name, faults, isDefect }
    this.#watch(file)
  }

  async #discard(file: DisplacedFile): Promise<void> {
    await this.#directory.discard(file.path)
    this.#watch(file)
  }

  #watch(file: DisplacedFile): void {
    this.#forget(file)
    this.#watched.add(file)
  }

  #forget({ handle, path }: DisplacedFile): void {
    this.#unread = this.#unread.filter((unread) => unread.handle !== handle)
    this.#unfinished.delete(path)
  }
}

function readSaved({ size, bytes }: FileState): Outcome<SavedDocument, LocatedFault> {
  if (size <= BYTES_MAX) return readDocument(bytes)
  const detail = `must not have more than ${BYTES_MAX} bytes`
  return { ok: false, faults: [{ pointer: '', line: 1, column: 1, detail }] }
}

function faultsOf(error: unknown): LocatedFault[] | undefined {
  if (error === undefined) return undefined
  return [{ pointer: '', line: 1, column: 1, detail: 'could not be merged because of an internal error; see the log' }]
}
