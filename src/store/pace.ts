/**
 * Bytes of documents written in a second while few requests share a commit. That is half of what an ordinary cloud volume
 * takes (AWS EBS gp3: 125 MiB/s at no extra cost).
 */
const BYTES_PER_SECOND = 64 * 1024 * 1024
/** A smaller document is never delayed: to write it costs a disk less than the fsync that follows. */
const DELAYED_FROM_BYTES = 1024 * 1024
/** Bytes that a commit may write for each request that it serves without being delayed. */
const BYTES_PER_REQUEST = 64 * 1024
/** The longest delay, in ms. */
const PAUSE_MAX_MS = 1000

/**
 * When the next commit may start. A commit writes the whole document, so commits of a large document do not follow one
 * another at once while few requests share each. A commit after a quiet time, or of a small document, is never delayed.
 */
export class Pace {
  #bytes = 0
  /** On the clock of `performance.now()`. */
  #notBefore = 0
  #start: (() => void) | undefined

  /** Notes that a commit that writes so many bytes starts. */
  commitStarted(bytes: number): void {
    this.#bytes = bytes
    const pause = bytes < DELAYED_FROM_BYTES ? 0 : Math.min((bytes / BYTES_PER_SECOND) * 1000, PAUSE_MAX_MS)
    this.#notBefore = performance.now() + pause
  }

  /** Resolves when the next commit may start. `waiting` is the number of requests that wait for it. */
  async waitTurn(waiting: number): Promise<void> {
    const pause = this.#notBefore - performance.now()
    if (pause <= 0 || this.#isWorthwhile(waiting)) return
    await new Promise<void>((start) => {
      const timer = setTimeout(start, pause)
      this.#start = () => {
        clearTimeout(timer)
        start()
      }
    })
    this.#start = undefined
  }

  /** Notes that one more request waits; `waiting` is their number now. */
  requestAdded(waiting: number): void {
    if (this.#isWorthwhile(waiting)) this.#start?.()
  }

  /** Ends the present delay. */
  release(): void {
    this.commitStarted(0)
    this.#start?.()
  }

  #isWorthwhile(waiting: number): boolean {
    return waiting * BYTES_PER_REQUEST >= this.#bytes
  }
}
