import { join, resolve } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import { STATUS_FILE } from './directory.ts'

/** The interval in which the file is checked without an event, in ms: network file systems report none. */
const LOOK_EVERY_MS = 2000

/** A file counts as saved when its size has not changed for this long, in ms. With less than 50 chokidar 5 drops edits. */
const SAVED_AFTER_MS = 100
const SAVED_POLL_MS = 20

/** Commits closer together than this are a load; after this long without a commit it is over, in ms. */
const LOAD_MS = 200

export interface WatcherOptions {
  readonly directory: string
  /** Called after every event, and every 2 seconds without any. */
  readonly wake: () => void
  /** Called once if the system cannot report events; the check every 2 seconds goes on. */
  readonly onError: (error: unknown) => void
}

/** Calls `wake` when `status.json` may have changed. Only its content says whether it has. */
export class Watcher {
  readonly #options: WatcherOptions
  readonly #timer: NodeJS.Timeout
  #events: FSWatcher | undefined
  #resume: NodeJS.Timeout | undefined
  #committedAt = -Infinity
  #closed = false
  #hasFailed = false

  constructor(options: WatcherOptions) {
    this.#options = options
    this.#timer = setInterval(options.wake, LOOK_EVERY_MS)
    this.#listen()
  }

  /**
   * Notes a commit. Under load no events are needed, since every commit reads the file, and chokidar would read the
   * directory for each of the dozen events that a commit makes: it is closed until the load is over.
   */
  commitStarting(): void {
    const now = performance.now()
    const load = now - this.#committedAt < LOAD_MS
    this.#committedAt = now
    if (!load || this.#closed) return
    void this.#events?.close()
    this.#events = undefined
    this.#resume ??= setTimeout(() => this.#resumeOrWait(), LOAD_MS)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    clearTimeout(this.#resume)
    await this.#events?.close()
  }

  #resumeOrWait(): void {
    const quiet = performance.now() - this.#committedAt
    if (quiet < LOAD_MS) {
      this.#resume = setTimeout(() => this.#resumeOrWait(), LOAD_MS - quiet)
    } else {
      this.#resume = undefined
      this.#listen()
    }
  }

  #listen(): void {
    const { directory, wake } = this.#options
    // chokidar reports normalised paths: `./data/status.json` would never be equal to one.
    const root = resolve(directory)
    const file = join(root, STATUS_FILE)
    // The directory, not the file: chokidar 5 stops watching a file that is replaced twice in quick succession.
    this.#events = watch(root, {
      depth: 0,
      ignoreInitial: true,
      ignored: (path) => path !== root && path !== file,
      awaitWriteFinish: { stabilityThreshold: SAVED_AFTER_MS, pollInterval: SAVED_POLL_MS },
    })
    // There is no event for what was saved before it was ready.
    this.#events
      .on('ready', wake)
      .on('all', wake)
      .on('error', (error) => this.#noteFailure(error))
  }

  #noteFailure(error: unknown): void {
    if (!this.#hasFailed) this.#options.onError(error)
    this.#hasFailed = true
  }
}
