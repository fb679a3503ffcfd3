import { randomBytes } from 'node:crypto'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { Validator } from '@seriousme/openapi-schema-validator'
import t, { type Test } from 'tap'
import { PROBLEMS } from '../../../src/http/problems.ts'
import { formatTime } from '../../../src/status/time.ts'
import { type Answer, type Ask, ask, eventually, matches, post } from '../../support/http.ts'
import { type OpenapiDocument, conformance } from '../../support/openapi.ts'
import { type Server, fileOf, serve } from '../../support/server.ts'
import { DRIFTED, HOSTILE_NAMES, SYNCED, snapshotOf } from '../../support/snapshots.ts'

/** Asks, and holds the answer against the OpenAPI document. */
type Checked = (path: string, options?: Ask) => Promise<Answer>

async function checked(t: Test, server: Server): Promise<Checked> {
  const document = (await ask(`${server.url}/openapi.json`)).json as OpenapiDocument
  const faults = conformance(document)
  return async (path, options = {}) => {
    const answer = await ask(server.url + path, options)
    t.same(
      faults(options.method ?? 'GET', server.url + path, answer),
      [],
      `${options.method ?? 'GET'} ${path} is as described`,
    )
    return answer
  }
}

const json = { 'Content-Type': 'application/json' }

function posting(value: unknown): Ask {
  return { method: 'POST', headers: json, body: JSON.stringify(value) }
}

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
      ...snapshotOf({ repo, server: name }, [repo, name]),
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
    t.match(answer.json, { statuses: [{ repo, server: '__proto__', files: [{ name: repo }, { name: '__proto__' }] }] })
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
  t.equal(server.lines.filter(({ msg }) => msg === 'refused').length, refused.length + 1, 'each refusal is one line')
  const line = server.lines.find(
    ({ problem, errors }) => problem === 'invalid-snapshot' && JSON.stringify(errors).includes('sync_status'),
  )
  t.match(line, { method: 'POST', path: '/api/status' }, 'which says why')
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

