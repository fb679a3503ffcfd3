import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { StatusDocument } from '../../../src/status/document.ts'
import { type Clock, formatTime } from '../../../src/status/time.ts'
import { Record } from '../../../src/store/record.ts'
import { type Rendered, render } from '../../../src/store/render.ts'
import { directory, filesOf } from '../../support/directory.ts'
import { CLOCK, posted } from '../../support/documents.ts'
import { beforeHandleCalls } from '../../support/calls.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { type Line, fileOf, serve } from '../../support/server.ts'
import { DRIFTED, snapshotOf } from '../../support/snapshots.ts'

const log = pino({ level: 'silent' })

/** The names of the record's segments, oldest first. */
function segmentsIn(dataDir: string): string[] {
  return readdirSync(dataDir)
    .filter((name) => /^status\.record-\d+\.jsonl$/.test(name))
    .toSorted((a, b) => Number(/\d+/.exec(a)?.[0]) - Number(/\d+/.exec(b)?.[0]))
}

function segmentOf(dataDir: string): string {
  return join(dataDir, segmentsIn(dataDir).at(-1) ?? '')
}

/** Removes the note that the last commit was put in place: its server was killed before. */
function unplace(dataDir: string): void {
  const file = segmentOf(dataDir)
  const lines = readFileSync(file, 'utf8').split(/(?<=\n)/)
  strictEqual(lines.at(-1)?.startsWith('{"placed":'), true)
  writeFileSync(file, lines.slice(0, -1).join(''))
}

function withTarget({ document }: Rendered, name: string, bytes = 10): StatusDocument {
  const snapshot = { ...snapshotOf({ server: name }, [], DRIFTED.last_check), note: 'x'.repeat(bytes) }
  return posted(document, snapshot).document
}

/** Commits a document with one more target. */
async function grow(record: Record, name: string, clock: Clock = CLOCK, bytes = 10): Promise<Rendered> {
  const next = render(withTarget(record.current, name, bytes))
  await (await record.append(next, [], clock)).confirm()
  return next
}

t.test('another server and a later start read the same documents, generation by generation', async (t) => {
  const place = directory(t)
  const [one, two] = [new Record(place, filesOf('local'), log), new Record(place, filesOf('local'), log)]
  const documents: Rendered[] = []
  for (let index = 0; index < 40; index += 1) {
    await one.load(CLOCK)
    documents.push(await grow(index % 3 === 0 ? two : one, `s${index}`))
    await two.load(CLOCK)
    await one.load(CLOCK)
    deepStrictEqual(two.current.bytes.equals(one.current.bytes), true)
  }
  const third = new Record(place, filesOf('local'), log)
  await third.load(CLOCK)
  t.ok(third.current.bytes.equals(documents.at(-1)?.bytes ?? Buffer.alloc(0)))
  for (const record of [one, two, third]) {
    for (const { document, digest } of documents) {
      const found = await record.documentAt(document.generation, CLOCK)
      strictEqual(found.digest, digest)
      strictEqual(render(found.document).digest, digest)
    }
  }
  t.equal((await third.documentAt(undefined, CLOCK)).digest, third.current.digest, 'no generation is the present one')
  t.equal((await third.documentAt(999, CLOCK)).digest, third.current.digest, 'nor is one that is not there yet')
  t.equal((await third.documentAt(0, CLOCK)).digest, documents[0]?.digest, 'before the oldest is the oldest')
})

t.test('earlier documents, also with large changes, are known without the files', async (t) => {
  const place = directory(t)
  const [one, two] = [new Record(place, filesOf('local'), log), new Record(place, filesOf('local'), log)]
  const documents: Rendered[] = []
  for (const bytes of [10, 100_000, 10, 50_000]) {
    documents.push(await grow(one, 'a', CLOCK, bytes))
    await two.load(CLOCK)
  }
  for (const name of segmentsIn(place)) rmSync(join(place, name))
  for (const record of [one, two]) {
    for (const { document, digest } of documents.slice(1)) {
      const found = await record.documentAt(document.generation, CLOCK)
      t.equal(found.digest, digest)
      t.equal(render(found.document).digest, digest)
    }
  }
})

