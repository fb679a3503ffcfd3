import { readFileSync } from 'node:fs'
import t from 'tap'
import { formatTime } from '../../../src/status/time.ts'
import { checked } from '../../support/api.ts'
import { post } from '../../support/http.ts'
import { fileOf, serve } from '../../support/server.ts'
import { snapshotOf } from '../../support/snapshots.ts'

t.test('GET /api/status: filters', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  const targets = ['a', 'b', 'c'].flatMap((repo) => ['x', 'y'].map((name) => ({ repo, server: name })))
  await post(
    server.url,
    targets.map((target) => snapshotOf(target)),
  )
  const listed = async (query: string): Promise<string> => {
    const { statuses } = (await http(`/api/status${query}`)).json as { statuses: { repo: string; server: string }[] }
    return statuses.map(({ repo, server }) => repo + server).join(' ')
  }
  t.equal(await listed(''), 'ax ay bx by cx cy')
  t.equal(await listed('?repo=a'), 'ax ay')
  t.equal(await listed('?server=x'), 'ax bx cx')
  t.equal(await listed('?repo=b&server=y'), 'by')
  t.equal(await listed('?repo=a&repo=c&server=x'), 'ax cx')
  t.equal(await listed('?repo=nobody'), '')
  t.equal(await listed('?repo=&server='), 'ax ay bx by cx cy', 'empty is not given')
  t.same((await http('/api/status')).body, readFileSync(server.file), 'all of it is the file')
  const { headers } = await http('/api/status?repo=a')
  t.equal((await http('/api/status?repo=a', { headers: { 'If-None-Match': headers.etag ?? '' } })).status, 304)

  t.match((await http('/api/status?repo=a&server=x', { method: 'DELETE' })).json, {
    removed: [{ repo: 'a', server: 'x' }],
  })
  t.equal(await listed(''), 'ay bx by cx cy')
  await http('/api/status?repo=b', { method: 'DELETE' })
  t.equal(await listed(''), 'ay cx cy')
  t.equal(fileOf(server).statuses.length, 3, 'also in the file')
})

t.test('GET /api/status: patterns, states and labels', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  await post(server.url, [
    { ...snapshotOf({ repo: 'a', server: 'web-1' }, ['x']), labels: { env: 'prod', owner: 'team-a' } },
    { ...snapshotOf({ repo: 'a', server: 'web-2' }), labels: { env: 'prod' } },
    { ...snapshotOf({ repo: 'b', server: 'db' }, ['x']), labels: { env: 'lab' } },
    { repo: 'c', server: 'never', check_failed: 'unreachable', attempted_at: formatTime(Date.now()) },
  ])
  const listed = async (query: string): Promise<unknown> => {
    const { statuses, summary } = (await http(`/api/status?${query}`)).json as {
      statuses: { repo: string; server: string }[]
      summary: { targets: number }
    }
    t.equal(summary.targets, statuses.length, 'the summary is of what matches')
    return statuses.map(({ repo, server: name }) => `${repo}/${name}`).join(' ')
  }
  t.equal(await listed('server=web-*'), 'a/web-1 a/web-2')
  t.equal(await listed('repo={a,c}&server=?*-1&server=n*'), 'a/web-1 c/never')
  t.equal(await listed('state=drifted'), 'a/web-1 b/db')
  t.equal(await listed('state=drifted,failing'), 'a/web-1 b/db c/never')
  t.equal(await listed('state=failing&state=synced'), 'a/web-2 c/never')
  t.equal(await listed('label=env=prod'), 'a/web-1 a/web-2')
  t.equal(await listed('label=env%3Dprod,owner'), 'a/web-1')
  t.equal(await listed('label=env&label=env!=prod'), 'b/db')
  t.equal(await listed('state=&label=&server=db'), 'b/db')
  const pointers = async (query: string): Promise<unknown> => {
    const answer = await http(`/api/status?${query}`)
    t.match(answer, { status: 422, json: { type: /invalid-query$/ } })
    return (answer.json as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer)
  }
  t.same(await pointers('state=drifted,brocken'), ['/state'])
  t.same(await pointers('label=1'), ['/label'])
  t.same(await pointers(`repo=${'{a,b}'.repeat(12)}`), ['/repo'])
})

