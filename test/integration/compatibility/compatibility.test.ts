import { spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { formatTime } from '../../../src/status/time.ts'
import { posting } from '../../support/api.ts'
import { directory } from '../../support/directory.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { needs } from '../../support/machine.ts'
import { type Server, fileOf, serve } from '../../support/server.ts'
import { DRIFTED, snapshotOf } from '../../support/snapshots.ts'

/** What a server of version 0.1 has written. */
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const IN = (seconds: number): string => formatTime(Date.now() + seconds * 1000)

function jq(selector: string, server: Server): unknown[] {
  const { status, stdout, stderr } = spawnSync('gojq', ['-c', selector, server.file], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return stdout
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown)
}

t.test('a directory of version 0.1: all of it is there, and has its states', async (t) => {
  const dataDir = directory(t)
  for (const name of ['status.json', 'status.copy.json']) copyFileSync(here('status-0.1.json'), join(dataDir, name))
  copyFileSync(here('history-0.1.jsonl'), join(dataDir, 'history.jsonl'))
  const server = await serve(t, dataDir)
  const before = JSON.parse(readFileSync(here('status-0.1.json'), 'utf8')) as { statuses: Record<string, unknown>[] }
  await eventually(() => matches(fileOf(server).summary, { state: 'stale', targets: 2, stale: 1, synced: 1 }))
  const { statuses } = fileOf(server)
  for (const [index, status] of before.statuses.entries()) {
    const { generation: _generation, ...kept } = status
    t.match(statuses[index], kept, 'every property is kept')
  }
  t.match(statuses, [{ state: 'synced' }, { state: 'stale' }])
  t.match((await ask(`${server.url}/api/history`)).json, [{ server: 'web-1' }, { server: 'rsyslog-lab' }])
  t.match(
    await post(server.url, DRIFTED),
    { status: 200, json: { result: 'updated' } },
    'its snapshot is posted as ever',
  )
})

t.test('readers of version 0.1 on a document with all that is new', needs('gojq'), async (t) => {
  const server = await serve(t)
  await post(server.url, [
    snapshotOf({ server: 'synced' }, [], IN(-5)),
    snapshotOf({ server: 'drifted' }, ['a', 'b'], IN(-5)),
    snapshotOf({ server: 'accepted' }, ['a'], IN(-5)),
    { ...snapshotOf({ server: 'failing' }, [], IN(-9)), labels: { env: 'prod' } },
    { repo: 'rsyslog', server: 'failing', check_failed: 'unreachable', attempted_at: IN(-1) },
    { repo: 'rsyslog', server: 'missing', check_failed: 'unreachable', attempted_at: IN(-4000) },
  ])
  await ask(`${server.url}/api/accepted`, posting({ server: 'accepted', until: IN(60), reason: 'x' }))
  t.equal(jq('.statuses[]', server).length, 5)
  t.same(jq('[.statuses[] | select(.sync_status == "OUT_OF_SYNC") | .server]', server), [['accepted', 'drifted']])
  t.same(jq('.statuses[] | select(.server == "missing") | .stale', server), [true], 'no reader takes it for in sync')
  const selectors = JSON.parse(readFileSync(here('selectors-0.1.json'), 'utf8')) as string[]
  t.ok(selectors.length > 3)
  for (const selector of selectors) {
    const filled = selector.replaceAll('${repo:json}', '"rsyslog"').replaceAll('${server:json}', '"drifted","missing"')
    t.ok(jq(filled, server).length > 0, selector)
  }
})

t.test('a server of version 0.1 that runs on the same directory is named in the log, once', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const edit = async (note: string): Promise<void> => {
    writeFileSync(server.file, JSON.stringify({ ...fileOf(server), note }))
    await eventually(() => matches(readFileSync(server.file, 'utf8').includes(`\n  "note": "${note}"`), true))
  }
  const named = (): number => server.lines.filter(({ msg }) => msg.startsWith('a server of version 0.1 runs')).length
  await edit('by hand')
  t.equal(named(), 0)
  writeFileSync(join(server.dataDir, 'status.copy.json'), readFileSync(server.file))
  await edit('by 0.1')
  await edit('by 0.1 again')
  t.equal(named(), 1)
})
