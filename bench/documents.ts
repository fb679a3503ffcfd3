import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readDocument } from '../src/status/saved-document.ts'
import type { SavedStatus } from '../src/status/schema.ts'
import { snapshotOf } from '../test/support/snapshots.ts'
import { startOurs } from './contenders.ts'
import type { Write, WriteResult } from './load.ts'
import { work } from './setup.ts'

/** The server of a target, by its number. */
export function nameOf(target: number): string {
  return `server-${String(target).padStart(6, '0')}`
}

/** A directory with a document of so many targets, a few of which have drifted, as this server writes it. */
export async function directoryWith(targets: number): Promise<string> {
  const directory = join(work, `targets-${targets}-${Math.random().toString(36).slice(2)}`)
  mkdirSync(directory)
  const statuses = Array.from({ length: targets }, (_, index) =>
    snapshotOf({ server: nameOf(index) }, index % 20 === 0 ? ['rsyslog.conf'] : []),
  )
  writeFileSync(join(directory, 'status.json'), JSON.stringify({ statuses }))
  const server = await startOurs(directory)
  await server.stop()
  return directory
}

export function statusesIn(directory: string): readonly SavedStatus[] {
  const file = join(directory, 'status.json')
  const outcome = readDocument(readFileSync(file), Date.now())
  if (!outcome.ok) throw new Error(`${file} is broken`)
  return outcome.value.statuses
}

/** A snapshot of a target, with a mark to find it again by. */
export function postOf(target: number, mark: number): Write {
  const body = JSON.stringify({ ...snapshotOf({ server: nameOf(target) }), mark })
  return { path: '/api/status', method: 'POST', type: 'application/json', body }
}

/** @throws where the file does not have an acknowledged snapshot, or has an older one of its target */
export function checkAcknowledged(directory: string, { acknowledged }: WriteResult): void {
  const marks = new Map(statusesIn(directory).map((status) => [status.server, Number(status['mark'] ?? 0)]))
  const missing = [...acknowledged].filter(([target, mark]) => (marks.get(nameOf(target)) ?? 0) < mark).length
  if (missing > 0) throw new Error(`${missing} acknowledged snapshots are missing`)
}