t.test('GET /api/status: pages', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  const names = ['a', 'b', 'c', 'd', 'e']
  await post(
    server.url,
    names.map((name) => snapshotOf({ server: name }, name === 'b' ? [] : ['x'])),
  )
  const page = async (query: string): Promise<[servers: string, targets: number, drifted: number]> => {
    const { statuses, summary } = (await http(`/api/status?${query}`)).json as {
      statuses: { server: string }[]
      summary: { targets: number; drifted: number }
    }
    return [statuses.map(({ server: name }) => name).join(''), summary.targets, summary.drifted]
  }
  t.same(await page('limit=2'), ['ab', 5, 4])
  t.same(await page('limit=2&offset=2'), ['cd', 5, 4])
  t.same(await page('limit=2&offset=4'), ['e', 5, 4])
  t.same(await page('limit=2&offset=5'), ['', 5, 4])
  t.same(await page('offset=3'), ['de', 5, 4])
  t.same(await page('limit=&offset='), ['abcde', 5, 4])
  t.same(await page('state=drifted&limit=2&offset=1'), ['cd', 4, 4], 'of what matches')
  t.same((await http('/api/status?limit=5')).body, readFileSync(server.file), 'a page of all is the file')
  const refused = {
    'limit=0': '/limit',
    'limit=100001': '/limit',
    'limit=two': '/limit',
    'offset=-1': '/offset',
    'offset=1&offset=2': '/offset',
    'format=csv': '/format',
    'page=1': '/page',
  }
  for (const [query, pointer] of Object.entries(refused)) {
    t.match(await http(`/api/status?${query}`), { status: 422, json: { errors: [{ pointer }] } }, query)
  }
})

t.test('DELETE /api/status: names are exact, and only names select', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  await post(server.url, [
    snapshotOf({ server: 'web-1' }),
    snapshotOf({ server: 'web-2' }),
    snapshotOf({ server: '*' }),
  ])
  const remove = async (query: string): Promise<number> =>
    (await http(`/api/status?${query}`, { method: 'DELETE' })).status
  t.equal(await remove('repo=rsys*'), 404)
  t.equal(await remove('server=web-?'), 404)
  t.equal(await remove('server={web-1,web-2}'), 404)
  t.equal(await remove('repo=rsyslog&state=synced'), 422)
  t.equal(await remove('repo=rsyslog&label=env'), 422)
  t.equal(fileOf(server).statuses.length, 3)
  t.equal(await remove('repo=rsyslog&server=*'), 200)
  t.match(fileOf(server).statuses, [{ server: 'web-1' }, { server: 'web-2' }])
})

t.test('GET /api/history: patterns for names, but no state and no label', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  await post(server.url, [
    snapshotOf({ server: 'web-1' }),
    snapshotOf({ server: 'web-2' }),
    snapshotOf({ server: 'db' }),
  ])
  const listed = async (query: string): Promise<unknown> =>
    ((await http(`/api/history?${query}`)).json as { server: string }[]).map(({ server: name }) => name).join(' ')
  t.equal(await listed('server=web-*'), 'web-1 web-2')
  t.equal(await listed('repo=rsys*&server={db,web-2}'), 'db web-2')
  t.equal(await listed('repo=&server='), 'db web-1 web-2')
  for (const [query, pointer] of [
    ['state=drifted', '/state'],
    ['label=env', '/label'],
    [`server=${'{a,b}'.repeat(12)}`, '/server'],
  ] as const) {
    const answer = await http(`/api/history?${query}`)
    t.match(answer, { status: 422, json: { type: /invalid-query$/, errors: [{ pointer }] } }, query)
  }
})
