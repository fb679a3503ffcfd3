import type { Actor } from './document.ts'
import type { Draft } from './draft.ts'
import type { Snapshot, Status } from './schema.ts'
import { AHEAD_MAX_MS, timeOf } from './time.ts'

/** The result of one posted snapshot. */
export interface Receipt {
  readonly result: 'created' | 'updated' | 'ignored'
  /** Why it was ignored. */
  readonly reason?: string
  /** The target's entry after the commit. */
  readonly status: Status
}

/**
 * Merges a snapshot into the entry of its target. Its properties replace the entry's; properties that it does not have
 * stay. A snapshot whose `last_check` is older than the entry's is ignored: CI runs overlap and arrive late.
 */
export function mergeSnapshot(draft: Draft, snapshot: Snapshot, by?: Actor): Receipt {
  const before = draft.get(snapshot)?.status
  if (before !== undefined && isNewerCheck(before, snapshot, draft.clock.now)) {
    return { result: 'ignored', reason: `last_check is older than the entry's, ${before.last_check}`, status: before }
  }
  const status = draft.put({ ...before, ...snapshot }, { origin: 'snapshot', by })
  return { result: before === undefined ? 'created' : 'updated', status }
}

/**
 * True if a check is newer than another. A check in an impossible future, which only a person can have written, is newer
 * than none: it must not shut out real checks until then.
 */
export function isNewerCheck(check: Checked, than: Checked, now: number): boolean {
  const lastCheck = timeOf(check.last_check)
  return lastCheck > timeOf(than.last_check) && lastCheck <= now + AHEAD_MAX_MS
}

type Checked = Pick<Snapshot, 'last_check'>
