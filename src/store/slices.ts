import { setImmediate } from 'node:timers/promises'

/** The time for which a long computation may keep others waiting, in ms. */
const SLICE_MS = 10

/** Lets others work between two parts of a long computation. */
export async function othersTurn(): Promise<void> {
  await setImmediate()
}

/** Runs a computation that yields often, and lets others work before it and from time to time. */
export async function inSlices<T>(steps: Iterator<undefined, T>): Promise<T> {
  await othersTurn()
  let since = performance.now()
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    if (performance.now() - since < SLICE_MS) continue
    await othersTurn()
    since = performance.now()
  }
}
