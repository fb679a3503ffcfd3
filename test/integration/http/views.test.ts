import t from 'tap'
import { checked } from '../../support/api.ts'
import { directory } from '../../support/directory.ts'
import { historyLine } from '../../support/history.ts'
import { ask, eventually, post } from '../../support/http.ts'
import { serve } from '../../support/server.ts'
import { snapshotOf } from '../../support/snapshots.ts'

const DAY = 86_400_000
const NOW = new Date().toISOString()

t.test('views: flat rows of what matches', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  const rows = async (path: string): Promise<Record<string, unknown>[]> =>
    (await http(path)).json as Record<string, unknown>[]

  t.same(await rows('/api/targets'), [])
  t.same(await rows('/api/names?of=server'), [{ name: '*' }], 'never empty')
  await post(server.url, [
    {
      ...snapshotOf({ server: 'web-1' }, ['b.conf', 'a.conf']),
      files: [{ name: 'b.conf', diff: '-x\n+y\n' }, { name: 'a.conf' }, { name: 'service x', kind: 'other' }],
      drift_count: 3,
      labels: { env: 'prod', owner: 'team-a' },
      commit: 'c0ffee',
      branch: 'main',
    },
    { ...snapshotOf({ server: 'web-2' }, ['a.conf']), labels: { env: 'lab' } },
    snapshotOf({ repo: 'nginx', server: 'web-1' }),
    {
      repo: 'nginx',
      server: 'web-9',
      check_failed: 'no route to host',
      attempted_at: NOW,
      pipeline_url: 'https://ci.example.net/9',
    },
  ])

  const targets = await rows('/api/targets')
  t.same(
    targets.map(({ repo, server: name, status, what }) => [repo, name, status, what]),
    [
      ['rsyslog', 'web-1', 'out of sync', 'b.conf, a.conf, service x'],
      ['rsyslog', 'web-2', 'out of sync', 'a.conf'],
      ['nginx', 'web-9', 'check failing', ''],
      ['nginx', 'web-1', 'in sync', ''],
    ],
  )
  t.match(targets[0], {
    since_seconds: Number,
    last_check_seconds: Number,
    commit: 'c0ffee',
    branch: 'main',
    labels: 'env=prod,owner=team-a',
    reason: null,
  })
  t.match(targets[2], { reason: 'no route to host', last_check: null, pipeline_url: 'https://ci.example.net/9' })
  t.match(await rows('/api/targets?sort=name&limit=1'), [{ repo: 'nginx', server: 'web-1' }])
  t.match(await rows('/api/targets?state=failing'), [{ server: 'web-9' }])
  t.match(await rows('/api/targets?label=env=lab'), [{ server: 'web-2' }])
  t.match(await rows('/api/targets?repo={nginx,none}&server=web-1'), [{ repo: 'nginx', server: 'web-1' }])

  t.same(
    (await rows('/api/files?repo=rsyslog&server=web-1')).map(({ name, kind, diff }) => [name, kind, diff]),
    [
      ['b.conf', 'file', '-x\n+y\n'],
      ['a.conf', 'file', null],
      ['service x', 'other', null],
    ],
  )
  t.match(await rows('/api/files?by=file&limit=1'), [{ repo: 'rsyslog', name: 'a.conf', servers: 2 }])
  t.match(await rows('/api/repositories'), [
    { repo: 'rsyslog', targets: 2, drifted: 2, state: 'drifted', newest_reason: null },
    { repo: 'nginx', targets: 2, failing: 1, synced: 1, newest_reason: 'no route to host' },
  ])
  const named = async (query: string): Promise<unknown[]> => (await rows(`/api/names?${query}`)).map(({ name }) => name)
  t.same(await named(''), ['*', 'nginx', 'rsyslog'])
  t.same(await named('of=server&repo=rsyslog'), ['*', 'web-1', 'web-2'])
  t.same(await named('of=label'), ['*', 'env=lab', 'env=prod', 'owner=team-a'])

  t.match((await rows('/api/counts?points=2')).at(-1), { drifted: 2, failing: 1, synced: 1, missing: 0 })
  t.equal((await rows('/api/counts')).length, 240)
  t.same([...new Set((await rows('/api/timeline?repo=nginx')).map(({ server: name }) => name))], ['web-9', 'web-1'])
  t.match(await rows('/api/timeline?by=repository'), [
    { repo: 'rsyslog', state: 'drifted', worst: 2 },
    { repo: 'nginx', state: 'failing', worst: 1 },
  ])
  t.match(await rows('/api/timeline?by=repository&limit=1&server=web-1&repo=nginx'), [
    { repo: 'nginx', state: 'synced' },
  ])
  t.match(await rows('/api/report?repo=nginx'), [
    { server: 'web-1', seconds: 86_400, drifted_seconds: 0 },
    { server: 'web-9', seconds: 86_400, synced_seconds: 0, unknown_seconds: 86_400 },
  ])
})

