import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { PROBLEMS } from '../../../src/http/problems.ts'
import { formatTime } from '../../../src/status/time.ts'
import { checked, json, posting } from '../../support/api.ts'
import { directory } from '../../support/directory.ts'
import { type Ask, post } from '../../support/http.ts'
import { fileOf, serve } from '../../support/server.ts'
import { DRIFTED, HOSTILE_NAMES, SYNCED, snapshotOf } from '../../support/snapshots.ts'

t.test('POST: what was acknowledged is in the file, and the file is what is served', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  const empty = await http('/status.json')
  t.match(empty.json, { generation: 1 })
  t.same((empty.json as { statuses: unknown }).statuses, [])
  t.same(empty.body, readFileSync(server.file))

  const created = await http('/api/status', posting(DRIFTED))
  t.equal(created.status, 201)
  t.match(created.json, {
    result: 'created',
    status: { ...DRIFTED, since: DRIFTED.last_check, stale: true, generation: 2 },
  })
  t.match(fileOf(server), { generation: 2, statuses: [(created.json as { status: object }).status] })

  const synced = await http('/api/status', posting({ ...SYNCED, last_check: '2026-04-21T12:34:15+02:00' }))
  t.equal(synced.status, 200)
  t.match(synced.json, { result: 'updated', status: { sync_status: 'SYNCED', last_check: '2026-04-21T10:34:15Z' } })

  const { generation } = fileOf(server)
  const late = await http('/api/status', posting(DRIFTED))
  t.equal(late.status, 200)
  t.match(late.json, { result: 'ignored', reason: /older/, status: { sync_status: 'SYNCED' } })
  t.equal(fileOf(server).generation, generation, 'and commits nothing')

  const many = await http(
    '/api/status',
    posting([DRIFTED, snapshotOf({ server: 'a' }), snapshotOf({ server: 'a' }, ['x'])]),
  )
  t.equal(many.status, 201)
  t.match(many.json, [{ result: 'ignored' }, { result: 'created' }, { result: 'updated', status: { drift_count: 1 } }])
  t.same((await http('/status.json')).body, readFileSync(server.file))
})

t.test('POST: failed checks, alone and among snapshots', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  const checkedAt = formatTime(Date.now() - 60_000)
  const failure = {
    repo: 'rsyslog',
    server: 'web-1',
    check_failed: 'unreachable',
    attempted_at: formatTime(Date.now()),
  }
  const pipeline_url = 'https://ci.example.net/repos/7/pipeline/812'
  const first = await http(
    '/api/status',
    posting([snapshotOf({ server: 'web-1' }, [], checkedAt), { ...failure, server: 'never', pipeline_url }]),
  )
  t.equal(first.status, 201)
  t.match(first.json, [
    { result: 'created', status: { state: 'synced' } },
    {
      result: 'created',
      status: { state: 'failing', sync_status: null, last_check: null, failed_check: { pipeline_url } },
    },
  ])
  const { attempted_at: at } = failure
  t.match(await http('/api/status', posting(failure)), {
    status: 200,
    json: {
      result: 'updated',
      status: {
        state: 'failing',
        sync_status: 'SYNCED',
        last_check: checkedAt,
        failed_check: { since: at, at, reason: 'unreachable' },
      },
    },
  })
  t.match(fileOf(server), { summary: { state: 'failing', targets: 2, failing: 2, synced: 0 } })
  const some = await http('/api/status?server=never')
  t.match(some.json, { summary: { targets: 1, failing: 1 } }, 'the summary of what matches')

  const generation = fileOf(server).generation
  t.match((await http('/api/status', posting({ ...failure, attempted_at: checkedAt }))).json, {
    result: 'ignored',
    reason: `attempted_at is not newer than last_check, ${checkedAt}`,
  })
  t.equal(fileOf(server).generation, generation, 'and commits nothing')
  t.match((await http('/api/status', posting(snapshotOf({ server: 'web-1' }, ['a'])))).json, {
    status: { state: 'drifted', failed_check: undefined },
  })
})

