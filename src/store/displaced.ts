import { type FileHandle, open } from 'node:fs/promises'
import { type FileState, closeQuietly, isWrittenSince, readHandle, removeIfPresent } from './durable-file.ts'
import { directCalls } from './file-calls.ts'

/** The most files that are watched, and the most bytes of the volume that they occupy. */
const WATCHED_FILES_MAX = 256
const WATCHED_BYTES_MAX = 16 * 1024 * 1024

/** A file that a commit has displaced. An editor that had it open may still write into it. */
export interface DisplacedFile {
  /** Its private name. */
  readonly path: string
  /** As it was last read; once it is discarded, perhaps without its content. */
  readonly state: FileState
  /** Reads it again. */
  reread(): Promise<DisplacedFile>
  /** True if it was written into since it was read. */
  isWritten(): Promise<boolean>
  /** Its content is merged, so its name may be removed. */
  discard(): Promise<void>
  /** The same file after it was given a name that stays. */
  keptAs(path: string): DisplacedFile
  /** For a file into which no program writes any more: removes it, unless it is kept. */
  release(): Promise<void>
  /** Lets go of it and leaves its name. */
  close(): Promise<void>
}

/** A displaced file on a local volume that is held open: it can be read whatever becomes of its name. */
class HeldFile implements DisplacedFile {
  readonly path: string
  readonly #handle: FileHandle
  #state: FileState

  constructor(handle: FileHandle, path: string, state: FileState) {
    this.#handle = handle
    this.path = path
    this.#state = state
  }

  get state(): FileState {
    return this.#state
  }

  async reread(): Promise<DisplacedFile> {
    return new HeldFile(this.#handle, this.path, await readHandle(this.#handle))
  }

  async isWritten(): Promise<boolean> {
    return isWrittenSince(this.#handle, this.#state, directCalls)
  }

  async discard(): Promise<void> {
    // It is watched for seconds, and may be large.
    this.#state = { ...this.#state, bytes: Buffer.alloc(0) }
    await removeIfPresent(this.path)
  }

  keptAs(): DisplacedFile {
    return this
  }

  async release(): Promise<void> {
    // The kernel frees the file now, which takes time if it is large. Nobody has to wait for it.
    void this.close()
  }

  async close(): Promise<void> {
    await closeQuietly(this.#handle)
  }
}

/** Opens a displaced file, reads it, and holds it open. */
export async function openHeld(path: string, expected?: Buffer): Promise<DisplacedFile> {
  const handle = await open(path, 'r')
  try {
    return new HeldFile(handle, path, await readHandle(handle, expected))
  } catch (error) {
    await handle.close()
    throw error
  }
}

interface Watched {
  readonly file: DisplacedFile
  /** The times of its next reviews; on the clock of `performance.now()`. */
  readonly reviews: readonly number[]
}

/** Displaced files that are done with, and are watched for a while because an editor may still write into them. */
export class WatchedFiles {
  #watched: readonly Watched[] = []
  #isEnded = false

  get isEmpty(): boolean {
    return this.#watched.length === 0
  }

  has(path: string): boolean {
    return this.#watched.some(({ file }) => file.path === path)
  }

  /** @param reviewAfterMs when to look at it, in ms from now; the last time is the end of the watch */
  add(file: DisplacedFile, reviewAfterMs: readonly number[]): void {
    const now = performance.now()
    this.#watched = [...this.#watched, { file, reviews: reviewAfterMs.map((ms) => now + ms) }]
  }

  /** Looks at the files whose time has come. Returns those that were written into: what they hold is unread. */
  async review(): Promise<DisplacedFile[]> {
    const due = this.#takeDue()
    const written: DisplacedFile[] = []
    for (const { file, reviews } of due) {
      // Some other server may have taken over the file, or the volume may be gone.
      if (await file.isWritten().catch(() => false)) written.push(file)
      else if (reviews.length === 0) await file.release()
      else this.#watched = [...this.#watched, { file, reviews }]
    }
    return written
  }

  /** Lets the time of every file be over. */
  end(): void {
    this.#isEnded = true
  }

  async close(): Promise<void> {
    for (const { file } of this.#watched) await file.close()
    this.#watched = []
  }

  /** Takes what is due, each with the times of its later reviews. */
  #takeDue(): Watched[] {
    const now = performance.now()
    const due: Watched[] = []
    const kept: Watched[] = []
    let bytes = 0
    // The newest may stay: of too many the oldest are let go early.
    for (const [index, { file, reviews }] of [...this.#watched.entries()].toReversed()) {
      bytes += file.state.size
      const files = this.#watched.length - index
      const isSurplus = files > 1 && (files > WATCHED_FILES_MAX || bytes > WATCHED_BYTES_MAX)
      const later = this.#isEnded || isSurplus ? [] : reviews.filter((at) => at > now)
      if (later.length < reviews.length) due.unshift({ file, reviews: later })
      else kept.unshift({ file, reviews })
    }
    this.#watched = kept
    return due
  }
}
