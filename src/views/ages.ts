import type { Status } from '../status/schema.ts'
import { AHEAD_MAX_MS, timeOf } from '../status/time.ts'

/**
 * What is to be said at a time, in ms since the epoch: all but the ages is the same as long as the document is.
 */
export type At<T> = (now: number) => T

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

/**
 * When the newest check of some targets was made, in ms since the epoch; -Infinity if there was none. A time in an
 * impossible future says nothing of when the check was made; such a target is stale.
 */
export function newestCheck(statuses: readonly Pick<Status, 'last_check'>[], now: number): number {
  return statuses.reduce((newest, status) => Math.max(newest, checkedAt(status, now)), -Infinity)
}

/** When a target was last checked; -Infinity if it was not, or if the time says nothing. */
export function checkedAt({ last_check: lastCheck }: Pick<Status, 'last_check'>, now: number): number {
  const at = lastCheck === null ? -Infinity : timeOf(lastCheck)
  return at <= now + AHEAD_MAX_MS ? at : -Infinity
}