t.test('a torn last line does not count, wherever it is torn, and the next commit is whole', async (t) => {
  const place = directory(t)
  const record = new Record(place, filesOf('local'), log)
  await grow(record, 'a')
  const { size } = statSync(segmentOf(place))
  const text = readFileSync(segmentOf(place))
  await grow(record, 'b')
  const line = readFileSync(segmentOf(place)).subarray(size)
  const end = line.indexOf('\n')
  // Without its line break even a line that is otherwise there is torn.
  for (const length of [1, 40, end - 1, end]) {
    writeFileSync(segmentOf(place), Buffer.concat([text, line.subarray(0, length)]))
    const again = new Record(place, filesOf('local'), log)
    await again.load(CLOCK)
    t.equal(again.current.document.entries.length, 1)
    t.equal(statSync(segmentOf(place)).size, size, 'and it is removed')
    await grow(again, 'c')
    const third = new Record(place, filesOf('local'), log)
    await third.load(CLOCK)
    t.equal(third.current.document.entries.length, 2)
    t.same(readdirSync(place), segmentsIn(place), 'no damage')
  }
})

t.test('a damaged record: what is before the damage counts, and the segment is kept for a look', async (t) => {
  const place = directory(t)
  const record = new Record(place, filesOf('local'), log)
  for (const name of ['a', 'b', 'c']) await grow(record, name)
  const segment = segmentOf(place)
  const text = readFileSync(segment, 'utf8')
  writeFileSync(segment, text.replace('"generation":2,', '"generation":oh,'))
  const again = new Record(place, filesOf('local'), log)
  await again.load(CLOCK)
  t.equal(again.current.document.entries.length, 1)
  t.ok(readdirSync(place).some((name) => name.endsWith('.damaged')))
  await grow(again, 'd')
  const third = new Record(place, filesOf('local'), log)
  await third.load(CLOCK)
  t.equal(third.current.document.entries.length, 2)

  writeFileSync(segmentOf(place), 'no record at all\n')
  const fourth = new Record(place, filesOf('local'), log)
  await fourth.load(CLOCK)
  t.equal(fourth.current.document.generation, 0, 'a segment without a document is none')
  t.same(segmentsIn(place), [])
  const kept = readdirSync(place).map((name) => readFileSync(join(place, name), 'utf8'))
  t.ok(kept.includes('no record at all\n'), 'and is kept for a look')
})

t.test('a line whose document is not the one that it was is damage, too', async (t) => {
  const place = directory(t)
  const record = new Record(place, filesOf('local'), log)
  for (const name of ['a', 'b']) await grow(record, name)
  const segment = segmentOf(place)
  writeFileSync(segment, readFileSync(segment, 'utf8').replace('"server":"b"', '"server":"z"'))
  const again = new Record(place, filesOf('local'), log)
  await again.load(CLOCK)
  t.ok(readdirSync(place).some((name) => name.endsWith('.damaged')))
})

t.test('a record of a later version is refused, and nothing is changed', async (t) => {
  const dataDir = directory(t)
  const server = await serve(t, dataDir)
  await post(server.url, DRIFTED)
  await server.stop()
  const segment = segmentOf(dataDir)
  const text = readFileSync(segment, 'utf8').replace('{"version":1,', '{"version":2,')
  writeFileSync(segment, text)
  const before = readFileSync(server.file, 'utf8')
  const again = await serve(t, dataDir)
  t.match(await ask(`${again.url}/readyz`), { status: 503, json: { problems: [{ detail: /later version/ }] } })
  t.equal((await post(again.url, snapshotOf({ server: 'next' }))).status, 503)
  t.same([readFileSync(segment, 'utf8'), readFileSync(again.file, 'utf8')], [text, before])
  t.equal((await ask(`${again.url}/status.json`)).text, before, 'the file is served all the same')
  await again.stop()

  const edited = JSON.stringify({ ...(JSON.parse(before) as object), note: 'by hand' })
  writeFileSync(server.file, edited)
  const third = await serve(t, dataDir)
  t.match((await ask(`${third.url}/status.json`)).json, { note: 'by hand', statuses: [{ server: 'rsyslog-lab' }] })
  t.equal(readFileSync(third.file, 'utf8'), edited)
})

