import { join, resolve } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import { STATUS_FILE } from './status-file.ts'

/** How often the file is looked at without being told, in ms: network file systems tell nothing. */
const LOOK_EVERY_MS = 2000

/** A file counts as saved when its size has not changed for this long, in ms; less than 50 and chokidar 5 drops edits. */
const SAVED_AFTER_MS = 100
const SAVED_POLL_MS = 20

/** Wakes somebody up when `status.json` may have changed. What has really happened, the content alone tells. */
export class Watcher {
  readonly #timer: NodeJS.Timeout
  readonly #events: FSWatcher

  /**
   * @param wake called after every event, and every 2 seconds without any
   * @param onError called when the system cannot tell of events; the look every 2 seconds goes on
   */
  constructor(directory: string, wake: () => void, onError: (error: unknown) => void) {
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
    this.#events.on('all', wake).on('error', onError)
    this.#timer = setInterval(wake, LOOK_EVERY_MS)
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#events.close()
  }
}
