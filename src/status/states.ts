import type { SavedStatus, State, Status, Summary } from './schema.ts'
import { STATES } from './schema.ts'
import { AHEAD_MAX_MS, type Clock, timeOf } from './time.ts'

/** A time span in ms since the epoch, both ends included. */
interface Span {
  readonly from: number
  readonly until: number
}

const NEVER: Span = { from: -Infinity, until: -Infinity }

/**
 * True if a status can no longer be trusted: its last check is older than it should be, or lies in a future in which no
 * check can have run, or there was none.
 */
export function isStale(status: Checked, { now, staleAfter }: Clock): boolean {
  return !isWithin(freshSpan(status, staleAfter), now)
}

/** When the last check of a status can be trusted. */
export function freshSpan({ last_check: lastCheck, stale_after: own }: Checked, staleAfter: number): Span {
  return lastCheck === null ? NEVER : spanFrom(lastCheck, own ?? staleAfter)
}

/** When the newest failed check of a status says what is. */
export function failingSpan({ failed_check: failed, stale_after: own }: Failed, staleAfter: number): Span {
  return failed === undefined ? NEVER : spanFrom(failed.at, own ?? staleAfter)
}

/** The verdict on a target. The first that applies, in this order. */
export function stateOf(status: Checked & Failed & Pick<SavedStatus, 'sync_status'>, clock: Clock): State {
  if (isWithin(failingSpan(status, clock.staleAfter), clock.now)) return 'failing'
  return stateByCheck(status, isStale(status, clock))
}

/** The verdict on a target of which no check has failed lately. */
export function stateByCheck({ sync_status: syncStatus }: Pick<SavedStatus, 'sync_status'>, stale: boolean): State {
  if (syncStatus === null) return 'missing'
  if (stale) return 'stale'
  return syncStatus === 'SYNCED' ? 'synced' : 'drifted'
}

/** The number of targets in each state, and the worst of them. */
export function summaryOf(statuses: Iterable<Pick<Status, 'state'>>): Summary {
  const counts = { drifted: 0, failing: 0, missing: 0, stale: 0, synced: 0 }
  let targets = 0
  for (const { state } of statuses) {
    counts[state] += 1
    targets += 1
  }
  return { state: STATES.find((state) => counts[state] > 0) ?? 'empty', targets, ...counts }
}

type Checked = Pick<SavedStatus, 'last_check' | 'stale_after'>
type Failed = Pick<SavedStatus, 'failed_check' | 'stale_after'>

function spanFrom(time: string, seconds: number): Span {
  const at = timeOf(time)
  return { from: at - AHEAD_MAX_MS, until: at + seconds * 1000 }
}

function isWithin({ from, until }: Span, now: number): boolean {
  return now >= from && now <= until
}