t.test('a commit counts once its line is on disk, and a segment once its name is', async (t) => {
  const place = directory(t)
  const record = new Record(place, filesOf('local'), log)
  const synced: string[] = []
  const note = (path: string): void => void synced.push(path === place ? 'directory' : path.slice(place.length + 1))
  await beforeHandleCalls(t, 'sync', note)
  await beforeHandleCalls(t, 'datasync', note)
  await grow(record, 'a')
  t.same(synced.splice(0), ['directory'], 'the first commit is a segment')
  await grow(record, 'b')
  t.same(synced.splice(0), ['status.record-1.jsonl'])
  await record.begin(record.current, CLOCK)
  t.same(synced, ['directory'])
})

t.test('a line that cannot be brought to disk is removed, and the next commit is whole', async (t) => {
  const place = directory(t)
  const record = new Record(place, filesOf('local'), log)
  await grow(record, 'a')
  const { size } = statSync(segmentOf(place))
  const { current } = record
  let isFailing = true
  await beforeHandleCalls(t, 'datasync', () => {
    // Only once: what was written is then removed.
    if (!isFailing) return
    isFailing = false
    throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
  })
  await t.rejects(grow(record, 'b'), { code: 'EIO' })
  t.equal(record.current, current)
  t.equal(statSync(segmentOf(place)).size, size)
  await grow(record, 'c')
  const again = new Record(place, filesOf('local'), log)
  await again.load(CLOCK)
  t.same(
    again.current.document.entries.map(({ status }) => status.server),
    ['a', 'c'],
  )
})

t.test('a commit that is taken back was never made', async (t) => {
  const place = directory(t)
  const record = new Record(place, filesOf('local'), log)
  const first = await grow(record, 'a')
  const size = statSync(segmentOf(place)).size
  const next = render(posted(first.document, snapshotOf({ server: 'b' }, [], DRIFTED.last_check)).document)
  const commit = await record.append(next, [], CLOCK)
  await commit.takeBack()
  t.equal(record.current, first)
  t.equal(statSync(segmentOf(place)).size, size)
  const confirmed = await record.append(next, [], CLOCK)
  await confirmed.confirm()
  await confirmed.takeBack()
  t.equal(statSync(segmentOf(place)).size, size, 'also after it was confirmed')

  const empty = directory(t)
  const fresh = new Record(empty, filesOf('local'), log)
  await (await fresh.append(first, [], CLOCK)).takeBack()
  t.same([readdirSync(empty), fresh.current.document.generation], [[], 0], 'nor the first one')
})

t.test('segments: a new one in time, the one before is kept, older ones go by age or size', async (t) => {
  const place = directory(t)
  const record = new Record(place, filesOf('local'), log)
  const peer = new Record(place, filesOf('local'), log)
  const rotate = async (clock: Clock): Promise<void> => {
    const { length } = segmentsIn(place)
    for (let index = 0; segmentsIn(place).length === length && index < 100; index += 1) {
      await grow(record, 'big', clock, 1_000_000 + index)
      await record.compactIfDue(clock)
      if (index % 3 === 0) await peer.load(clock)
    }
  }
  const clock = { ...CLOCK, now: Date.now() }
  await grow(record, 'small')
  for (let round = 0; round < 4; round += 1) await rotate(clock)
  const all = segmentsIn(place)
  t.equal(all.length, 5, 'all that is younger than a day')
  await peer.load(clock)
  t.ok(peer.current.bytes.equals(record.current.bytes), 'a peer follows into new segments')
  const old = new Date(clock.now - 25 * 3_600_000)
  for (const name of all.slice(0, 2)) utimesSync(join(place, name), old, old)
  await record.begin(record.current, clock)
  t.same(segmentsIn(place).slice(0, 3), all.slice(2))
  for (let bytes = 0; bytes < 64; bytes += 16) {
    appendFileSync(join(place, all[2] ?? ''), Buffer.alloc(16 * 1024 * 1024))
  }
  await rotate(clock)
  t.notOk(segmentsIn(place).includes(all[2] ?? ''), 'too large together')
  await grow(record, 'one more', clock)
  const previous = segmentsIn(place).at(-1) ?? ''
  for (const name of segmentsIn(place)) utimesSync(join(place, name), old, old)
  await record.begin(record.current, clock)
  t.same(segmentsIn(place).slice(0, -1), [previous], 'the one before the last stays, whatever its age')
})

