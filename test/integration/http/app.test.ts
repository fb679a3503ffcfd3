import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type AppOptions, createApp } from '../../../src/http/app.ts'
import { Listener } from '../../../src/http/listener.ts'
import { Metrics } from '../../../src/http/metrics.ts'
import { createLog } from '../../../src/log.ts'
import { type PublishedDocument, StoreError } from '../../../src/store/store.ts'
import { checked, posting } from '../../support/api.ts'
import { type Ask, ask, post, raw } from '../../support/http.ts'
import type { OpenapiDocument } from '../../support/openapi.ts'
import { type Line, serve } from '../../support/server.ts'
import { DRIFTED } from '../../support/snapshots.ts'

t.test('only what is meant for readers is served', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const secrets = readdirSync(server.dataDir).filter((name) => !['status.json', 'status.schema.json'].includes(name))
  t.ok(secrets.includes('.status.lock') && secrets.some((name) => name.startsWith('status.record-')))
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

t.test('/status.json: one route for every method and every form of its address', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  await post(server.url, DRIFTED)
  const { body } = await http('/status.json')
  t.same((await http('/status.json?_=1&repo=nobody')).body, body, 'a query means nothing')
  for (const target of ['http://status.example/status.json?_=1', '/status.json#part']) {
    const answer = await raw(server, `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    t.match(answer, /^HTTP\/1\.1 200 /, target)
    t.equal(answer.split('\r\n\r\n')[1], body.toString(), target)
  }
  const common = {
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'access-control-allow-origin': '*',
    'access-control-expose-headers': 'ETag',
  }
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    const answer = await ask(`${server.url}/status.json?x`, { method })
    t.match(answer.headers, common, method)
    if (answer.status !== 200) t.equal(answer.headers.allow, 'GET, HEAD, OPTIONS', method)
    if (answer.status >= 400) t.match(answer.json, { type: /method-not-allowed$/, detail: new RegExp(`^${method} `) })
  }
  t.equal(
    server.lines.filter(({ msg, path }) => msg === 'request refused' && path === '/status.json').length,
    4,
    'each refusal is one line',
  )
  const { text } = await http('/metrics')
  t.match(text, /http_requests_total\{route="\/status\.json",status="2xx"\} 7\n/)
  t.match(text, /http_requests_total\{route="\/status\.json",status="4xx"\} 4\n/)
  t.match(text, /refusals_total\{problem="method-not-allowed"\} 4\n/)
})

t.test('every route: security headers, no body with HEAD, 405 for other methods, counted by its path', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  const { paths } = (await http('/openapi.json')).json as OpenapiDocument
  for (const path of Object.keys(paths)) {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT']) {
      const { status, headers, body } = await ask(server.url + path, { method })
      t.equal(status, { OPTIONS: 204, PUT: 405 }[method] ?? 200, `${method} ${path}`)
      t.equal(headers['x-content-type-options'], 'nosniff')
      t.match(headers['content-security-policy'], /^default-src 'none';.+frame-ancestors 'none'/)
      if (method === 'HEAD') t.equal(body.length, 0)
      if (method === 'PUT' || method === 'OPTIONS') t.match(headers.allow, /^GET, HEAD, .*OPTIONS$/)
    }
  }
  const { text } = await http('/metrics')
  for (const path of Object.keys(paths)) {
    t.ok(text.includes(`http_requests_total{route="${path}",status="4xx"} 1\n`), `${path} is counted`)
  }
})

t.test('a request has an id: that of its header, or a new one; its log line and its answer have it', async (t) => {
  const server = await serve(t)
  const idOf = (headers: Record<string, string>, body: unknown = DRIFTED): Promise<unknown> =>
    post(server.url, body, { headers }).then((answer) => answer.headers['x-request-id'])
  t.equal(await idOf({ 'X-Request-Id': 'build-7.a:b_c' }), 'build-7.a:b_c')
  t.match(server.lines.at(-1), { msg: 'posted', request: 'build-7.a:b_c' })
  const made = new Set()
  for (const bad of ['', 'a b', 'a"b', 'x'.repeat(101)]) {
    const id = await idOf({ 'X-Request-Id': bad }, {})
    t.match(id, /^[\da-f-]{36}$/, bad)
    t.match(server.lines.at(-1), { msg: 'request refused', request: id })
    made.add(id)
  }
  t.equal(made.size, 4, 'each has its own')
  const removed = await ask(`${server.url}/api/status?repo=rsyslog`, { method: 'DELETE' })
  t.match(server.lines.at(-1), { msg: 'removed', request: removed.headers['x-request-id'] })
})

t.test('a defect of the program is 500 internal, logged once with its stack, whatever route it is in', async (t) => {
  const lines: Line[] = []
  const log = createLog('debug', { write: (line: string) => lines.push(JSON.parse(line) as Line) })
  const defect = new TypeError("Cannot read properties of undefined (reading 'inside')")
  const metrics = new Metrics('0')
  let submitError: Error = defect
  let broken = false
  const document = { generation: 1, updatedAt: undefined, entries: [] }
  const published = { bytes: Buffer.from('{}'), digest: 'x', modifiedAt: 0, document } as unknown as PublishedDocument
  const store: AppOptions['store'] = {
    submit: () => Promise.reject(submitError),
    history: () => Promise.reject(Object.assign(new Error('inside'), { code: 'EIO' })),
    periods: () => Promise.reject(defect),
    health: { canCommit: true, troubles: [], historyRowsWaiting: 0 },
    volume: undefined,
    get published() {
      if (broken) throw defect
      return published
    },
  }
  const app = createApp({ store, staleAfter: 600, metrics, access: { protectReads: false }, log, version: '0' })
  const listener = new Listener(metrics)
  const url = await listener.listen(0, '127.0.0.1')
  listener.attach(app.listener)
  t.teardown(async () => listener.stop(0))
  broken = true
  const requests: [path: string, options?: Ask][] = [
    ['/status.json'],
    ['/api/status'],
    ['/api/status', posting(DRIFTED)],
    ['/api/status?repo=a', { method: 'DELETE' }],
    ['/api/history'],
    ['/badge'],
    ['/readyz'],
    ['/metrics'],
  ]
  for (const [path, options] of requests) {
    lines.length = 0
    const answer = await ask(url + path, options)
    const what = `${options?.method ?? 'GET'} ${path}`
    t.match(answer, { status: 500, json: { type: 'urn:gitops-status-server:problem:internal' } }, what)
    t.equal(answer.headers['x-content-type-options'], 'nosniff', what)
    t.notMatch(answer.text, /inside|TypeError|\.ts/, `${what}: says nothing of the inside`)
    t.equal(lines.length, 1, `${what}: one line`)
    t.match(lines[0], {
      level: 'error',
      msg: 'request failed',
      address: '127.0.0.1',
      problem: 'internal',
      err: { message: /inside/, stack: /app\.test\.ts/ },
    })
  }
  broken = false
  submitError = new StoreError('internal', 'inside', defect)
  lines.length = 0
  t.match(await ask(`${url}/api/status`, posting(DRIFTED)), { status: 500, json: { detail: /the log of the server/ } })
  t.match(lines, [{ level: 'error', msg: 'request failed', problem: 'internal' }])
  t.equal(lines[0]?.['err'], undefined, 'the store has logged the stack of a defect of its own')
  const { text } = await ask(`${url}/metrics`)
  t.match(text, /http_requests_total\{route="\/status\.json",status="5xx"\} 1\n/)
  t.match(text, /refusals_total\{problem="internal"\} 9\n/)
})
