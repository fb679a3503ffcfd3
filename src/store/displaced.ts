import { readDocument } from '../status/document.ts'
import { Patience, isWhole, outcomeOf } from './reader.ts'
import { type Displaced, type Seen, isWrittenSince, readHandle } from './status-file.ts'

/** How long an editor may take to write into a file that a commit displaced while the editor had it open, in ms. */
const WATCHED_MS = 1000
/** How much is held open for that: files, and bytes of the volume that they keep occupied. */
const WATCHED_FILES_MAX = 256
const WATCHED_BYTES_MAX = 16 * 1024 * 1024

/** What has been found in a displaced file that nobody had read. */
export interface Unread {
  readonly file: Displaced
  readonly seen: Seen
  readonly outcome: ReturnType<typeof readDocument>
}

/** The files that commits have displaced, while something in them may still have to be merged. */
export class DisplacedFiles {
  readonly #unread: { readonly file: Displaced; readonly patience: Patience }[] = []
  readonly #watched: { readonly file: Displaced; readonly until: number }[] = []

  /** Whether something is to be read now. */
  get waiting(): boolean {
    return this.#unread.length > 0 || this.#isDue()
  }

  /** Adds a file that holds what nobody has read yet. */
  add(file: Displaced): void {
    this.#unread.push({ file, patience: new Patience() })
  }

  /** The next file with something to merge or to reject; one that is still being written waits. */
  async next(): Promise<Unread | undefined> {
    while (this.#isDue()) await this.#review()
    for (const { file, patience } of this.#unread) {
      const seen = await readHandle(file.handle)
      if (isWhole(seen) || !patience.lastsFor(seen)) return { file, seen, outcome: outcomeOf(seen) }
    }
    return undefined
  }

  /**
   * Watches a file whose content is taken care of: an editor that opened it before it was displaced may write into it
   * after.
   */
  watch(file: Displaced, { written, size }: Seen): void {
    const index = this.#unread.findIndex((unread) => unread.file === file)
    if (index !== -1) this.#unread.splice(index, 1)
    this.#watched.push({ file: { ...file, written, size }, until: Date.now() + WATCHED_MS })
  }

  async close(): Promise<void> {
    for (const { file } of [...this.#unread, ...this.#watched]) await file.handle.close()
  }

  #isDue(): boolean {
    const [oldest] = this.#watched
    if (oldest === undefined) return false
    const bytes = this.#watched.reduce((sum, { file }) => sum + file.size, 0)
    const many = this.#watched.length > 1 && (this.#watched.length > WATCHED_FILES_MAX || bytes > WATCHED_BYTES_MAX)
    return many || oldest.until <= Date.now()
  }

  /** Lets go of the oldest file if it was left alone; if it was written into, it is to be read again. */
  async #review(): Promise<void> {
    const oldest = this.#watched.shift()
    if (oldest === undefined) return
    if (await isWrittenSince(oldest.file)) this.add(oldest.file)
    else await oldest.file.handle.close()
  }
}