t.test(
  'a server begins a new segment once the commits of the present one are some multiple of its document',
  async (t) => {
    const server = await serve(t)
    await eventually(async () => {
      await post(server.url, { ...snapshotOf({}), note: String(Math.random()).repeat(10_000) })
      ok(segmentsIn(server.dataDir).length > 1)
    })
    t.pass()
  },
)

/** A record of these targets, in a directory of its own. */
async function build(t: Test, names: readonly string[]): Promise<{ place: string; record: Record }> {
  const place = join(directory(t), 'data')
  mkdirSync(place)
  const record = new Record(place, filesOf('local'), log)
  for (const name of names) await grow(record, name)
  return { place, record }
}

function replaceBy(place: string, by: string): void {
  renameSync(place, `${place}.old`)
  cpSync(by, place, { recursive: true })
}

async function targetsIn(place: string): Promise<string[]> {
  const record = new Record(place, filesOf('local'), log)
  await record.load(CLOCK)
  return record.current.document.entries.map(({ status }) => status.server)
}

t.test('the directory is replaced: what this server knows goes on, unless the other record is newer', async (t) => {
  const cases: { note: string; other: string[]; expected: string[] }[] = [
    { note: 'older', other: ['a'], expected: ['a', 'b', 'c'] },
    { note: 'empty', other: [], expected: ['a', 'b', 'c'] },
    { note: 'newer', other: ['d', 'e', 'f', 'g'], expected: ['d', 'e', 'f', 'g'] },
    { note: 'of the same size', other: ['d', 'e', 'f'], expected: ['d', 'e', 'f'] },
  ]
  for (const { note, other, expected } of cases) {
    const { place, record } = await build(t, ['a', 'b', 'c'])
    replaceBy(place, (await build(t, other)).place)
    await record.load(CLOCK)
    t.same(
      record.current.document.entries.map(({ status }) => status.server),
      expected,
      note,
    )
    t.same(await targetsIn(place), expected, 'so does the record')
    await grow(record, 'next')
    t.same(await targetsIn(place), [...expected, 'next'])
    t.same(readdirSync(place), segmentsIn(place), 'nothing was taken for damage')
  }

  const { place, record } = await build(t, ['a', 'b'])
  const { size } = statSync(segmentOf(place))
  await grow(record, 'c')
  truncateSync(segmentOf(place), size)
  await record.load(CLOCK)
  t.same(await targetsIn(place), ['a', 'b', 'c'], 'the file itself has lost its end')
})

t.test('a peer begins a new segment: the document stays the very same, and nothing in it is due', async (t) => {
  const place = directory(t)
  const [one, two] = [new Record(place, filesOf('local'), log), new Record(place, filesOf('local'), log)]
  await grow(one, 'a')
  // The clock of the other server is behind: for it the target is not stale yet.
  const behind = { ...CLOCK, now: CLOCK.now - 800 }
  await two.load(behind)
  const stale = { ...snapshotOf({ server: 'b' }, [], DRIFTED.last_check), stale_after: 0.5 }
  await (await one.append(render(posted(one.current.document, stale).document), [], CLOCK)).confirm()
  await one.begin(one.current, CLOCK)
  await two.load(behind)
  t.match(two.current.document.entries[1], { status: { server: 'b', stale: true }, changesAt: Infinity })
  const { current } = two
  await grow(one, 'c')
  await two.load(behind)
  await one.begin(one.current, CLOCK)
  const before = two.current
  await two.load(behind)
  t.equal(two.current, before)
  t.equal((await two.documentAt(current.document.generation, behind)).digest, current.digest)
})

