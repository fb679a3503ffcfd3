import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { readFileSync, writeFileSync } from 'node:fs'
import { type Socket, connect } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { directory } from '../../support/directory.ts'
import { type Answer, ask, eventually, post } from '../../support/http.ts'
import { type Program, fileOf, runServer, serve } from '../../support/server.ts'
import { DRIFTED, anySnapshot, snapshotOf } from '../../support/snapshots.ts'

const MIB = 1024 * 1024

t.test('10,000 idle connections: honest clients are served, in bounded memory', async (t) => {
  const server = await runServer(t, directory(t))
  const before = memoryOf(server)
  const crowd = await connectMany(t, server, 10_000)
  await honest(t, server)
  const grown = memoryOf(server) - before
  t.ok(grown < 400 * MIB, `${crowd.length} connections took ${Math.round(grown / MIB)} MiB`)
})

t.test('slow-loris: connections that never finish are closed, honest clients are served meanwhile', async (t) => {
  const server = await runServer(t, directory(t))
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

t.test('100,000 distinct targets: taken, then refused, in bounded memory', async (t) => {
  const dataDir = directory(t)
  const server = await runServer(t, dataDir)
  for (let first = 0; first < 100_000; first += 5000) {
    const snapshots = Array.from({ length: 5000 }, (_, index) => snapshotOf({ repo: 'r', server: `s${first + index}` }))
    strictEqual((await post(server.url, snapshots)).status, 201)
  }
  t.match(await post(server.url, snapshotOf({ repo: 'one', server: 'too many' })), { status: 507 })
  t.equal((await post(server.url, snapshotOf({ repo: 'r', server: 's7' }, ['x']))).status, 200)
  t.equal(fileOf({ file: join(dataDir, 'status.json') }).statuses.length, 100_000)
  const memory = memoryOf(server)
  t.ok(memory < 1500 * MIB, `the server takes ${Math.round(memory / MIB)} MiB`)
})

t.test('fuzz: whatever is posted, it is taken or refused; never a fault, never a crash', async (t) => {
  const server = await serve(t)
  const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
  const values = fc.jsonValue({ maxDepth: 5 }).map((value) => Buffer.from(JSON.stringify(value)))
  const nearly = fc
    .tuple(anySnapshot, fc.string(), fc.jsonValue())
    .map(([snapshot, name, value]) =>
      Buffer.from(JSON.stringify(Object.assign(snapshot, { [name]: value, files: value }))),
    )
  const broken = fc.tuple(anySnapshot, fc.nat(), fc.nat(255)).map(([snapshot, at, byte]) => {
    const text = Buffer.from(JSON.stringify(snapshot))
    text[at % text.length] = byte
    return text
  })
  const good = anySnapshot.map((snapshot) => Buffer.from(JSON.stringify(snapshot)))
  await fc.assert(
    fc.asyncProperty(fc.oneof(bytes, values, nearly, broken, good), async (body) => {
      const answer = await ask(`${server.url}/api/status`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body,
      })
      ok([200, 201, 400, 422].includes(answer.status), `${answer.status}: ${answer.text}`)
    }),
    { numRuns: 1500 },
  )
  await servedIsFile(server)
})

t.test('fuzz: whatever is saved, readers get a whole, valid document; never a crash', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const byte = fc.record({ kind: fc.constant('byte' as const), at: fc.nat(), value: fc.nat(255) })
  const cut = fc.record({ kind: fc.constant('cut' as const), at: fc.nat(), value: fc.nat(255) })
  const json = fc.jsonValue({ maxDepth: 4 }).map((value) => ({ kind: 'json' as const, at: 0, value }))
  await fc.assert(
    fc.asyncProperty(fc.oneof(byte, cut, json), async ({ kind, at, value }) => {
      const text = readFileSync(server.file)
      if (kind === 'byte' && text.length > 0) text[at % text.length] = value
      const saved =
        kind === 'json'
          ? JSON.stringify({ statuses: value })
          : text.subarray(0, kind === 'cut' ? at % (text.length + 1) : undefined)
      writeFileSync(server.file, saved)
      const answer = await ask(`${server.url}/status.json`)
      strictEqual(answer.status, 200)
      ok(Array.isArray((answer.json as { statuses: unknown }).statuses))
      strictEqual((await ask(`${server.url}/healthz`)).status, 200)
    }),
    { numRuns: 300 },
  )
  strictEqual((await post(server.url, snapshotOf({ server: 'after all that' }))).status, 201)
  await servedIsFile(server)
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

async function servedIsFile({ url, file }: { url: string; file: string }): Promise<void> {
  await eventually(async () => deepStrictEqual((await ask(`${url}/status.json`)).body, readFileSync(file)))
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
