import t from 'tap'
import { post } from '../../support/http.ts'
import { type Line, type Server, serve } from '../../support/server.ts'
import { snapshotOf } from '../../support/snapshots.ts'
import { CI, bearer, guarded } from '../../support/tokens.ts'

const OLD = 'update-gitops-status/0.1.9'

t.test('an old reporter: one line for each repository, which says what to do', async (t) => {
  const server = await serve(t)
  for (const repo of ['rsyslog', 'nginx', 'rsyslog']) t.equal(await send(server, OLD, repo), 201)
  t.equal(await send(server, 'gitops-report/0.1.0', 'rsyslog'), 201)
  t.equal(await send(server, 'gitops-report/0.1.0', 'dns'), 201)
  t.match(warnings(server), [
    {
      level: 'warn',
      repo: 'rsyslog',
      reporter: 'update-gitops-status',
      version: '0.1.9',
      oldestSafe: '0.2.0',
      detail: 'replace the reporter in this repository with reporter/update-gitops-status.sh of version 0.2.0 or later',
    },
    { repo: 'nginx' },
    { repo: 'dns', reporter: 'gitops-report', detail: /reporter\/report\.sh/ },
  ])
  t.equal(warnings(server).length, 3)
})

t.test('an old reporter: versions are compared number by number', async (t) => {
  const server = await serve(t)
  const old = ['0.1.0', '0.1.10', '0.0.9', '0.1', '0', '00.1.99999', '0.1.9 curl/8.5.0']
  for (const version of old) await send(server, `update-gitops-status/${version}`, `old ${version}`)
  t.same(
    warnings(server).map(({ repo }) => repo),
    old.map((version) => `old ${version}`),
  )
})

t.test('no line for a safe version, another client, or a header that is no version of a reporter', async (t) => {
  const server = await serve(t)
  const quiet = [
    ...['0.2.0', '0.2', '0.2.1', '0.10.0', '1', '1.0.0', '10.1.9'].map((each) => `update-gitops-status/${each}`),
    'gitops-report/0.2.0',
    'curl/7.88.1',
    'my-update-gitops-status/0.1.0',
    'curl/7.88.1 update-gitops-status/0.1.0',
    'update-gitops-status',
    'update-gitops-status/',
    'update-gitops-status/0.1.0.0',
    'update-gitops-status/0.1.x',
    'update-gitops-status/0.1.0-rc.1',
    `update-gitops-status/0.1.${'0'.repeat(10_000)}`,
    `${' '.repeat(10)}x`.padEnd(10_000, '0'),
  ]
  for (const [index, userAgent] of quiet.entries()) t.equal(await send(server, userAgent, `repo-${index}`), 201)
  t.equal((await post(server.url, snapshotOf({ repo: 'no header' }))).status, 201)
  t.same(warnings(server), [])
})

t.test('an old reporter: a post that is refused is no report', async (t) => {
  const server = await guarded(t)
  const headers = { 'User-Agent': OLD }
  t.equal((await post(server.url, snapshotOf({}), { headers })).status, 401)
  const outside = snapshotOf({ repo: 'nginx' })
  t.equal((await post(server.url, outside, { headers: { ...headers, ...bearer(CI) } })).status, 403)
  t.equal((await post(server.url, { repo: 'rsyslog' }, { headers: { ...headers, ...bearer(CI) } })).status, 422)
  t.same(warnings(server), [])
  t.equal((await post(server.url, snapshotOf({}), { headers: { ...headers, ...bearer(CI) } })).status, 201)
  t.equal(warnings(server).length, 1)
})

t.test('an old reporter: no more than 1000 repositories are remembered, and none is logged twice', async (t) => {
  const server = await serve(t)
  const many = Array.from({ length: 1001 }, (_, index) => snapshotOf({ repo: `repo-${index}` }))
  for (let times = 0; times < 2; times += 1) {
    t.match(await post(server.url, many, { headers: { 'User-Agent': OLD } }), { status: times === 0 ? 201 : 200 })
  }
  t.equal(await send(server, OLD, 'another'), 201)
  t.same(
    warnings(server).map(({ repo }) => repo),
    many.slice(0, 1000).map(({ repo }) => repo),
  )
})

let servers = 0

/** Posts a new target of a repository, so that the answer is 201. */
async function send(server: Server, userAgent: string, repo: string): Promise<number> {
  servers += 1
  const snapshot = snapshotOf({ repo, server: `server-${servers}` })
  return (await post(server.url, snapshot, { headers: { 'User-Agent': userAgent } })).status
}

function warnings({ lines }: Server): Line[] {
  return lines.filter(({ msg }) => msg === 'reporter is too old')
}
