import { type Actor, neverChecked } from './document.ts'
import type { Draft } from './draft.ts'
import type { FailedCheck, SavedStatus, Snapshot, Status } from './schema.ts'
import { AHEAD_MAX_MS, timeOf } from './time.ts'

/** The result of one posted snapshot or failed check. */
export interface Receipt {
  readonly result: 'created' | 'updated' | 'ignored'
  /** The reason why it was ignored. */
  readonly reason?: string
  /** The target's entry after the commit. */
  readonly status: Status
}

/** Merges what CI has posted into the entry of its target. */
export function mergePosted(draft: Draft, posted: Snapshot | FailedCheck, by?: Actor): Receipt {
  return isFailedCheck(posted) ? mergeFailedCheck(draft, posted, by) : mergeSnapshot(draft, posted, by)
}

function isFailedCheck(posted: Snapshot | FailedCheck): posted is FailedCheck {
  return 'check_failed' in posted
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
  const merged = withFailure({ ...before, ...snapshot, ...labelsOf(before, snapshot) }, before?.failed_check)
  const status = draft.put(merged, { origin: 'snapshot', by })
  return { result: before === undefined ? 'created' : 'updated', status }
}

/** Labels that people have added in the file stay. */
function labelsOf(before: Labelled | undefined, posted: Labelled): Labelled {
  const labels = { ...before?.labels, ...posted.labels }
  return posted.labels === undefined ? {} : { labels }
}

/**
 * Notes a failed check in the entry of its target. The verdict and its times stay. One that is not newer than the last
 * check is ignored.
 */
function mergeFailedCheck(draft: Draft, failure: FailedCheck, by?: Actor): Receipt {
  const { check_failed: reason, attempted_at: at, pipeline_url: pipelineUrl, ...others } = failure
  const before = draft.get(failure)?.status
  if (before !== undefined && before.last_check !== null && !isLater(at, before.last_check)) {
    const ignored = `attempted_at is not newer than last_check, ${before.last_check}`
    return { result: 'ignored', reason: ignored, status: before }
  }
  const newest = { since: at, at, reason, ...(pipelineUrl === undefined ? {} : { pipeline_url: pipelineUrl }) }
  const status = draft.put(
    {
      ...(before ?? neverChecked(failure)),
      ...others,
      ...labelsOf(before, failure),
      failed_check: joined(before?.failed_check, newest),
    },
    { origin: 'snapshot', by },
  )
  return { result: before === undefined ? 'created' : 'updated', status }
}

/**
 * True if a check is newer than another. A check in an impossible future, which only a person can have written, is newer
 * than none: it must not shut out real checks until then.
 */
export function isNewerCheck(check: Checked, than: Checked, now: number): boolean {
  if (check.last_check === null) return false
  if (than.last_check === null) return true
  return isLater(check.last_check, than.last_check) && timeOf(check.last_check) <= now + AHEAD_MAX_MS
}

/** The failed checks that are newer than a last check; `undefined` if none is. */
function failedAfter(failed: FailedChecks | undefined, lastCheck: string | null): FailedChecks | undefined {
  if (failed === undefined || lastCheck === null) return failed
  if (!isLater(failed.at, lastCheck)) return undefined
  return isLater(failed.since, lastCheck) ? failed : { ...failed, since: failed.at }
}

/** True if CI has checked a target, or tried to, after an earlier status of it. */
export function isReportedSince(status: Reported, before: Reported, now: number): boolean {
  return isNewerCheck(status, before, now) || hasFailedSince(status, before)
}

/** True if CI has tried to check a target after an earlier status of it, and failed. */
export function hasFailedSince({ failed_check: failed }: Failed, { failed_check: before }: Failed): boolean {
  return failed !== undefined && (before === undefined || isLater(failed.at, before.at))
}

/** A status with these failed checks, as far as they are newer than its last check. */
export function withFailure(status: SavedStatus, failed: FailedChecks | undefined): SavedStatus {
  const { failed_check: former, ...others } = status
  const after = failedAfter(failed, status.last_check)
  if (after === undefined) return former === undefined ? status : others
  return { ...others, failed_check: after }
}

/** Two failed checks of the same unbroken row: the newest, since the first. */
function joined(before: FailedChecks | undefined, next: FailedChecks): FailedChecks {
  if (before === undefined) return next
  const since = isLater(before.since, next.since) ? next.since : before.since
  return { ...(isLater(before.at, next.at) ? before : next), since }
}

type Checked = Pick<SavedStatus, 'last_check'>
type Failed = Pick<SavedStatus, 'failed_check'>
type Labelled = Pick<SavedStatus, 'labels'>
type Reported = Checked & Failed
type FailedChecks = NonNullable<SavedStatus['failed_check']>

function isLater(time: string, than: string): boolean {
  return timeOf(time) > timeOf(than)
}
