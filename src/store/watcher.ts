import { join, resolve } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import { STATUS_FILE } from './status-file.ts'

/** How often the file is looked at without being told, in ms: network file systems tell nothing. */
const LOOK_EVERY_MS = 2000

/** A file counts as saved when its size has not changed for this long, in ms; less than 50 and chokidar 5 drops edits. */
const SAVED_AFTER_MS = 100
const SAVED_POLL_MS = 20

/** Commits that follow one another sooner than this are a load, and this long without one it is over, in ms. */
const LOAD_MS = 200

export interface WatcherOptions {
  readonly directory: string
  /** Called after every event, and every 2 seconds without any. */
  readonly wake: () => void
  /** Called when the system cannot tell of events; the look every 2 seconds goes on. */
  readonly onError: (error: unknown) => void
}

/** Wakes somebody up when `status.json` may have changed. What has really happened, the content alone tells. */
export class Watcher {
  readonly #options: WatcherOptions
  readonly #timer: NodeJS.Timeout
  #events: FSWatcher | undefined
  #resume: NodeJS.Timeout | undefined
  #committedAt = -Infinity
  #closed = false

  constructor(options: WatcherOptions) {
    this.#options = options
    this.#timer = setInterval(options.wake, LOOK_EVERY_MS)
    this.#listen()
  }

  /**
   * Tells that there is a commit. Under load nobody has to be woken up, since every commit looks at the file itself, and
   * chokidar would read the directory again for each of the dozen events that a commit makes: it rests till the load is
   * over.
   */
  committing(): void {
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
    const { directory, wake, onError } = this.#options
    // chokidar shows its paths normalised: `./data` would never be met again.
    const root = resolve(directory)
    const file = join(root, STATUS_FILE)
    // The directory, not the file: a watch on the file goes dead when chokidar 5 sees it replaced twice in a row.
    this.#events = watch(root, {
      depth: 0,
      ignoreInitial: true,
      ignored: (path) => path !== root && path !== file,
      awaitWriteFinish: { stabilityThreshold: SAVED_AFTER_MS, pollInterval: SAVED_POLL_MS },
    })
    // What was saved before it was ready, it does not tell of.
    this.#events.on('ready', wake).on('all', wake).on('error', onError)
  }
}
