import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Snapshot } from '../src/status/schema.ts'
import { formatTime } from '../src/status/time.ts'
import { snapshotOf } from '../test/support/snapshots.ts'

const REPOSITORIES = 200
const DAY_MS = 24 * 3600 * 1000

/** The server of a target, by its number. */
export function serverOf(target: number): string {
  return `server-${String(target).padStart(5, '0')}`
}

/** The present status of a target, by its number. */
export function statusOf(target: number, files: readonly string[] = []): Snapshot {
  return snapshotOf({ repo: repoOf(target), server: serverOf(target) }, files)
}

function repoOf(target: number): string {
  return `repo-${String(target % REPOSITORIES).padStart(3, '0')}`
}

/** Makes a directory with so many targets, a few of which have drifted. */
export function makeDirectory(directory: string, targets: number): void {
  mkdirSync(directory)
  const statuses = Array.from({ length: targets }, (_, target) =>
    statusOf(target, target % 50 === 0 ? ['rsyslog.conf'] : []),
  )
  writeFileSync(join(directory, 'status.json'), JSON.stringify({ statuses }))
}

/** Adds a history of some days to a directory, in rows that version 0.1 reads as well. */
export function addHistory(directory: string, targets: number): void {
  const lines = [20, 5, 4, 3].flatMap((daysAgo, change) =>
    Array.from({ length: targets }, (_, target) =>
      JSON.stringify({
        time: formatTime(Date.now() - daysAgo * DAY_MS),
        repo: repoOf(target),
        server: serverOf(target),
        sync_status: change % 2 === 0 ? 'SYNCED' : 'OUT_OF_SYNC',
        drift_count: change % 2,
        files: change % 2 === 0 ? [] : ['rsyslog.conf'],
        stale: false,
        generation: 1,
        changes: ['status_changed'],
        cause: 'snapshot',
      }),
    ),
  )
  writeFileSync(join(directory, 'history.jsonl'), lines.map((line) => `${line}\n`).join(''))
}
