import { formatTime } from '../../src/status/time.ts'

/**
 * A line of `history.jsonl` as version 0.1 has written it: a target in sync, drifted in some files, or removed (null).
 *
 * @param time in ms since the epoch
 */
export function historyLine(time: number, repo: string, server: string, files: readonly string[] | null): string {
  const row = {
    time: formatTime(time),
    repo,
    server,
    sync_status: files === null ? null : files.length === 0 ? 'SYNCED' : 'OUT_OF_SYNC',
    drift_count: files?.length ?? 0,
    files: files ?? [],
    stale: false,
    generation: 1,
    changes: ['status_changed'],
    cause: 'snapshot',
  }
  return `${JSON.stringify(row)}\n`
}