t.test('POST: a failed check that is none is refused, with a pointer for each fault', async (t) => {
  const server = await serve(t)
  const failure = {
    repo: 'rsyslog',
    server: 'web-1',
    check_failed: 'unreachable',
    attempted_at: formatTime(Date.now()),
  }
  const pointersOf = async (body: object): Promise<(string | undefined)[]> => {
    const { status, json } = await post(server.url, body)
    t.equal(status, 422)
    return ((json as { errors: { pointer: string }[] }).errors ?? []).map(({ pointer }) => pointer).toSorted()
  }
  const verdict = ['sync_status', 'drift_count', 'files', 'last_check']
  const { repo, server: name, ...checked } = snapshotOf({})
  t.same(Object.keys(checked).toSorted(), verdict.toSorted())
  t.same(await pointersOf({ ...checked, ...failure }), verdict.map((each) => `/${each}`).toSorted())
  t.same(await pointersOf([failure, { repo, server: name, check_failed: '' }]), ['/1/attempted_at', '/1/check_failed'])
  t.same(await pointersOf({ ...failure, attempted_at: formatTime(Date.now() + 400_000) }), ['/attempted_at'])
  t.same(await pointersOf({ ...failure, pipeline_url: 'javascript:alert(1)' }), ['/pipeline_url'])
  t.match(fileOf(server), { statuses: [] })
})

t.test('REFUSE_DIFFS: a snapshot with a difference as text is refused whole, one without is taken', async (t) => {
  const server = await serve(t, directory(t), { refuseDiffs: true })
  const withDiff = {
    ...DRIFTED,
    server: 'b',
    files: [{ name: '/a' }, { name: '/b', diff: 'password = 1' }],
  }
  const failed = { repo: 'r', server: 'c', check_failed: 'unreachable', attempted_at: snapshotOf({}).last_check }
  const detail = 'must not be present: this server accepts no differences as text (REFUSE_DIFFS)'
  t.match(await post(server.url, [DRIFTED, failed, withDiff]), {
    status: 422,
    json: { errors: [{ pointer: '/2/files/1/diff', detail }] },
  })
  t.match(await post(server.url, withDiff), { status: 422, json: { errors: [{ pointer: '/files/1/diff', detail }] } })
  t.same(fileOf(server).statuses, [], 'nothing was changed')
  t.notMatch(JSON.stringify(server.lines), /password = 1/, 'and the log does not have it')
  t.equal((await post(server.url, [DRIFTED, failed])).status, 201)
})

t.test('POST: an array is taken whole or not at all', async (t) => {
  const server = await serve(t)
  const before = readFileSync(server.file)
  const answer = await post(server.url, [DRIFTED, { ...DRIFTED, server: 7 }])
  t.equal(answer.status, 422)
  t.match(answer.json, { errors: [{ pointer: '/1/server', detail: 'must be string, not number' }] })
  t.same(readFileSync(server.file), before)
})

t.test('POST: names are only names', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  const snapshots = HOSTILE_NAMES.flatMap((repo) =>
    HOSTILE_NAMES.slice(0, 6).map((name) => ({
      ...snapshotOf({ repo, server: name }, [repo, `${name}.conf`]),
      ...JSON.parse('{"__proto__":{"x":1},"constructor":2}'),
    })),
  )
  t.equal((await http('/api/status', posting(snapshots))).status, 201)
  const { statuses } = fileOf(server)
  t.equal(statuses.length, snapshots.length, 'none collides with another')
  t.equal(
    statuses.every(
      (status) =>
        Object.hasOwn(status, '__proto__') &&
        Object.entries(status).some(([name, value]) => name === 'constructor' && value === 2),
    ),
    true,
  )
  t.equal(Object.hasOwn(Object.prototype, 'x'), false)
  for (const repo of HOSTILE_NAMES) {
    const answer = await http(`/api/status?repo=${encodeURIComponent(repo)}&server=__proto__`)
    t.match(answer.json, {
      statuses: [{ repo, server: '__proto__', files: [{ name: repo }, { name: '__proto__.conf' }] }],
    })
  }
  const removed = await http('/api/status?repo=__proto__', { method: 'DELETE' })
  t.equal((removed.json as { removed: unknown[] }).removed.length, 6)
  t.equal(fileOf(server).statuses.length, snapshots.length - 6)
})

