import type { SavedStatus } from './schema.ts'
import { AHEAD_MAX_MS, timeOf } from './snapshot.ts'

type Checked = Pick<SavedStatus, 'last_check' | 'stale_after'>

/**
 * Whether a status can no longer be trusted: its last check is older than it should be, or lies in a future
 * in which no check can have been made.
 *
 * @param now milliseconds since the epoch
 * @param staleAfter seconds, for a status without its own
 */
export function isStale(status: Checked, now: number, staleAfter: number): boolean {
  const { from, until } = freshSpan(status, staleAfter)
  return now < from || now > until
}

/** When `isStale` will next change by itself, in milliseconds since the epoch; Infinity where it never will. */
export function flipsAt(status: Checked, now: number, staleAfter: number): number {
  const { from, until } = freshSpan(status, staleAfter)
  if (now < from) return from
  return now > until ? Infinity : until + 1
}

function freshSpan(status: Checked, staleAfter: number): { from: number; until: number } {
  const lastCheck = timeOf(status.last_check)
  return { from: lastCheck - AHEAD_MAX_MS, until: lastCheck + (status.stale_after ?? staleAfter) * 1000 }
}