t.test('what a peer’s commit replaces is no edit until the peer has put the commit in place', async (t) => {
  const place = directory(t)
  const [one, two] = [new Record(place, filesOf('local'), log), new Record(place, filesOf('local'), log)]
  const first = await grow(one, 'a')
  const commit = await one.append(render(withTarget(first, 'b')), ['digest of an edit'], CLOCK)
  await two.load(CLOCK)
  t.same(
    [first.digest, 'digest of an edit'].map((digest) => two.isSuperseded(digest)),
    [true, true],
  )
  await commit.confirm()
  await two.load(CLOCK)
  t.same(
    [first.digest, 'digest of an edit'].map((digest) => two.isSuperseded(digest)),
    [false, false],
  )
})

t.test('a lock that the volume did not keep: what a peer has committed meanwhile stays', async (t) => {
  const place = directory(t)
  const [one, two, third] = [0, 1, 2].map(() => new Record(place, filesOf('local'), log)) as [Record, Record, Record]
  await grow(one, 'a')
  await two.load(CLOCK)
  await grow(two, 'b')
  const { current } = one
  const text = readFileSync(segmentOf(place), 'utf8')
  await t.rejects(grow(one, 'c'), { name: 'StoreError', kind: 'no-lock', message: /lost the lock.*record-1/ })
  t.equal(one.current, current, 'nothing counts as committed')
  t.equal(readFileSync(segmentOf(place), 'utf8'), text, 'nothing was written')
  await one.load(CLOCK)
  await grow(one, 'c')
  await third.load(CLOCK)
  t.equal(third.current.document.entries.length, 3)

  await two.load(CLOCK)
  const commit = await one.append(render(withTarget(one.current, 'd')), [], CLOCK)
  const waiting = grow(two, 'e')
  await commit.takeBack()
  await waiting
  await third.load(CLOCK)
  t.same(
    third.current.document.entries.map(({ status }) => status.server),
    ['a', 'b', 'c', 'e'],
    'nobody appends before a commit is in place or taken back',
  )
})

t.test('a commit that is taken back after it was noted as placed: neither line stays', async (t) => {
  const place = directory(t)
  const record = new Record(place, filesOf('local'), log)
  await grow(record, 'a')
  const text = readFileSync(segmentOf(place), 'utf8')
  const commit = await record.append(render(withTarget(record.current, 'b')), [], CLOCK)
  await commit.confirm()
  await commit.takeBack()
  t.equal(readFileSync(segmentOf(place), 'utf8'), text)
  t.equal(record.current.document.entries.length, 1)
})

t.test('start: what went stale while no server ran is said to be stale', async (t) => {
  const dataDir = directory(t)
  const server = await serve(t, dataDir, { staleAfter: 3600 })
  await post(server.url, snapshotOf({}, [], formatTime(Date.now() - 600_000)))
  t.match(fileOf(server), { statuses: [{ stale: false }] })
  await server.stop()
  const again = await serve(t, dataDir, { staleAfter: 60 })
  await eventually(() => matches(fileOf(again), { generation: 3, statuses: [{ stale: true, generation: 3 }] }))
})

t.test('killed between the record and the file: the next start puts the commit in place', async (t) => {
  const dataDir = directory(t)
  const server = await serve(t, dataDir)
  await post(server.url, DRIFTED)
  const before = readFileSync(server.file)
  await ask(`${server.url}/api/status?repo=rsyslog`, { method: 'DELETE' })
  const after = readFileSync(server.file)
  await server.stop()
  unplace(dataDir)
  writeFileSync(server.file, before)
  const again = await serve(t, dataDir)
  t.same(readFileSync(again.file), after, 'what was deleted is not taken for restored')
})

