import { type Fault, type Outcome, limitFaults, pointTo } from './json.ts'
import { type Snapshot, snapshotSchema } from './schema.ts'
import { formatTime, parseTime } from './time.ts'
import { validator } from './validation.ts'

/**
 * How far a `last_check` may be ahead of the server's clock, in ms. Clocks differ; but a time far ahead would
 * make every later snapshot look older than it is.
 */
export const AHEAD_MAX_MS = 5 * 60_000

/** How many items an array in a post may have; a body of 1 MiB of `[0,0,…]` would otherwise earn 500,000 faults. */
const ITEMS_MAX = 10_000

const isSnapshot = validator<Snapshot>(snapshotSchema)

/**
 * Checks what was posted: one snapshot or an array of them. All are good, or none is taken.
 * Times come back as UTC whole seconds, and what only the server stamps is dropped.
 *
 * @param body the parsed body
 * @param now milliseconds since the epoch
 */
export function readSnapshots(body: unknown, now: number): Outcome<Snapshot[]> {
  const limits = limitFaults(body, ITEMS_MAX)
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
  const faults = contradictions(value, pointer)
  if (lastCheck > now + AHEAD_MAX_MS) {
    const detail = `must not be more than 5 minutes ahead of the server's clock, which is at ${formatTime(now)}`
    faults.push({ pointer: pointTo(pointer, 'last_check'), detail })
  }
  if (faults.length > 0) return { ok: false, faults }

  const { since: _since, stale: _stale, generation: _generation, ...carried } = value
  const files = value.files.map(({ since: _first, ...file }) => file)
  return { ok: true, value: [{ ...carried, files, last_check: formatTime(lastCheck) }] }
}

/** `sync_status`, `drift_count` and `files` say one thing; these are the places where they do not. */
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
    const detail = `must be ${expected} where files has ${files.length === 0 ? 'none' : 'any'}`
    faults.push({ pointer: pointTo(pointer, 'sync_status'), detail })
  }
  return faults
}

/** The milliseconds of a time that the schema has let through. */
export function timeOf(text: string): number {
  return parseTime(text) ?? Number.NaN
}
