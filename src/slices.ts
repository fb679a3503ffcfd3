import { setImmediate as nextTurn } from 'node:timers/promises'

/** How long work may take before others have a turn, in ms. */
const SLICE_MS = 5
/**
 * The same for what a client asked for and waits for: of all that waits, such work is the shortest, and it would wait for
 * the others after each slice.
 */
export const ANSWER_SLICE_MS = 25

/** Divides long work into slices: between two of them the event loop does everything else that waits. */
export class Slices {
  readonly #ms: number
  #began = performance.now()

  constructor(ms = SLICE_MS) {
    this.#ms = ms
  }

  /** True if the slice has taken long enough. Work of many small steps asks, since a call of `next` takes longer than this. */
  get isOver(): boolean {
    return performance.now() - this.#began >= this.#ms
  }

  /** Ends the slice if it has taken long enough. */
  async next(): Promise<void> {
    if (!this.isOver) return
    await nextTurn()
    this.#began = performance.now()
  }
}

/** Runs work that yields often, in slices. */
export async function inSlices<T>(work: Iterator<undefined, T>, ms?: number): Promise<T> {
  const slices = new Slices(ms)
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
    if (slices.isOver) await slices.next()
  }
}
