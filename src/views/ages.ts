/** The schema of an age. */
export function ageProperty(description: string): {
  readonly type: readonly ['integer', 'null']
  readonly minimum: 0
  readonly description: string
} {
  return { type: ['integer', 'null'], minimum: 0, description: `${description} In seconds.` }
}

/**
 * The age of a time, in whole seconds; null if there is no such time. The clock of a server that checks may be ahead.
 *
 * @param now in ms since the epoch, as is `time`
 */
export function ageAt(now: number, time: number): number | null {
  return Number.isFinite(time) ? Math.max(0, Math.floor((now - time) / 1000)) : null
}
