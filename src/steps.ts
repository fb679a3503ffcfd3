/** Work that yields often, so that whoever runs it can do something else in between. */
export type Steps<T> = Generator<undefined, T>

/** Runs work without a break. */
export function atOnce<T>(work: Iterator<undefined, T>): T {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}
