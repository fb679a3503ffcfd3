import { type FileHandle, open } from 'node:fs/promises'
import { type FileState, isWrittenSince, readHandle } from './durable-file.ts'

/** How long an editor that had the file open may go on writing into it after a commit has displaced it, in ms. */
const WATCHED_MS = 1000
/** The most files that are held open for that, and the most bytes of the volume that they occupy. */
const WATCHED_FILES_MAX = 256
const WATCHED_BYTES_MAX = 16 * 1024 * 1024

/** A file that a commit has displaced. It is held open: it can be read whatever becomes of its name. */
export interface DisplacedFile {
  readonly handle: FileHandle
  /** Its private name. */
  readonly path: string
  /** As it was last read. */
  readonly state: FileState
}

/** Opens a displaced file and reads it. */
export async function openDisplaced(path: string): Promise<DisplacedFile> {
  const handle = await open(path, 'r')
  try {
    return { handle, path, state: await readHandle(handle) }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Displaced files that are done with, and are watched for a while because an editor may still write into them. */
export class WatchedFiles {
  /** `until` is on the clock of `performance.now()`. */
  readonly #watched: { readonly file: DisplacedFile; readonly until: number }[] = []
  #isEnded = false

  add(file: DisplacedFile): void {
    this.#watched.push({ file, until: performance.now() + WATCHED_MS })
  }

  /** Closes the files whose time is over. Returns those that were written into: what they hold is unread. */
  async review(): Promise<DisplacedFile[]> {
    const written: DisplacedFile[] = []
    while (this.#isDue()) {
      const file = this.#watched.shift()?.file
      if (file === undefined) break
      if (await isWrittenSince(file.handle, file.state).catch(() => false)) written.push(file)
      else await file.handle.close().catch(() => undefined)
    }
    return written
  }

  /** Lets the time of every file be over. */
  end(): void {
    this.#isEnded = true
  }

  async close(): Promise<void> {
    for (const { file } of this.#watched.splice(0)) await file.handle.close().catch(() => undefined)
  }

  #isDue(): boolean {
    const [oldest] = this.#watched
    if (oldest === undefined) return false
    const bytes = this.#watched.reduce((sum, { file }) => sum + file.state.size, 0)
    const many = this.#watched.length > 1 && (this.#watched.length > WATCHED_FILES_MAX || bytes > WATCHED_BYTES_MAX)
    return many || this.#isEnded || oldest.until <= performance.now()
  }
}
