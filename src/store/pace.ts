/**
 * How much of a document is written in a second while few requests share a commit, in bytes. With its copy that is half
 * of what an ordinary cloud volume takes (AWS EBS gp3: 125 MiB/s without paying for more).
 */
const BYTES_PER_SECOND = 32 * 1024 * 1024
/** What a commit may write for each request that it serves without being put off, in bytes. */
const BYTES_PER_REQUEST = 64 * 1024
/** Nobody waits longer than this for others to share a commit with, in ms. */
const PAUSE_MAX_MS = 1000

/**
 * When the next commit may begin. A commit writes the whole document: those of a large one do not follow upon each other
 * at once while few requests share each. A commit after a quiet time, or of a small document, never waits.
 */
export class Pace {
  #bytes = 0
  /** On the clock of `performance.now()`. */
  #notBefore = 0
  #begin: (() => void) | undefined

  /** A commit that writes so many bytes begins. */
  began(bytes: number): void {
    this.#bytes = bytes
    this.#notBefore = performance.now() + Math.min((bytes / BYTES_PER_SECOND) * 1000, PAUSE_MAX_MS)
  }

  /** Resolves when the next commit may begin, with so many requests that wait already. */
  async turn(waiting: number): Promise<void> {
    const pause = this.#notBefore - performance.now()
    if (pause <= 0 || this.#isWorthIt(waiting)) return
    await new Promise<void>((begin) => {
      const timer = setTimeout(begin, pause)
      this.#begin = () => {
        clearTimeout(timer)
        begin()
      }
    })
    this.#begin = undefined
  }

  /** One more request waits: with it there are so many. */
  arrived(waiting: number): void {
    if (this.#isWorthIt(waiting)) this.#begin?.()
  }

  /** Puts nothing off any longer. */
  end(): void {
    this.began(0)
    this.#begin?.()
  }

  #isWorthIt(waiting: number): boolean {
    return waiting * BYTES_PER_REQUEST >= this.#bytes
  }
}
