import { EMPTY_DOCUMENT } from '../status/document.ts'
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
  readonly outcome: ReturnType<typeof outcomeOf>
}

/** The files that commits have displaced, while something in them may still have to be merged. */
export class DisplacedFiles {
  readonly #unread: { readonly file: Displaced; readonly patience: Patience }[] = []
  readonly #watched: { readonly file: Displaced; readonly until: number }[] = []

  /** Whether there is something that nobody has read. */
  get waiting(): boolean {
    return this.#unread.length > 0
  }

  /** Adds a file that holds what nobody has read yet. */
  add(file: Displaced): void {
    this.#unread.push({ file, patience: new Patience() })
  }

  /** The next file with something to merge or to reject; one that is still being written waits. */
  async next(): Promise<Unread | undefined> {
    for (const unread of this.#unread.slice()) {
      const { file, patience } = unread
      const seen = await readHandle(file.handle).catch(() => undefined)
      if (seen === undefined) {
        // Its volume is gone, and the text with it; what is left of it on disk, the next start finds.
        await this.#forget(unread.file)
      } else if (isWhole(seen) || !patience.lastsFor(seen)) {
        return { file, seen, outcome: outcomeOf(seen, EMPTY_DOCUMENT) }
      }
    }
    return undefined
  }

  /** Lets go of the watched files whose time is over. Tells whether one was written into, and is to be read again. */
  async review(): Promise<boolean> {
    let found = false
    while (this.#isDue()) {
      const file = this.#watched.shift()?.file
      if (file === undefined) break
      if (await isWrittenSince(file).catch(() => false)) {
        this.add(file)
        found = true
      } else {
        await file.handle.close().catch(() => undefined)
      }
    }
    return found
  }

  /**
   * Watches a file whose content is taken care of: an editor that opened it before it was displaced may write into it
   * after.
   */
  watch(file: Displaced, { written, size }: Seen): void {
    this.#remove(file)
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

  async #forget(file: Displaced): Promise<void> {
    this.#remove(file)
    await file.handle.close().catch(() => undefined)
  }

  #remove(file: Displaced): void {
    const index = this.#unread.findIndex((unread) => unread.file === file)
    if (index !== -1) this.#unread.splice(index, 1)
  }
}