t.test('views: the timeline of repositories, from the history', async (t) => {
  const midnight = Math.floor(Date.now() / DAY) * DAY - 2 * DAY
  const line = (seconds: number, repo: string, server: string, files: string[] | null): string =>
    historyLine(midnight + seconds * 1000, repo, server, files)
  const history = [
    line(100, 'rsyslog', 'web-1', []),
    line(110, 'rsyslog', 'web-2', []),
    line(200, 'rsyslog', 'web-1', ['a.conf']),
    line(201, 'rsyslog', 'web-1', []),
    line(300, 'nginx', 'web-1', ['b.conf']),
    line(400, 'rsyslog', 'web-1', null),
    line(410, 'rsyslog', 'web-2', null),
    ...Array.from({ length: 21 }, (_, number) => line(600, `more-${number}`, 'web-1', [])),
  ].join('')
  const http = await checked(t, await serve(t, directory(t, { 'history.jsonl': history })))
  const asked = `from=${midnight}&to=${midnight + 500_000}`
  const rows = async (query: string): Promise<unknown[]> =>
    ((await http(`/api/timeline?${asked}&${query}`)).json as Record<string, unknown>[]).map((row) => [
      row['repo'],
      row['state'],
      (Date.parse(String(row['from'])) - midnight) / 1000,
      row['seconds'],
      row['worst'],
    ])
  const rsyslog = [
    ['rsyslog', 'synced', 100, 100, 2],
    ['rsyslog', 'drifted', 200, 1, 1],
    ['rsyslog', 'synced', 201, 209, 2],
  ]
  t.same(await rows('by=repository'), [['nginx', 'drifted', 300, 200, 1], ...rsyslog])
  t.same(await rows('by=repository&limit=1'), [['nginx', 'drifted', 300, 200, 1]])
  t.same(await rows('by=repository&repo=rs*'), rsyslog)
  t.same(await rows('by=repository&server=web-2'), [['rsyslog', 'synced', 110, 300, 1]])
  t.same(await rows('by=target'), await rows(''), 'by default a row for each target')
  t.equal((await rows('')).length, 5)
  const later = await http(`/api/timeline?from=${midnight + 550_000}&to=${midnight + 700_000}&by=repository`)
  t.equal((later.json as object[]).length, 20, 'by default twenty repositories')
  t.match(
    (await http(`/api/timeline?${asked}&by=repository&format=csv`)).text,
    /^repo,state,status,from,to,seconds,worst\r\nnginx,drifted,out of sync,/,
  )
})

t.test('views: CSV has the columns of the rows, and no formula', async (t) => {
  const server = await serve(t)
  await post(server.url, [{ ...snapshotOf({ server: 'web-1' }, ['=1+1', 'a "b", c']) }])
  const { text, headers } = await ask(`${server.url}/api/files?format=csv`)
  t.match(headers, { 'content-type': 'text/csv; charset=utf-8', etag: String })
  t.match(
    text.split('\r\n').map((line) => line.split(/,\d{4}-/)[0]),
    [
      'repo,server,name,kind,since,since_seconds,diff',
      "rsyslog,web-1,'=1+1,file",
      'rsyslog,web-1,"a ""b"", c",file',
      '',
    ],
  )
  t.match(
    (await ask(`${server.url}/api/files?by=file&format=csv`)).text,
    /^repo,name,kind,servers,since,since_seconds\r\n/,
  )
})

t.test('views: what is not known is refused with every fault', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  const faults = async (path: string): Promise<unknown[]> => {
    const { status, json } = await http(path)
    t.equal(status, 422, path)
    return (json as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer)
  }
  t.same(await faults('/api/targets?sort=up&limit=0&what=x'), ['/what', '/sort', '/limit'])
  t.same(await faults('/api/targets?from=2026-11-01T00:00:00Z'), ['/from'], 'a view of now has no range')
  t.same(await faults('/api/counts?state=drifted'), ['/state'], 'the past has no labels and states to choose')
  t.same(await faults('/api/counts?from=yesterday&points=1001'), ['/points', '/from'])
  t.same(await faults('/api/report?from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z'), ['/from'])
  t.same(await faults('/api/timeline?limit=1&limit=2'), ['/limit'])
  t.same(await faults('/api/timeline?by=server&limit=1001&state=drifted'), ['/state', '/by', '/limit'])
  t.same(await faults('/api/names?format=xml&repo=*'), ['/format'])
})

t.test('views: an answer is that of the document, and its ages grow while the document stays', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  const paths = ['/api/summary', '/api/targets', '/api/files', '/api/files?by=file', '/api/repositories']
  const texts = async (): Promise<string[]> => Promise.all(paths.map(async (path) => (await http(path)).text))
  await post(server.url, snapshotOf({}, ['a.conf']))
  const first = await texts()
  await post(server.url, snapshotOf({ repo: 'nginx' }, ['b.conf']))
  const second = await texts()
  for (const [index, path] of paths.entries()) t.not(second[index], first[index], `${path}: another document`)
  await eventually(async () => {
    const third = await texts()
    for (const [index, path] of paths.entries()) {
      if (third[index] === second[index]) throw new Error(`${path} has not aged`)
    }
  })
})
