import { ok, strictEqual } from 'node:assert'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { directory } from '../../support/directory.ts'
import { ask, eventually, post, sameBytes } from '../../support/http.ts'
import { type Program, fileOf, runServer, serve } from '../../support/server.ts'
import { DRIFTED, anySnapshot, snapshotOf } from '../../support/snapshots.ts'

const MIB = 1024 * 1024

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

async function servedIsFile({ url, file }: { url: string; file: string }): Promise<void> {
  await eventually(async () => sameBytes((await ask(`${url}/status.json`)).body, readFileSync(file)))
}

/** Resident memory of a program, in bytes. */
function memoryOf({ child }: Pick<Program, 'child'>): number {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) * 1024
}
