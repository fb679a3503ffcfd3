/** Runs a piece of work again and again: once at a time, and once more for everything that happened meanwhile. */
export class Scheduler {
  readonly #work: () => Promise<void>
  #isAwake = false
  #running: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  /** The time at which the timer fires, on the clock of `performance.now()`. */
  #timerAt = Infinity
  #stopped = false

  /** @param work must not throw */
  constructor(work: () => Promise<void>) {
    this.#work = work
  }

  /** Runs the work now, or once more after the run that is under way. */
  wake(): void {
    if (this.#stopped) return
    this.#isAwake = true
    this.#running ??= this.#run()
  }

  /** Wakes after some ms, if nothing wakes it sooner. */
  wakeIn(ms: number): void {
    if (ms <= 0) {
      this.wake()
      return
    }
    const at = performance.now() + ms
    if (at >= this.#timerAt) return
    clearTimeout(this.#timer)
    this.#timerAt = at
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity
      this.wake()
    }, ms).unref()
  }

  /** Finishes what has to be done now; nothing runs afterwards. */
  async stop(): Promise<void> {
    this.wake()
    await this.#running
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #run(): Promise<void> {
    while (this.#isAwake) {
      this.#isAwake = false
      await this.#work()
    }
    this.#running = undefined
  }
}
