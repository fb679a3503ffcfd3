import t from 'tap'
import { checked } from '../../support/api.ts'
import { ask, post } from '../../support/http.ts'
import { serve } from '../../support/server.ts'
import { snapshotOf } from '../../support/snapshots.ts'

t.test('GET /api/summary: the verdict on what matches, in one object', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  const summary = async (query: string): Promise<unknown> => (await http(`/api/summary${query}`)).json
  t.match(await summary(''), { state: 'empty', targets: 0, longest_drift_seconds: null, newest_check_seconds: null })
  await post(server.url, [
    { ...snapshotOf({ server: 'web-1' }, ['a']), labels: { env: 'prod' } },
    { ...snapshotOf({ server: 'web-2' }), labels: { env: 'lab' } },
    snapshotOf({ repo: 'nginx', server: 'web-1' }),
  ])
  t.match(await summary(''), {
    state: 'drifted',
    targets: 3,
    drifted: 1,
    synced: 2,
    longest_drift_seconds: Number,
    newest_check_seconds: Number,
    verdict: '1 target is out of sync (1 new, just now). 2 targets are in sync.',
  })
  t.match(await summary('?repo=nginx'), { state: 'synced', targets: 1, verdict: '1 target is in sync.' })
  t.match(await summary('?repo=rsys*&server={web-2,web-3}'), { state: 'synced', targets: 1 })
  t.match(await summary('?state=drifted,failing'), { state: 'drifted', targets: 1 })
  t.match(await summary('?label=env=prod'), { state: 'drifted', targets: 1 })
  t.match(await summary('?label=env!%3Dprod'), { state: 'synced', targets: 2 })
  t.match(await http('/api/summary?state=broken'), {
    status: 422,
    json: { type: /invalid-query$/, errors: [{ pointer: '/state', detail: /drifted, failing, missing/ }] },
  })
  t.match((await http('/api/summary?limit=1')).json, { errors: [{ pointer: '/limit' }] })
})

t.test('GET /api/summary: an ETag, and pages of any origin may read it', async (t) => {
  const server = await serve(t)
  const { headers } = await ask(`${server.url}/api/summary`)
  t.match(headers, {
    etag: /^(W\/)?"/,
    'access-control-allow-origin': '*',
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-cache',
  })
  const again = await ask(`${server.url}/api/summary`, { headers: { 'If-None-Match': headers.etag ?? '' } })
  t.match(again, { status: 304, headers: { 'access-control-allow-origin': '*' } })
  t.equal((await ask(`${server.url}/api/summary`, { method: 'POST' })).status, 405)
})