t.test('the text that the last commit has replaced, saved while no server ran, is a restore', async (t) => {
  const dataDir = directory(t)
  const server = await serve(t, dataDir)
  await post(server.url, DRIFTED)
  const before = readFileSync(server.file)
  await ask(`${server.url}/api/status?repo=rsyslog`, { method: 'DELETE' })
  t.equal(fileOf(server).statuses.length, 0)
  await server.stop()
  // Unlike after a kill, the record says that the commit was put in place.
  writeFileSync(server.file, before)
  const again = await serve(t, dataDir)
  t.match(fileOf(again), { generation: 4, statuses: [{ server: 'rsyslog-lab' }] })
})

t.test('killed between the record and the file, with an edit: it is merged once', async (t) => {
  const dataDir = directory(t)
  const server = await serve(t, dataDir)
  await post(server.url, DRIFTED)
  const edit = readFileSync(server.file, 'utf8').replace('"stale": true', '"note": "mine",\n      "stale": true')
  writeFileSync(server.file, edit)
  await eventually(() => matches(fileOf(server), { generation: 3, statuses: [{ note: 'mine' }] }))
  const after = readFileSync(server.file)
  await server.stop()
  unplace(dataDir)
  writeFileSync(server.file, edit)
  const again = await serve(t, dataDir)
  t.same(readFileSync(again.file), after)
  t.notOk(again.lines.some(({ msg }) => msg === 'edit merged'))
})

t.test(
  'a peer that was killed between the record and the file: the other server puts its commit in place',
  async (t) => {
    const dataDir = directory(t)
    const server = await serve(t, dataDir)
    await post(server.url, DRIFTED)
    // The peer is killed as soon as its line is in the record.
    const elsewhere = directory(t)
    copyFileSync(segmentOf(dataDir), join(elsewhere, basename(segmentOf(dataDir))))
    const peer = new Record(elsewhere, filesOf('local'), log)
    await peer.load(CLOCK)
    const { size } = statSync(segmentOf(dataDir))
    // After a look at the file the server is at rest: the record alone says that there is something to do.
    await eventually(() => ok(Date.now() - statSync(server.file).ctimeMs > 2500))
    const next = render(
      posted(peer.current.document, snapshotOf({ server: 'of the peer' }, [], DRIFTED.last_check)).document,
    )
    await (await peer.append(next, [], CLOCK)).confirm()
    unplace(elsewhere)
    appendFileSync(segmentOf(dataDir), readFileSync(segmentOf(elsewhere)).subarray(size))
    await eventually(() => ok(fileOf(server).statuses.some(({ server: name }) => name === 'of the peer')), 4000)
    await eventually(async () => ok((await ask(`${server.url}/status.json`)).text.includes('of the peer')))
  },
)

t.test('two servers with different limits for stale: the stricter one prevails, and they come to rest', async (t) => {
  const dataDir = directory(t)
  const [patient, strict] = [await serve(t, dataDir, { staleAfter: 3600 }), await serve(t, dataDir, { staleAfter: 60 })]
  const lastCheck = formatTime(Date.now() - 600_000)
  for (const server of [patient, strict]) {
    const other = server === patient ? strict : patient
    const name = server === patient ? 'posted to the patient one' : 'posted to the strict one'
    t.match((await post(server.url, snapshotOf({ server: name }, [], lastCheck))).json, {
      status: { stale: server === strict },
    })
    await eventually(() =>
      matches(
        fileOf(server).statuses.find((status) => status.server === name),
        { stale: true },
      ),
    )
    const { generation = 0 } = fileOf(server)
    await eventually(() => ok(other.lines.some((line) => isOf(line, generation))))
    // Rounds that follow, of the other one too, commit what they are asked for and nothing else.
    for (const each of [other, server, other]) {
      await post(each.url, { ...snapshotOf({ server: 'marker' }), mark: String(Math.random()) })
    }
    t.equal(fileOf(server).generation, generation + 3)
  }
})