t.test('bad input: says what, where and what was expected; nothing is changed', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  await post(server.url, DRIFTED)
  const before = readFileSync(server.file)
  const future = formatTime(Date.now() + 3_600_000)

  const refused: [what: string, code: keyof typeof PROBLEMS, pointers: string[], ask: Ask, path?: string][] = [
    ['no body', 'not-json', [''], { method: 'POST', headers: json }],
    ['half of JSON', 'not-json', [''], { method: 'POST', headers: json, body: '{"repo":' }],
    ['not UTF-8', 'not-json', [''], { method: 'POST', headers: json, body: Buffer.from([0x22, 0xff, 0x22]) }],
    [
      'form data',
      'unsupported-media-type',
      [],
      { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: '{}' },
    ],
    ['no type', 'unsupported-media-type', [], { method: 'POST', body: '{}' }],
    [
      'another charset',
      'unsupported-media-type',
      [],
      { method: 'POST', headers: { 'Content-Type': 'application/json; charset=latin1' }, body: '{}' },
    ],
    [
      'an unknown encoding',
      'unsupported-media-type',
      [],
      { method: 'POST', headers: { ...json, 'Content-Encoding': 'zip' }, body: '{}' },
    ],
    [
      'broken gzip',
      'bad-request',
      [],
      { method: 'POST', headers: { ...json, 'Content-Encoding': 'gzip' }, body: 'nonsense' },
    ],
    ['more than 1 MiB', 'too-large', [], posting({ ...DRIFTED, note: 'x'.repeat(1024 * 1024) })],
    [
      'a gzip bomb',
      'too-large',
      [],
      {
        method: 'POST',
        headers: { ...json, 'Content-Encoding': 'gzip' },
        body: gzipSync(Buffer.alloc(64 * 1024 * 1024, ' ')),
      },
    ],
    [
      'parameters after the thousandth',
      'target-not-found',
      [],
      { method: 'DELETE' },
      `/api/status?${'repo=rsyslog&'.repeat(1000)}server=nobody`,
    ],
    ['null', 'invalid-snapshot', [''], posting(null)],
    ['a string', 'invalid-snapshot', [''], posting('SYNCED')],
    ['no snapshot', 'invalid-snapshot', [''], posting([])],
    [
      'an empty object',
      'invalid-snapshot',
      ['/repo', '/server', '/sync_status', '/drift_count', '/files', '/last_check'],
      posting({}),
    ],
    ['an array in an array', 'invalid-snapshot', ['/0'], posting([[DRIFTED]])],
    ['an empty repo', 'invalid-snapshot', ['/repo'], posting({ ...DRIFTED, repo: '' })],
    ['a long repo', 'invalid-snapshot', ['/repo'], posting({ ...DRIFTED, repo: 'x'.repeat(254) })],
    ['a control character', 'invalid-snapshot', ['/server'], posting({ ...DRIFTED, server: 'a\nb' })],
    ['a C1 control character', 'invalid-snapshot', ['/server'], posting({ ...DRIFTED, server: 'a\u0085' })],
    ['half a character', 'invalid-snapshot', ['/repo'], posting({ ...DRIFTED, repo: '\ud800' })],
    [
      'half a character in a file',
      'invalid-snapshot',
      ['/files/0/name'],
      posting({ ...DRIFTED, files: [{ name: '\udc00' }, { name: 'a' }] }),
    ],
    ['a zero-width space', 'invalid-snapshot', ['/server'], posting({ ...DRIFTED, server: 'web\u200B-1' })],
    ['an invisible letter above U+FFFF', 'invalid-snapshot', ['/repo'], posting({ ...DRIFTED, repo: 'a\u{E0041}' })],
    ['a blank at the end', 'invalid-snapshot', ['/repo'], posting({ ...DRIFTED, repo: 'rsyslog ' })],
    [
      'blanks and invisible characters in files',
      'invalid-snapshot',
      ['/1/files/0/name', '/1/files/1/name'],
      posting([DRIFTED, { ...DRIFTED, files: [{ name: ' a' }, { name: 'b\u00AD' }] }]),
    ],
    [
      'a file twice',
      'invalid-snapshot',
      ['/files/1/name'],
      posting({ ...DRIFTED, files: [{ name: 'a' }, { name: 'a', diff: '-' }] }),
    ],
    [
      'a duplicate key',
      'invalid-snapshot',
      ['/repo'],
      { method: 'POST', headers: json, body: JSON.stringify(DRIFTED).replace('{', '{"repo":"other",') },
    ],
    [
      'a duplicate key inside',
      'invalid-snapshot',
      ['/1/files/0/name'],
      {
        method: 'POST',
        headers: json,
        body: JSON.stringify([SYNCED, DRIFTED]).replace('{"name":', '{"name":"other","na\\u006de":'),
      },
    ],
    ['a server that is a number', 'invalid-snapshot', ['/server'], posting({ ...DRIFTED, server: 1 })],
    ['another status', 'invalid-snapshot', ['/sync_status'], posting({ ...DRIFTED, sync_status: 'synced' })],
    ['a negative count', 'invalid-snapshot', ['/drift_count'], posting({ ...DRIFTED, drift_count: -1 })],
    ['half a count', 'invalid-snapshot', ['/drift_count'], posting({ ...DRIFTED, drift_count: 1.5 })],
    ['a count as text', 'invalid-snapshot', ['/drift_count'], posting({ ...DRIFTED, drift_count: '2' })],
    ['a wrong count', 'invalid-snapshot', ['/drift_count'], posting({ ...DRIFTED, drift_count: 3 })],
    ['in sync, with files', 'invalid-snapshot', ['/sync_status'], posting({ ...DRIFTED, sync_status: 'SYNCED' })],
    [
      'drifted, without files',
      'invalid-snapshot',
      ['/sync_status'],
      posting({ ...SYNCED, sync_status: 'OUT_OF_SYNC' }),
    ],
    ['files as text', 'invalid-snapshot', ['/files/0', '/files/1'], posting({ ...DRIFTED, files: ['a', 'b'] })],
    [
      'a file without a name',
      'invalid-snapshot',
      ['/files/1/name'],
      posting({ ...DRIFTED, files: [{ name: 'a' }, { path: 'b' }] }),
    ],
    [
      'a file with an empty name',
      'invalid-snapshot',
      ['/files/0/name'],
      posting({ ...DRIFTED, files: [{ name: '' }, { name: 'a' }] }),
    ],
    [
      'a file with a long name',
      'invalid-snapshot',
      ['/files/0/name'],
      posting({ ...DRIFTED, files: [{ name: 'x'.repeat(4097) }, { name: 'a' }] }),
    ],
    [
      'a diff that is no text',
      'invalid-snapshot',
      ['/files/0/diff'],
      posting({ ...DRIFTED, files: [{ name: 'a', diff: 1 }, { name: 'b' }] }),
    ],
    ['no zone', 'invalid-snapshot', ['/last_check'], posting({ ...DRIFTED, last_check: '2026-04-21T10:32:15' })],
    ['30 February', 'invalid-snapshot', ['/last_check'], posting({ ...DRIFTED, last_check: '2026-02-30T10:32:15Z' })],
    ['a time as a number', 'invalid-snapshot', ['/last_check'], posting({ ...DRIFTED, last_check: 1776767535 })],
    ['the future', 'invalid-snapshot', ['/last_check'], posting({ ...DRIFTED, last_check: future })],
    [
      'a script as a link',
      'invalid-snapshot',
      ['/pipeline_url'],
      posting({ ...DRIFTED, pipeline_url: 'javascript:alert(1)' }),
    ],
    ['a link without a host', 'invalid-snapshot', ['/pipeline_url'], posting({ ...DRIFTED, pipeline_url: 'https://' })],
    ['never stale', 'invalid-snapshot', ['/stale_after'], posting({ ...DRIFTED, stale_after: 0 })],
    ['a commit that is a number', 'invalid-snapshot', ['/commit'], posting({ ...DRIFTED, commit: 1 })],
    [
      'digits that would be lost',
      'invalid-snapshot',
      ['/build'],
      {
        method: 'POST',
        headers: json,
        body: JSON.stringify({ ...DRIFTED, build: 0 }).replace('"build":0', '"build":12345678901234567890'),
      },
    ],
    [
      'too deep',
      'invalid-snapshot',
      [`/x${'/0'.repeat(31)}`],
      { method: 'POST', headers: json, body: `{"x":${'['.repeat(50_000)}${']'.repeat(50_000)}}` },
    ],
    [
      'too many',
      'invalid-snapshot',
      ['/files'],
      posting({ ...DRIFTED, files: Array.from({ length: 10_001 }, () => 0) }),
    ],
    [
      'faults in two of three',
      'invalid-snapshot',
      ['/0/repo', '/2/files/0/name'],
      posting([{ ...DRIFTED, repo: 1 }, DRIFTED, { ...DRIFTED, files: [{}, { name: 'a' }] }]),
    ],
    [
      'slashes in a pointer',
      'invalid-snapshot',
      ['/a~1b~0c'],
      { method: 'POST', headers: json, body: JSON.stringify({ ...DRIFTED, 'a/b~c': 2 ** 60 }) },
    ],
    ['an unknown path', 'not-found', [], {}, '/status'],
    ['a path with a slash too many', 'not-found', [], {}, '/status.json/'],
    ['a path that cannot be decoded', 'not-found', [], {}, '/%ff'],
    ['another method', 'method-not-allowed', [], { method: 'PUT' }, '/api/status'],
    ['posting to the file', 'method-not-allowed', [], posting(DRIFTED), '/status.json'],
    ['an unknown parameter', 'invalid-query', ['/rpo'], {}, '/api/status?rpo=rsyslog'],
    ['deleting everything', 'invalid-query', [], { method: 'DELETE' }, '/api/status'],
    [
      'deleting with a misspelt name',
      'invalid-query',
      ['/sever'],
      { method: 'DELETE' },
      '/api/status?repo=rsyslog&sever=x',
    ],
    ['deleting with an empty variable', 'invalid-query', [], { method: 'DELETE' }, '/api/status?repo=rsyslog&server='],
    ['deleting what is not there', 'target-not-found', [], { method: 'DELETE' }, '/api/status?repo=nobody'],
  ]
  for (const [what, code, pointers, options, path = '/api/status'] of refused) {
    const answer = await http(path, options)
    const problem = answer.json as {
      type: string
      title: string
      status: number
      detail: string
      errors?: { pointer: string; detail: string }[]
    }
    t.equal(answer.status, PROBLEMS[code].status, `${what}: ${PROBLEMS[code].status}`)
    t.equal(answer.headers['content-type'], 'application/problem+json', `${what}: problem+json`)
    t.match(problem, {
      type: `urn:gitops-status-server:problem:${code}`,
      title: PROBLEMS[code].title,
      status: answer.status,
    })
    t.same(
      (problem.errors ?? []).map(({ pointer }) => pointer),
      pointers,
      `${what}: ${pointers.join(' ')}`,
    )
    t.equal(answer.text.includes('node_modules'), false, 'no stack')
  }
  t.equal((await http('/api/status', { method: 'PATCH' })).headers.allow, 'GET, HEAD, POST, DELETE, OPTIONS')
  t.same(readFileSync(server.file), before)
  t.equal(
    server.lines.filter(({ msg }) => msg === 'request refused').length,
    refused.length + 1,
    'each refusal is one line',
  )
  const line = server.lines.find(
    ({ problem, errors }) => problem === 'invalid-snapshot' && JSON.stringify(errors).includes('sync_status'),
  )
  t.match(line, { method: 'POST', path: '/api/status', address: '127.0.0.1' }, 'which says why, and from where')
  const values = server.lines.filter(
    (logged) => JSON.stringify(logged).includes('javascript:') || JSON.stringify(logged).includes('rsyslog.conf'),
  )
  t.same(values, [], 'and holds nothing of the body')
})

t.test('bad input: a small post that would earn a huge answer is refused whole', async (t) => {
  const server = await serve(t)
  await post(server.url, { ...DRIFTED, note: 'x'.repeat(900_000) })
  const before = readFileSync(server.file)
  t.match(
    await post(
      server.url,
      Array.from({ length: 100 }, () => SYNCED),
    ),
    { status: 413, json: { type: /too-large$/ } },
  )
  t.same(readFileSync(server.file), before)
})
