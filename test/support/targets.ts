import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { formatTime } from '../../src/status/time.ts'
import { directory } from './directory.ts'
import { snapshotOf } from './snapshots.ts'

export const DAY = 24 * 3600 * 1000

/** What CI posts if it could not check a target. */
export function failedCheckOf(
  { server }: { server: string },
  reason = 'ssh: no route to host',
  at = minutesAgo(1),
): object {
  const pipeline = 'https://ci.example.net/failed'
  return { repo: 'rsyslog', server, check_failed: reason, attempted_at: at, pipeline_url: pipeline }
}

/** One target in each state, which is also its name. */
export const EACH_STATE = [
  snapshotOf({ server: 'synced' }),
  snapshotOf({ server: 'stale' }, ['x', 'y'], formatTime(Date.now() - DAY)),
  failedCheckOf({ server: 'missing' }, 'no such host', minutesAgo(60)),
  snapshotOf({ server: 'failing' }, [], minutesAgo(9)),
  failedCheckOf({ server: 'failing' }),
  snapshotOf({ server: 'drifted' }, ['x']),
  snapshotOf({ server: 'accepted' }, ['x']),
]

/** A difference that is not a file. */
export function other(name: string): object {
  return { name, kind: 'other' }
}

/** A target that differs in this. */
export function differing(server: string, files: readonly object[], others: object = {}): object {
  return {
    ...snapshotOf({ server }),
    sync_status: 'OUT_OF_SYNC',
    drift_count: files.length,
    files,
    ...others,
  }
}

/** A rule of `accepted`. */
export function ruleOf(rule: object): object {
  return { until: formatTime(Date.now() + 30 * DAY), reason: 'ticket 123', ...rule }
}

/** A directory with a document that has only what people write at its top. */
export function withHead(t: Test, head: object): string {
  const dataDir = directory(t)
  writeFileSync(join(dataDir, 'status.json'), JSON.stringify({ ...head, statuses: [] }))
  return dataDir
}

export function minutesAgo(minutes: number): string {
  return formatTime(Date.now() - minutes * 60_000)
}

/** A state that a target was in from so many days ago on, as a row of the history. */
export function stateAgo(days: number, state: string | null, row: object = {}): object {
  return {
    time: formatTime(Date.now() - days * DAY),
    repo: 'rsyslog',
    server: 'lab',
    state,
    sync_status: state === 'drifted' || state === 'accepted' ? 'OUT_OF_SYNC' : state === null ? null : 'SYNCED',
    drift_count: 0,
    files: [],
    stale: state === 'stale',
    generation: 1,
    changes: ['status_changed'],
    cause: 'snapshot',
    ...row,
  }
}

/** A directory with a document and a history. */
export function withHistory(t: Test, document: object, rows: readonly object[]): string {
  const dataDir = directory(t)
  writeFileSync(join(dataDir, 'status.json'), JSON.stringify(document))
  writeFileSync(join(dataDir, 'history.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return dataDir
}