t.test('bad input: a client that does not speak HTTP gets a problem too', async (t) => {
  const server = await serve(t)
  t.match(
    await raw(server, 'nonsense\r\n\r\n'),
    /^HTTP\/1\.1 400 [^]*application\/problem\+json[^]*problem:bad-request/,
  )
  t.match(
    await raw(server, `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431 [^]*headers-too-large/,
  )
  t.match(
    await raw(server, 'GET / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\nConnection: close\r\n\r\n'),
    /^HTTP\/1\.1 417 [^]*expectation-failed/,
  )
  t.match(
    await raw(
      server,
      'POST /api/status HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ),
    /^HTTP\/1\.1 400 /,
    'no request is smuggled behind another',
  )
})

t.test('bad input: a client that does not finish is not waited for', async (t) => {
  const server = await serve(t)
  const [headers, body] = await Promise.all([
    raw(server, 'GET /status.json HTTP/1.1\r\nHost: a\r\n'),
    raw(
      server,
      'POST /api/status HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    ),
    eventually(async () => matches(await ask(`${server.url}/healthz`), { status: 200 })),
  ])
  t.match(headers, /^HTTP\/1\.1 408 [^]*request-timeout/)
  t.match(body, /^HTTP\/1\.1 408 [^]*request-timeout/)
})

t.test('GET /status.json: validators', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  await post(server.url, DRIFTED)
  const first = await http('/status.json')
  t.match(first.headers, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-cache',
    'access-control-allow-origin': '*',
    'last-modified': /GMT$/,
    'content-length': String(first.body.length),
  })
  const etag = first.headers.etag ?? ''
  t.match(etag, /^"[\w-]+"$/, 'strong')
  const head = await http('/status.json', { method: 'HEAD' })
  t.equal(head.headers.etag, etag)
  t.equal(head.headers['content-length'], first.headers['content-length'])
  t.equal(head.body.length, 0)

  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const answer = await http('/status.json', { headers: { 'If-None-Match': known } })
    t.equal(answer.status, 304, known)
    t.equal(answer.body.length, 0)
  }
  const since = first.headers['last-modified'] ?? ''
  t.equal((await http('/status.json', { headers: { 'If-Modified-Since': since } })).status, 304)
  t.equal(
    (await http('/status.json', { headers: { 'If-None-Match': '"other"', 'If-Modified-Since': since } })).status,
    200,
  )

  await post(server.url, SYNCED)
  const second = await http('/status.json', { headers: { 'If-None-Match': etag } })
  t.equal(second.status, 200)
  t.not(second.headers.etag, etag)
  if (second.headers['last-modified'] === since) {
    const stale = await http('/status.json', { headers: { 'If-Modified-Since': since } })
    t.equal(stale.status, 200, 'a second is too coarse to tell two documents apart')
  }
})

t.test('GET /status.json: encodings', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  await post(server.url, DRIFTED)
  const plain = await http('/status.json')
  const cases: [accept: string, encoding: string | undefined][] = [
    ['gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'br'],
    ['br', 'br'],
    ['br;q=0, gzip', 'gzip'],
    ['gzip;q=0', undefined],
    ['identity', undefined],
    ['deflate', undefined],
  ]
  const etags = new Set<string | undefined>()
  for (const [accept, encoding] of cases) {
    const answer = await http('/status.json', { headers: { 'Accept-Encoding': accept } })
    t.equal(answer.headers['content-encoding'], encoding, accept)
    t.equal(answer.headers.vary, 'Accept-Encoding')
    const decode = { gzip: gunzipSync, br: brotliDecompressSync }[encoding ?? ''] ?? ((bytes: Buffer) => bytes)
    t.same(decode(answer.body), plain.body)
    etags.add(answer.headers.etag)
    const again = await http('/status.json', {
      headers: { 'Accept-Encoding': accept, 'If-None-Match': answer.headers.etag ?? '' },
    })
    t.equal(again.status, 304)
  }
  t.equal(etags.size, 3, 'each representation has its own validator')
})

t.test("GET /status.json: Grafana's very request", async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const answer = await ask(`${server.url}/status.json`, {
    headers: {
      Accept: 'application/json;q=0.9,text/plain',
      'Accept-Encoding': 'gzip',
      'User-Agent': 'Go-http-client/1.1',
    },
  })
  t.equal(answer.status, 200)
  t.match(answer.headers, { 'content-type': 'application/json; charset=utf-8', 'content-encoding': 'gzip' })
  t.match(JSON.parse(gunzipSync(answer.body).toString()), { statuses: [{ repo: 'rsyslog', drift_count: 2 }] })
})

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

t.test('schemas: what is served is what the server does', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  t.match(await new Validator().validate((await http('/openapi.json')).text), { valid: true })
  const schema = await http('/status.schema.json')
  t.equal(schema.text, readFileSync(join(server.dataDir, 'status.schema.json'), 'utf8'))
  t.match(fileOf(server), { $schema: './status.schema.json' })
  await post(server.url, DRIFTED)
  const editor = new Ajv({ strict: false, validateFormats: false }).compile(schema.json as object)
  for (const path of ['/api/history', '/api/history?from=0&limit=1', '/metrics', '/', '/badge', '/badge?repo=rsyslog'])
    t.equal((await http(path)).status, 200)
  t.equal((await http('/api/history?limit=none')).status, 422)
  t.ok(editor(fileOf(server)), 'an editor finds nothing wrong with the file')
  t.notOk(editor({ ...fileOf(server), statuses: [{ ...DRIFTED, sync_status: 'synced' }] }), 'and finds what is wrong')
  t.match((await http('/healthz')).json, { status: 'alive' })
  t.same((await http('/readyz')).json, { ready: true, generation: 2, problems: [] })
})

t.test('only what is meant for readers is served', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const secrets = readdirSync(server.dataDir).filter((name) => !['status.json', 'status.schema.json'].includes(name))
  t.ok(secrets.includes('.status.lock') && secrets.includes('status.copy.json'))
  writeFileSync(join(server.dataDir, 'status.rejected-1.json'), 'HIDDEN CONTENT')
  writeFileSync(join(server.dataDir, '.status.commit.none.staged'), 'HIDDEN CONTENT')
  const paths = ['status.rejected-1.json', '.status.commit.none.staged', ...secrets].flatMap((name) => [
    `/${name}`,
    `/${encodeURIComponent(name).replaceAll('.', '%2e')}`,
    `//${name}`,
    `/status.json/../${name}`,
    `/%2e%2e/data/${name}`,
    `/..%2f${name}`,
    `/..\\${name}`,
    `/${name}%00.json`,
    `/status.json%2f..%2f${name}`,
    `/STATUS.JSON/../${name}`,
  ])
  for (const path of [
    ...paths,
    '/index.html',
    '/assets/',
    '/assets/..%2findex.html',
    '/package.json',
    '/src/cli.ts',
    '/../package.json',
    '/%2e%2e%2fpackage.json',
    '/Status.json',
  ]) {
    const answer = await raw(server, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    t.match(answer, /^HTTP\/1\.1 4\d\d /, path)
    t.notMatch(answer.replaceAll(path, '').split('\r\n\r\n')[1], /HIDDEN CONTENT|statuses/)
  }
})

t.test('CORS: any page may read, none may write', async (t) => {
  const server = await serve(t)
  const preflight = {
    method: 'OPTIONS',
    headers: { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'POST' },
  }
  const write = await ask(`${server.url}/api/status`, preflight)
  t.equal(write.headers['access-control-allow-origin'], undefined)
  const read = await ask(`${server.url}/status.json`, preflight)
  t.match(read, {
    status: 204,
    headers: { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'If-None-Match' },
  })
})

t.test('random bytes do no harm', async (t) => {
  const server = await serve(t)
  for (let round = 0; round < 50; round += 1) {
    await raw(server, randomBytes(200))
    const answer = await ask(`${server.url}/api/status`, { method: 'POST', headers: json, body: randomBytes(200) })
    t.equal(answer.status, 400)
  }
  t.equal((await post(server.url, DRIFTED)).status, 201)
})

/** Sends bytes as they are and returns all that comes back until the server closes. */
async function raw(server: Server, bytes: string | Buffer): Promise<string> {
  const { hostname, port } = new URL(server.url)
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    socket.on('data', (chunk) => (received += String(chunk)))
    socket.on('close', () => resolve(received))
    socket.on('error', (error) => (received === '' ? reject(error) : resolve(received)))
  })
}
