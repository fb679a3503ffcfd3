import { type Fault, type Outcome, limitFaults, pointTo } from './json.ts'
import { postedNameFaults } from './names.ts'
import {
  type FailedCheck,
  PATTERN_MESSAGES,
  POSTED_ITEMS_MAX,
  type SavedStatus,
  type Snapshot,
  VERDICT_NAMES,
  failedCheckSchema,
  snapshotSchema,
} from './schema.ts'
import { withoutFileStamps, withoutStamps } from './stamps.ts'
import { AHEAD_MAX_MS, formatTime, timeOf } from './time.ts'
import { validator } from './validation.ts'

const isSnapshot = validator<Snapshot>(snapshotSchema, PATTERN_MESSAGES)
const isFailedCheck = validator<FailedCheck>(failedCheckSchema, PATTERN_MESSAGES)

/**
 * Checks a posted body: one snapshot or failed check, or an array of them. If one is invalid, none is accepted.
 * Times come back as UTC, whole seconds, and the server's stamps are dropped.
 *
 * @param body the parsed body
 * @param now milliseconds since the epoch
 */
export function readPosted(body: unknown, now: number): Outcome<(Snapshot | FailedCheck)[]> {
  const limits = limitFaults(body, POSTED_ITEMS_MAX)
  if (limits.length > 0) return { ok: false, faults: limits }
  if (!Array.isArray(body)) return readItem(body, '', now)
  if (body.length === 0) {
    return { ok: false, faults: [{ pointer: '', detail: 'must contain at least one snapshot' }] }
  }
  const outcomes = body.map((item: unknown, index) => readItem(item, pointTo('', index), now))
  const faults = outcomes.flatMap((outcome) => (outcome.ok ? [] : outcome.faults))
  if (faults.length > 0) return { ok: false, faults }
  return { ok: true, value: outcomes.flatMap((outcome) => (outcome.ok ? outcome.value : [])) }
}

function readItem(value: unknown, pointer: string, now: number): Outcome<(Snapshot | FailedCheck)[]> {
  const isFailure = typeof value === 'object' && value !== null && Object.hasOwn(value, 'check_failed')
  return isFailure ? readFailedCheck(value, pointer, now) : readSnapshot(value, pointer, now)
}

function readFailedCheck(value: object, pointer: string, now: number): Outcome<FailedCheck[]> {
  const both = VERDICT_NAMES.filter((name) => Object.hasOwn(value, name))
  const detail = 'must not be present with check_failed: a failed check has no verdict'
  const faults: Fault[] = both.map((name) => ({ pointer: pointTo(pointer, name), detail }))
  if (!isFailedCheck(value)) return { ok: false, faults: [...faults, ...isFailedCheck.faults(pointer)] }
  faults.push(...postedNameFaults({ ...value, files: [] }, pointer))
  const at = timeOf(value.attempted_at)
  if (at > now + AHEAD_MAX_MS) faults.push(tooFarAhead(pointTo(pointer, 'attempted_at'), now))
  if (faults.length > 0) return { ok: false, faults }
  return { ok: true, value: [{ ...withoutStamps(value), attempted_at: formatTime(at) }] }
}

function tooFarAhead(pointer: string, now: number): Fault {
  return {
    pointer,
    detail: `must not be more than 5 minutes ahead of the server's clock, which is at ${formatTime(now)}`,
  }
}

function readSnapshot(value: unknown, pointer: string, now: number): Outcome<Snapshot[]> {
  if (!isSnapshot(value)) return { ok: false, faults: isSnapshot.faults(pointer) }
  const lastCheck = timeOf(value.last_check)
  const faults = [
    ...postedNameFaults(value, pointer),
    ...sameFileFaults(value, pointer),
    ...contradictions(value, pointer),
  ]
  if (lastCheck > now + AHEAD_MAX_MS) faults.push(tooFarAhead(pointTo(pointer, 'last_check'), now))
  if (faults.length > 0) return { ok: false, faults }

  const files = value.files.map(withoutFileStamps)
  return { ok: true, value: [{ ...withoutStamps(value), files, last_check: formatTime(lastCheck) }] }
}

/** The files that a snapshot names again. A saved document may: version 0.1 has taken such snapshots. */
function sameFileFaults({ files }: Snapshot, pointer: string): Fault[] {
  const seen = new Map<string, number>()
  return files.flatMap(({ name }, index) => {
    const first = seen.get(name)
    if (first === undefined) {
      seen.set(name, index)
      return []
    }
    return {
      pointer: `${pointer}/files/${index}/name`,
      detail: `must not be the same name as ${pointer}/files/${first}/name`,
    }
  })
}

/** The places in which `sync_status`, `drift_count`, `files` and `last_check` contradict each other. */
export function contradictions(
  snapshot: Pick<SavedStatus, 'sync_status' | 'drift_count' | 'files' | 'last_check'>,
  pointer: string,
): Fault[] {
  const faults: Fault[] = []
  const { sync_status: syncStatus, drift_count: driftCount, files, last_check: lastCheck } = snapshot
  if (driftCount !== files.length) {
    const detail = `must be the length of files, which is ${files.length}`
    faults.push({ pointer: pointTo(pointer, 'drift_count'), detail })
  }
  if (syncStatus === null || lastCheck === null) {
    const unchecked = { sync_status: syncStatus, last_check: lastCheck }
    for (const [name, value] of Object.entries(unchecked)) {
      if (value === null) continue
      faults.push({ pointer: pointTo(pointer, name), detail: 'must be null in a target that was never checked' })
    }
    if (files.length > 0)
      faults.push({ pointer: pointTo(pointer, 'files'), detail: 'must be empty in a target that was never checked' })
    return faults
  }
  const expected = files.length === 0 ? 'SYNCED' : 'OUT_OF_SYNC'
  if (syncStatus !== expected) {
    const detail = `must be ${expected} because files is ${files.length === 0 ? 'empty' : 'not empty'}`
    faults.push({ pointer: pointTo(pointer, 'sync_status'), detail })
  }
  return faults
}