/** True if a line says that a server has this generation. */
function isOf({ msg, generation }: Line, wanted: number): boolean {
  return /^(loaded a document that another server wrote|document written)$/.test(msg) && Number(generation) >= wanted
}

t.test('killed after the commit was put in place and before that was noted: an older text is a restore', async (t) => {
  const dataDir = directory(t)
  const server = await serve(t, dataDir)
  await post(server.url, DRIFTED)
  const before = readFileSync(server.file)
  await ask(`${server.url}/api/status?repo=rsyslog`, { method: 'DELETE' })
  await server.stop()
  unplace(dataDir)
  const again = await serve(t, dataDir)
  t.equal(fileOf(again).statuses.length, 0)
  writeFileSync(again.file, before)
  await eventually(() => strictEqual(fileOf(again).statuses.length, 1))
  await eventually(() => ok(again.lines.some(({ msg }) => msg === 'older generation restored')))
})

t.test('an edit that a killed server has displaced becomes live on the server that goes on', async (t) => {
  const dataDir = directory(t)
  const server = await serve(t, dataDir)
  await post(server.url, DRIFTED)
  const text = `${JSON.stringify({ ...fileOf(server), note: 'displaced' }, null, 2)}\n`
  const left = join(dataDir, '.status.commit.aaaa.bbbb')
  writeFileSync(left, text)
  // What is not a file of a server keeps nobody from anything.
  mkdirSync(join(dataDir, '.status.commit.zzzz.zzzz'))
  await post(server.url, snapshotOf({ server: 'next' }))
  t.notOk(Object.hasOwn(fileOf(server), 'note'), 'it may belong to a server that is alive')
  await eventually(() => matches(fileOf(server), { note: 'displaced' }), 30_000)
  await eventually(() => ok(!readdirSync(dataDir).includes('.status.commit.aaaa.bbbb')))
})

t.test('an edit that was merged and whose file a crash has left is not merged again', async (t) => {
  const dataDir = directory(t)
  const server = await serve(t, dataDir)
  await post(server.url, DRIFTED)
  const withNote = (note: string): string => `${JSON.stringify({ ...fileOf(server), note }, null, 2)}\n`
  const first = withNote('first')
  writeFileSync(server.file, first)
  await eventually(() => matches(fileOf(server), { generation: 3, note: 'first' }))
  writeFileSync(server.file, withNote('second'))
  await eventually(() => matches(fileOf(server), { generation: 4, note: 'second' }))
  await server.stop()
  const left = join(dataDir, '.status.commit.aaaa.bbbb')
  writeFileSync(left, first)
  const again = await serve(t, dataDir)
  t.match(fileOf(again), { note: 'second' })
  t.notOk(readdirSync(dataDir).includes('.status.commit.aaaa.bbbb'))
  await again.stop()
  writeFileSync(left, first.replace('first', 'third'))
  const third = await serve(t, dataDir)
  await eventually(() => matches(fileOf(third), { note: 'third' }))
})

t.test('a peer’s commit is told from an edit: what it changed is not merged a second time', async (t) => {
  const dataDir = directory(t)
  const [a, b] = [await serve(t, dataDir), await serve(t, dataDir)]
  await post(a.url, DRIFTED)
  await eventually(() => ok(b.lines.some(({ msg }) => msg === 'loaded a document that another server wrote')))
  t.notOk(b.lines.some(({ msg }) => msg === 'edit merged'))
})

