import { type Fault, type Outcome, limitFaults, pointTo } from './json.ts'
import { postedNameFaults } from './names.ts'
import { PATTERN_MESSAGES, POSTED_ITEMS_MAX, type Snapshot, snapshotSchema } from './schema.ts'
import { withoutFileStamps, withoutStamps } from './stamps.ts'
import { AHEAD_MAX_MS, formatTime, timeOf } from './time.ts'
import { validator } from './validation.ts'

const isSnapshot = validator<Snapshot>(snapshotSchema, PATTERN_MESSAGES)

/**
 * Checks a posted body: one snapshot or an array of them. If one is invalid, none is accepted.
 * Times come back as UTC, whole seconds, and the server's stamps are dropped.
 *
 * @param body the parsed body
 * @param now milliseconds since the epoch
 */
export function readSnapshots(body: unknown, now: number): Outcome<Snapshot[]> {
  const limits = limitFaults(body, POSTED_ITEMS_MAX)
  if (limits.length > 0) return { ok: false, faults: limits }
  if (!Array.isArray(body)) return readSnapshot(body, '', now)
  if (body.length === 0) {
    return { ok: false, faults: [{ pointer: '', detail: 'must hold at least one snapshot' }] }
  }
  const outcomes = body.map((item: unknown, index) => readSnapshot(item, pointTo('', index), now))
  const faults = outcomes.flatMap((outcome) => (outcome.ok ? [] : outcome.faults))
  if (faults.length > 0) return { ok: false, faults }
  return { ok: true, value: outcomes.flatMap((outcome) => (outcome.ok ? outcome.value : [])) }
}

function readSnapshot(value: unknown, pointer: string, now: number): Outcome<Snapshot[]> {
  if (!isSnapshot(value)) return { ok: false, faults: isSnapshot.faults(pointer) }
  const lastCheck = timeOf(value.last_check)
  const faults = [
    ...postedNameFaults(value, pointer),
    ...sameFileFaults(value, pointer),
    ...contradictions(value, pointer),
  ]
  if (lastCheck > now + AHEAD_MAX_MS) {
    const detail = `must not be more than 5 minutes ahead of the server's clock, which is at ${formatTime(now)}`
    faults.push({ pointer: pointTo(pointer, 'last_check'), detail })
  }
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

/** The places in which `sync_status`, `drift_count` and `files` contradict each other. */
export function contradictions(
  snapshot: Pick<Snapshot, 'sync_status' | 'drift_count' | 'files'>,
  pointer: string,
): Fault[] {
  const faults: Fault[] = []
  const { sync_status: syncStatus, drift_count: driftCount, files } = snapshot
  if (driftCount !== files.length) {
    const detail = `must be the length of files, which is ${files.length}`
    faults.push({ pointer: pointTo(pointer, 'drift_count'), detail })
  }
  const expected = files.length === 0 ? 'SYNCED' : 'OUT_OF_SYNC'
  if (syncStatus !== expected) {
    const detail = `must be ${expected} because files is ${files.length === 0 ? 'empty' : 'not empty'}`
    faults.push({ pointer: pointTo(pointer, 'sync_status'), detail })
  }
  return faults
}
