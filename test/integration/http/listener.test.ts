import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { Listener } from '../../../src/http/listener.ts'
import { Metrics } from '../../../src/http/metrics.ts'
import { json } from '../../support/api.ts'
import { type Answer, ask, eventually, matches, post, raw } from '../../support/http.ts'
import { serve, type Program, runServer } from '../../support/server.ts'
import { DRIFTED, snapshotOf } from '../../support/snapshots.ts'
import { ok, strictEqual } from 'node:assert'
import { directory } from '../../support/directory.ts'

const MIB = 1024 * 1024

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
  const server = await serve(t, directory(t), {}, { limits: { headersMs: 200, requestMs: 400, checkEveryMs: 20 } })
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

t.test('a connection without traffic is closed', async (t) => {
  const server = await serve(t, directory(t), {}, { limits: { idleMs: 200, keepAliveMs: 200 } })
  const started = Date.now()
  t.equal(await raw(server, ''), '', 'before a request')
  const half = await raw(
    server,
    'POST /api/status HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
  )
  t.equal(half, '', 'within one')
  t.match(await raw(server, 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'), /^HTTP\/1\.1 200 /, 'after one')
  // Node's own limits are 5 s and more.
  t.ok(Date.now() - started < 4000)
})

t.test('until an app is attached, every request is answered with 503', async (t) => {
  const listener = new Listener(new Metrics('0'))
  const url = await listener.listen(0, '127.0.0.1')
  t.teardown(async () => listener.stop(0))
  for (const path of ['/', '/status.json', '/healthz']) {
    t.match(await ask(url + path), {
      status: 503,
      headers: { 'retry-after': /^\d+$/, 'content-type': 'application/problem+json' },
      json: { type: 'urn:gitops-status-server:problem:starting' },
    })
  }
  listener.attach((_req, res) => res.end('app'))
  t.match(await ask(url), { status: 200, text: 'app' })
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

t.test('10,000 idle connections: honest clients are served, in bounded memory', async (t) => {
  const server = await runServer(t, directory(t))
  const before = memoryOf(server)
  const crowd = await connectMany(t, server, 10_000)
  await honest(t, server)
  const grown = memoryOf(server) - before
  t.ok(grown < 400 * MIB, `${crowd.length} connections took ${Math.round(grown / MIB)} MiB`)
})

t.test('slow-loris: connections that never finish are closed, honest clients are served meanwhile', async (t) => {
  const limits = { headersMs: 2000, requestMs: 4000, checkEveryMs: 100 }
  const server = await serve(t, directory(t), {}, { limits })
  const crowd = await connectMany(t, server, 500, 'GET /status.json HTTP/1.1\r\nHost: a\r\n')
  const drip = setInterval(() => {
    for (const socket of crowd) if (socket.writable) socket.write('X: y\r\n')
  }, 500)
  t.teardown(() => clearInterval(drip))
  await honest(t, server)
  await eventually(() => ok(crowd.every(({ destroyed }) => destroyed)), 30_000)
  await honest(t, server)
})

t.test('half-sent bodies: honest clients are served, in bounded memory', async (t) => {
  const server = await runServer(t, directory(t))
  const before = memoryOf(server)
  const head = `POST /api/status HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${MIB}\r\n\r\n`
  await connectMany(t, server, 400, head + 'x'.repeat(MIB - 1)).catch(() => undefined)
  await honest(t, server)
  const large = await post(server.url, { ...DRIFTED, note: 'x'.repeat(MIB / 2) })
  t.match(large, { status: 503, json: { type: /overloaded$/ }, headers: { 'retry-after': /\d/ } })
  const grown = memoryOf(server) - before
  t.ok(grown < 600 * MIB, `400 half-sent bodies took ${Math.round(grown / MIB)} MiB`)
})

t.test('pipelining: every request is answered, in order', async (t) => {
  const server = await runServer(t, directory(t))
  await post(server.url, DRIFTED)
  const paths = Array.from(
    { length: 300 },
    (_, index) => ['/status.json', '/healthz', `/nothing-${index}`][index % 3] ?? '',
  )
  const [socket] = await connectMany(
    t,
    server,
    1,
    paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''),
  )
  let received = ''
  socket?.on('data', (chunk) => (received += String(chunk)))
  await eventually(() => strictEqual(received.match(/HTTP\/1\.1 \d+/g)?.length, paths.length))
  t.same(
    received.match(/HTTP\/1\.1 \d+/g),
    paths.map((path) => (path.startsWith('/nothing') ? 'HTTP/1.1 404' : 'HTTP/1.1 200')),
  )
})

/** A client that means well: it reads, posts, and asks whether the server is ready. */
async function honest(t: Test, { url }: { url: string }): Promise<void> {
  const answers: Answer[] = []
  for (let round = 0; round < 5; round += 1) {
    answers.push(
      await post(url, snapshotOf({ server: `honest-${round}` })),
      await ask(`${url}/status.json`),
      await ask(`${url}/readyz`),
    )
  }
  t.ok(
    answers.every(({ status }) => status === 200 || status === 201),
    'honest clients are served',
  )
}

/** Opens connections, sends the same on each, and leaves them open till the test ends. */
async function connectMany(t: Test, { url }: { url: string }, count: number, bytes = ''): Promise<Socket[]> {
  const { hostname, port } = new URL(url)
  const sockets: Socket[] = []
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(200, count - sockets.length) }, () => connect(Number(port), hostname))
    sockets.push(...batch)
    await Promise.all(
      batch.map(
        async (socket) =>
          new Promise<void>((resolve, reject) => {
            socket.on('error', reject)
            socket.on('connect', () => (bytes === '' ? resolve() : socket.write(bytes, () => resolve())))
            socket.resume()
          }),
      ),
    )
  }
  return sockets
}

/** Resident memory of a program, in bytes. */
function memoryOf({ child }: Pick<Program, 'child'>): number {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) * 1024
}