t.test('a directory of version 0.1: loaded without a step by hand, and its copy goes', async (t) => {
  const dataDir = directory(t)
  const once = await serve(t, dataDir)
  await post(once.url, DRIFTED)
  await once.stop()
  const text = readFileSync(once.file)
  for (const name of segmentsIn(dataDir)) rmSync(join(dataDir, name))
  copyFileSync(once.file, join(dataDir, 'status.copy.json'))
  const again = await serve(t, dataDir)
  t.same(readFileSync(again.file), text)
  t.notOk(readdirSync(dataDir).includes('status.copy.json'))
  await again.stop()

  // An edit made while no server ran: the copy says what it is an edit of.
  for (const name of segmentsIn(dataDir)) rmSync(join(dataDir, name))
  copyFileSync(once.file, join(dataDir, 'status.copy.json'))
  writeFileSync(once.file, text.toString().replace('"statuses"', '"note": "by hand",\n  "statuses"'))
  const third = await serve(t, dataDir)
  t.match(fileOf(third), { note: 'by hand', generation: 3, statuses: [{ server: 'rsyslog-lab' }] })
  await third.stop()

  // A server of version 0.1 has committed since: the file is newer than the record.
  const newer = (generation: number): string =>
    readFileSync(third.file, 'utf8')
      .replace(/"generation": \d+,/, `"generation": ${generation},`)
      .replace('by hand', 'by 0.1')
  for (const name of ['status.json', 'status.copy.json']) writeFileSync(join(dataDir, name), newer(9))
  const fourth = await serve(t, dataDir)
  t.match(fileOf(fourth), { note: 'by 0.1', generation: 9 })
  t.match(
    fourth.lines.find(({ msg }) => msg.startsWith('record started')),
    { generation: 9 },
  )
  await fourth.stop()

  // No server of version 0.1 has run: its copy is missing. A larger number is what a person has typed.
  writeFileSync(fourth.file, newer(20).replace('by 0.1', 'typed'))
  const fifth = await serve(t, dataDir)
  t.match(fileOf(fifth), { note: 'typed', generation: 21 })
  await eventually(() => ok(fifth.lines.some(({ msg }) => msg === 'edit merged')))
})

t.test('a directory of a version that knew no states: every target gets one, and nothing else changes', async (t) => {
  const dataDir = directory(t)
  const once = await serve(t, dataDir)
  await post(once.url, [DRIFTED, snapshotOf({ server: 'fine', repo: 'nginx' })])
  await once.stop()
  const { summary: _summary, statuses, ...head } = fileOf(once) as { summary?: unknown } & ReturnType<typeof fileOf>
  const former = { ...head, statuses: statuses.map(({ state: _state, ...status }) => status) }
  const text = `${JSON.stringify(former, null, 2)}\n`
  writeFileSync(once.file, text)
  for (const name of segmentsIn(dataDir)) rmSync(join(dataDir, name))
  copyFileSync(once.file, join(dataDir, 'status.copy.json'))
  const again = await serve(t, dataDir)
  t.ok(again.lines.some(({ msg }) => msg.startsWith('record started')))
  const document = fileOf(again) as { summary?: object } & ReturnType<typeof fileOf>
  t.match(document, { generation: 3, summary: { state: 'stale', targets: 2, stale: 1, synced: 1 } })
  t.match(
    document.statuses.map(({ state }) => state),
    ['synced', 'stale'],
  )
  t.match(
    document.statuses,
    former.statuses.map(({ generation: _generation, ...status }) => status),
  )
})

t.test(
  'a copy of ten minutes ago is merged against the document of its own generation, also after a restart',
  async (t) => {
    const dataDir = directory(t)
    const server = await serve(t, dataDir)
    await post(server.url, DRIFTED)
    const old = readFileSync(server.file, 'utf8')
    for (let index = 0; index < 30; index += 1) await post(server.url, snapshotOf({ server: `s${index}` }))
    writeFileSync(
      server.file,
      readFileSync(server.file, 'utf8').replace('"statuses"', '"title": "anna",\n  "statuses"'),
    )
    await eventually(() => matches(fileOf(server), { title: 'anna' }))
    await server.stop()
    const again = await serve(t, dataDir)
    writeFileSync(again.file, old.replace('"stale": true', '"note": "old copy",\n      "stale": true'))
    await eventually(() => {
      const document = fileOf(again)
      ok(document.statuses.some((status) => status['note'] === 'old copy'))
      matches(document, { title: 'anna' })
    })
    t.equal(fileOf(again).statuses.length, 31)
    t.pass('what others have changed since stays')
  },
)
