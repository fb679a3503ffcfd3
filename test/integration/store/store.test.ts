import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { helpFor } from '../../../src/project.ts'
import { TARGETS_MAX } from '../../../src/status/schema.ts'
import { formatTime } from '../../../src/status/time.ts'
import type { SavedDocument } from '../../../src/status/schema.ts'
import { Pace } from '../../../src/store/pace.ts'
import { Watcher } from '../../../src/store/watcher.ts'
import { digestOf } from '../../../src/store/durable-file.ts'
import { directory } from '../../support/directory.ts'
import { ask, eventually, matches, post, sameBytes } from '../../support/http.ts'
import { type Server, fileOf, runServer, serve } from '../../support/server.ts'
import { DRIFTED, snapshotOf } from '../../support/snapshots.ts'

/** How soon a valid edit must be live, in ms; some more than is promised, as the test machine has other things to do. */
const LIVE_WITHIN_MS = 2000

t.test('an edit is live, however it is saved', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const ways: Record<string, (text: string) => void | Promise<void>> = {
    'in place': (text) => writeFileSync(server.file, text),
    'by rename': (text) => {
      writeFileSync(join(server.dataDir, '.status.json.swp'), text)
      renameSync(join(server.dataDir, '.status.json.swp'), server.file)
    },
    'by deleting and creating': async (text) => {
      rmSync(server.file)
      await new Promise((resolve) => {
        setTimeout(resolve, 150)
      })
      writeFileSync(server.file, text)
    },
    'with the old one kept as a backup': (text) => {
      renameSync(server.file, `${server.file}~`)
      writeFileSync(server.file, text)
    },
    'with a byte order mark and CRLF': (text) => writeFileSync(server.file, `\uFEFF${text.replaceAll('\n', '\r\n')}`),
    'on one line': (text) => writeFileSync(server.file, JSON.stringify(JSON.parse(text))),
  }
  for (const [note, save] of Object.entries(ways)) {
    const { generation = 0 } = fileOf(server)
    await save(edited(server, (document) => (document.statuses[0] = { ...first(document), note })))
    await eventually(async () => {
      const answer = await ask(`${server.url}/status.json`)
      matches(answer.json, { generation: generation + 1, statuses: [{ note, generation: generation + 1 }] })
      sameBytes(answer.body, readFileSync(server.file))
    }, LIVE_WITHIN_MS)
    t.pass(note)
  }
  // Readers get an edit before it is logged.
  await server.stop()
  t.equal(server.lines.filter(({ msg }) => msg === 'edit merged').length, Object.keys(ways).length, 'one line an edit')
})

t.test(
  'an edit wakes the server by an event, also where the directory is named relative to the current one',
  async (t) => {
    const place = directory(t)
    for (const name of [place, relative('', place), `${relative('', place)}/`, `./${relative('', place)}`]) {
      let woken = 0
      const started = performance.now()
      const watcher = new Watcher({
        directory: name,
        wake: () => (woken = performance.now() - started),
        onError: (error) => t.fail(String(error)),
      })
      t.teardown(() => watcher.close())
      await eventually(() => ok(woken > 0), 1500)
      // Under load it rests, and then it listens again.
      watcher.commitStarting()
      watcher.commitStarting()
      woken = 0
      await eventually(() => ok(woken > 0), 1500)
      woken = 0
      writeFileSync(join(place, 'status.json'), String(Math.random()))
      await eventually(() => ok(woken > 0), 1500)
      t.ok(woken < 2000, `${name}: after ${Math.round(woken)} ms, before the look without an event`)
      await watcher.close()
    }
  },
)

t.test('an edit made from an old copy undoes no newer snapshot, and loses nothing', async (t) => {
  const server = await serve(t)
  await post(server.url, [DRIFTED, snapshotOf({ server: 'gone' })])
  const copy = edited(server, (document) => {
    document.statuses = document.statuses
      .filter((status) => status.server !== 'gone')
      .map((status) => ({ ...status, note: 'mine' }))
  })
  await post(server.url, snapshotOf({}, ['other.conf']))
  await post(server.url, snapshotOf({ server: 'new' }))
  writeFileSync(server.file, copy)
  await eventually(() => {
    const statuses = fileOf(server).statuses.map(({ server: name, note, files }) => [name, note, files.length])
    deepStrictEqual(statuses, [
      ['new', undefined, 0],
      ['rsyslog-lab', 'mine', 1],
    ])
  })
})

t.test('an edit that is not valid is not served, is explained, and is kept', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const good = readFileSync(server.file)
  const bad = readFileSync(server.file, 'utf8').replace('"OUT_OF_SYNC"', '"DRIFTED"')
  writeFileSync(server.file, bad)
  const expected = {
    kind: 'rejected-edit',
    file: 'status.json',
    errors: [
      { pointer: '/statuses/0/sync_status', line: 20, column: 22, detail: 'must be one of SYNCED, OUT_OF_SYNC, null' },
    ],
  }
  const ready = await eventually(async () => {
    const answer = await ask(`${server.url}/readyz`)
    matches(answer.json, { problems: [expected] })
    return answer
  })
  t.equal(ready.status, 200, 'snapshots can still be committed')
  t.match(
    server.lines.find(({ msg }) => msg.startsWith('edit rejected')),
    { level: 'error', faults: expected.errors, help: helpFor('rejected-edit') },
  )
  t.same((await ask(`${server.url}/status.json`)).body, good, 'readers get the last good document')
  t.equal(readFileSync(server.file, 'utf8'), bad, 'the text stays where it is while nothing is posted')

  t.equal((await post(server.url, snapshotOf({ server: 'next' }))).status, 201)
  t.equal(fileOf(server).statuses.length, 2)
  const aside = await eventually(() => {
    const [name] = rejected(server)
    ok(name)
    return name
  })
  t.equal(readFileSync(join(server.dataDir, aside), 'utf8'), bad, 'then it is moved aside, byte for byte')
  await eventually(async () =>
    matches((await ask(`${server.url}/readyz`)).json, { problems: [{ ...expected, file: aside }] }),
  )

  writeFileSync(
    server.file,
    edited(server, (document) => (document['note'] = 'better')),
  )
  await eventually(async () => deepStrictEqual(await problemsOf(server), []), LIVE_WITHIN_MS)
  t.match(fileOf(server), { note: 'better' })
})

t.test('of the rejected texts the newest 20 are kept', async (t) => {
  const server = await serve(t)
  for (let round = 0; round < 23; round += 1) {
    writeFileSync(server.file, `{"statuses": ${round}}`)
    t.equal((await post(server.url, snapshotOf({ server: `s${round}` }))).status, 201)
  }
  await eventually(() =>
    deepStrictEqual(
      rejected(server).map((name) => readFileSync(join(server.dataDir, name), 'utf8')),
      Array.from({ length: 20 }, (_, index) => `{"statuses": ${index + 3}}`),
    ),
  )
})

t.test('a file that is seen half-written is neither served nor rejected', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const whole = Buffer.from(edited(server, (document) => (document.statuses[0] = { ...first(document), note: 'slow' })))
  const handle = await open(server.file, 'r+')
  await handle.truncate(0)
  const during: Promise<unknown>[] = []
  for (let offset = 0; offset < whole.length; offset += 100) {
    await handle.write(whole, offset, Math.min(100, whole.length - offset), offset)
    during.push(post(server.url, snapshotOf({ server: `during-${offset}` })))
    await eventually(async () => matches((await ask(`${server.url}/status.json`)).json, { statuses: [{}] }))
  }
  await handle.close()
  for (const answer of await Promise.all(during)) t.match(answer, { status: 201 })
  t.equal(fileOf(server).statuses.length, during.length + 1)
  t.match(
    fileOf(server).statuses.find(({ server: name }) => name === 'rsyslog-lab'),
    { note: 'slow' },
  )
  t.same(rejected(server), [])
})

t.test('a deleted file means wait, not "everything deleted"', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const before = (await ask(`${server.url}/status.json`)).body
  rmSync(server.file)
  await eventually(() => ok(server.lines.some(({ msg }) => /is missing/.test(msg))))
  t.same((await ask(`${server.url}/status.json`)).body, before)
  await post(server.url, snapshotOf({ server: 'next' }))
  t.equal(fileOf(server).statuses.length, 2)
})

t.test(
  'an older generation copied over the file is restored: newer verdicts stay, removed targets are back',
  async (t) => {
    const server = await serve(t)
    await post(server.url, [
      DRIFTED,
      snapshotOf({ server: 'checked' }),
      snapshotOf({ repo: 'other', server: 'removed' }),
    ])
    writeFileSync(
      server.file,
      edited(server, (document) => (document['note'] = 'as it was')),
    )
    await eventually(() => matches(fileOf(server), { note: 'as it was', generation: 3 }))
    const backup = join(server.dataDir, 'backup')
    copyFileSync(server.file, backup)
    await post(server.url, snapshotOf({ server: 'checked' }, ['newer.conf'], formatTime(Date.now() + 1000)))
    await post(server.url, snapshotOf({ server: 'posted since' }))
    writeFileSync(
      server.file,
      edited(server, (document) => (document['note'] = 'changed since')),
    )
    await eventually(() => matches(fileOf(server), { note: 'changed since' }))
    await ask(`${server.url}/api/status?repo=other`, { method: 'DELETE' })
    const { generation = 0 } = fileOf(server)
    utimesSync(backup, 1, 1)
    renameSync(backup, server.file)
    await eventually(() => strictEqual(fileOf(server).generation, generation + 1), LIVE_WITHIN_MS)
    t.match(fileOf(server), {
      note: 'as it was',
      statuses: [
        { server: 'removed' },
        { server: 'checked', drift_count: 1 },
        { server: 'posted since' },
        { server: 'rsyslog-lab' },
      ],
    })
    await eventually(() =>
      matches(
        server.lines.find(({ msg }) => msg === 'older generation restored'),
        { restored: 3, generation: generation + 1 },
      ),
    )
  },
)

t.test('a restore of the generation just before is one, too', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const before = readFileSync(server.file)
  await ask(`${server.url}/api/status?repo=rsyslog`, { method: 'DELETE' })
  t.equal(fileOf(server).statuses.length, 0)
  writeFileSync(server.file, before)
  await eventually(() => strictEqual(fileOf(server).statuses.length, 1), LIVE_WITHIN_MS)
})

t.test('the whole directory is replaced: the server goes on in the new one', async (t) => {
  const dataDir = join(directory(t), 'data')
  const server = await serve(t, dataDir)
  await post(server.url, DRIFTED)
  renameSync(dataDir, `${dataDir}.old`)
  mkdirSync(dataDir)
  copyFileSync(`${dataDir}.old/status.json`, server.file)
  t.equal((await post(server.url, snapshotOf({ server: 'next' }))).status, 201)
  t.equal(fileOf(server).statuses.length, 2)
  writeFileSync(
    server.file,
    edited(server, (document) => (document['note'] = 'found by looking')),
  )
  await eventually(() => matches(fileOf(server), { note: 'found by looking', generation: 4 }), 5000)
})

t.test('the directory is gone: 503, readers go on, and so does the server once it is back', async (t) => {
  const dataDir = join(directory(t), 'data')
  const server = await serve(t, dataDir)
  await post(server.url, DRIFTED)
  const before = (await ask(`${server.url}/status.json`)).body
  renameSync(dataDir, `${dataDir}.old`)
  const refused = await post(server.url, snapshotOf({ server: 'next' }))
  t.match(refused, {
    status: 503,
    headers: { 'retry-after': /\d/ },
    json: { type: /cannot-commit$/, detail: /ENOENT/ },
  })
  t.same((await ask(`${server.url}/status.json`)).body, before)
  t.match(await ask(`${server.url}/readyz`), {
    status: 503,
    json: { ready: false, problems: [{ kind: 'unavailable', detail: /ENOENT/ }] },
  })
  renameSync(`${dataDir}.old`, dataDir)
  await eventually(async () => deepStrictEqual(await problemsOf(server), []))
  t.equal((await ask(`${server.url}/readyz`)).status, 200)
  t.equal((await post(server.url, snapshotOf({ server: 'next' }))).status, 201)
})

t.test('start: a file that is broken or gone is written from the record, and the broken text is kept', async (t) => {
  const dataDir = directory(t)
  const once = await serve(t, dataDir)
  await post(once.url, DRIFTED)
  await post(once.url, snapshotOf({ server: 'next' }))
  await once.stop()
  const text = readFileSync(once.file, 'utf8')
  writeFileSync(once.file, '{"generation": ')

  const again = await serve(t, dataDir)
  t.equal(readFileSync(again.file, 'utf8'), text, 'after a clean stop nothing is missing')
  t.same((await ask(`${again.url}/status.json`)).body, readFileSync(again.file))
  // The server answers before it has set that aside.
  await eventually(() =>
    deepStrictEqual(
      rejected(again).map((name) => readFileSync(join(dataDir, name), 'utf8')),
      ['{"generation": '],
    ),
  )
  t.match(
    again.lines.find(({ msg }) => msg === 'status.json written from the record'),
    { targets: 2 },
  )
  await eventually(async () =>
    matches((await ask(`${again.url}/readyz`)).json, { ready: true, problems: [{ kind: 'rejected-edit' }] }),
  )

  await again.stop()
  rmSync(again.file)
  const third = await serve(t, dataDir)
  t.equal(readFileSync(third.file, 'utf8'), text, 'nor after the file was deleted meanwhile')
})

t.test('start: after kill -9 the record has the last commit', async (t) => {
  const dataDir = directory(t)
  const killed = await runServer(t, dataDir)
  for (const name of ['one', 'two', 'three']) await post(killed.url, snapshotOf({ server: name }))
  killed.child.kill('SIGKILL')
  await killed.ended
  const file = join(dataDir, 'status.json')
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, '')

  const again = await serve(t, dataDir)
  t.equal(readFileSync(again.file, 'utf8'), text)
  t.same((await problemsOf(again)).length, 1)
})

t.test('start: after an invalid edit and kill -9 nothing is missing', async (t) => {
  const dataDir = directory(t)
  const killed = await runServer(t, dataDir)
  for (const name of ['one', 'two']) await post(killed.url, snapshotOf({ server: name }))
  writeFileSync(join(dataDir, 'status.json'), '{"statuses": 1}')
  await eventually(async () => strictEqual((await problemsOf(killed)).length, 1))
  killed.child.kill('SIGKILL')
  await killed.ended
  const again = await serve(t, dataDir)
  t.equal(fileOf(again).statuses.length, 2)
})

t.test('start: an older backup restored while the server was down is an edit from an old copy', async (t) => {
  const dataDir = directory(t)
  const once = await serve(t, dataDir)
  await post(once.url, DRIFTED)
  const backup = readFileSync(once.file, 'utf8').replace('"statuses"', '"note": "restored",\n  "statuses"')
  await post(once.url, snapshotOf({}, ['newer.conf']))
  await post(once.url, snapshotOf({ server: 'newer' }))
  await once.stop()
  const { generation = 0 } = fileOf(once)
  writeFileSync(once.file, backup)
  const again = await serve(t, dataDir)
  t.match(fileOf(again), {
    note: 'restored',
    generation: generation + 1,
    statuses: [{ server: 'newer' }, { server: 'rsyslog-lab', drift_count: 1 }],
  })
})

t.test('an editor that had the file open writes into it after a commit has displaced it', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const text = edited(server, (document) => (document.statuses[0] = { ...first(document), note: 'late' }))
  const editor = await open(server.file, 'r+')
  await post(server.url, snapshotOf({ server: 'next' }))
  await editor.write(text, 0)
  await editor.truncate(Buffer.byteLength(text))
  await editor.close()
  await eventually(() => matches(fileOf(server), { statuses: [{ server: 'next' }, { note: 'late' }] }))
  t.equal(fileOf(server).statuses.length, 2)
  t.same(rejected(server), [])
})

t.test('stop: what an editor has written into a displaced file is merged before the server ends', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const text = edited(server, (document) => (document['note'] = 'late'))
  const editor = await open(server.file, 'r+')
  await post(server.url, snapshotOf({ server: 'next' }))
  await editor.write(text, 0)
  await editor.truncate(Buffer.byteLength(text))
  await editor.close()
  await server.stop()
  t.match(fileOf(server), { note: 'late', statuses: [{ server: 'next' }, { server: 'rsyslog-lab' }] })
})

t.test('a clock that is set back keeps no half-written text waiting', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  writeFileSync(server.file, '{"statuses": [')
  await eventually(() => ok(server.lines.some(({ msg }) => msg === 'edit rejected')))
  const { now } = Date
  t.teardown(() => (Date.now = now))
  Date.now = () => now() - 3_600_000
  t.equal((await post(server.url, snapshotOf({ server: 'next' }, [], formatTime(Date.now())))).status, 201)
})

t.test('start: an edit made while the server was down is taken, and gets its usual form', async (t) => {
  const dataDir = directory(t, {
    'status.json': JSON.stringify({ statuses: [{ ...DRIFTED, note: 'by hand' }, snapshotOf({ repo: 'a' })] }),
  })
  const server = await serve(t, dataDir)
  t.match(fileOf(server), {
    $schema: './status.schema.json',
    generation: 1,
    statuses: [
      { repo: 'a', stale: false },
      { note: 'by hand', since: DRIFTED.last_check, stale: true, generation: 1 },
    ],
  })
  await server.stop()
  const text = readFileSync(server.file, 'utf8')
  const again = await serve(t, dataDir)
  t.equal(readFileSync(again.file, 'utf8'), text, 'a start that finds everything in order writes nothing')
})

t.test('start: what a killed server left is cleared up, and an edit in it is not lost', async (t) => {
  const dataDir = directory(t)
  const once = await serve(t, dataDir)
  await post(once.url, DRIFTED)
  await once.stop()
  const text = readFileSync(once.file)
  const unread = edited(once, (document) => (document['note'] = 'saved at the moment of the kill'))
  const leftover = (displaced: Buffer, staged: Buffer, holds: string | Buffer): void =>
    writeFileSync(join(dataDir, `.status.commit.${digestOf(displaced)}.${digestOf(staged)}`), holds)
  leftover(text, Buffer.from('staged'), 'staged')
  leftover(text, Buffer.from('other'), text)
  leftover(text, Buffer.from('third'), unread)
  writeFileSync(join(dataDir, `.status.commit.${digestOf(text)}.x.123456`), 'half of it')

  const again = await serve(t, dataDir)
  await eventually(() => matches(fileOf(again), { note: 'saved at the moment of the kill' }))
  await eventually(() =>
    deepStrictEqual(
      readdirSync(dataDir).filter((name) => name.startsWith('.status.commit.')),
      [],
    ),
  )
  t.same(rejected(again), [])
  await again.stop()

  leftover(Buffer.from('broken'), Buffer.from('fourth'), 'broken')
  const third = await serve(t, dataDir)
  await eventually(() => strictEqual(rejected(third).length, 1))
  t.equal(readFileSync(join(dataDir, rejected(third)[0] ?? ''), 'utf8'), 'broken', 'an invalid one is set aside')
})

t.test('start: an older copy saved after a kill -9 undoes nothing that was acknowledged', async (t) => {
  const dataDir = directory(t)
  const killed = await runServer(t, dataDir)
  await post(killed.url, DRIFTED)
  const file = join(dataDir, 'status.json')
  const old = readFileSync(file, 'utf8').replace('"statuses"', '"note": "old copy",\n  "statuses"')
  await post(killed.url, snapshotOf({ server: 'next' }))
  killed.child.kill('SIGKILL')
  await killed.ended
  writeFileSync(file, old)
  const again = await serve(t, dataDir)
  t.match(fileOf(again), { note: 'old copy' })
  t.equal(fileOf(again).statuses.length, 2)
})

t.test('two servers: an edit saved over a commit that the other server has not seen yet', async (t) => {
  const dataDir = directory(t)
  const [a, b] = [await serve(t, dataDir), await serve(t, dataDir)]
  for (let round = 0; round < 20; round += 1) {
    const { generation: opened = 0 } = fileOf(a)
    const text = edited(a, (document) => (document[`note${round}`] = 1))
    writeFileSync(`${a.file}.swp`, text)
    t.equal((await post((round % 2 === 0 ? a : b).url, snapshotOf({ server: `s${round}` }))).status, 201)
    renameSync(`${a.file}.swp`, a.file)
    // The post makes one generation, the edit that is merged with it another.
    await eventually(() => matches(fileOf(a), { [`note${round}`]: 1, generation: opened + 2 }))
    await eventually(async () => {
      const [fromA, fromB] = await Promise.all([ask(`${a.url}/status.json`), ask(`${b.url}/status.json`)])
      sameBytes(fromA.body, fromB.body)
      strictEqual((fromA.json as SavedDocument).statuses.length, round + 1)
    })
  }
  t.equal(fileOf(b).statuses.length, 20)
})

t.test('stale flips by itself, in the file, and back with the next snapshot', async (t) => {
  const server = await serve(t, directory(t), { staleAfter: 3 })
  await post(server.url, [snapshotOf({}), { ...snapshotOf({ server: 'patient' }), stale_after: 3600 }])
  t.match(fileOf(server), { generation: 2, statuses: [{ stale: false }, { stale: false }] })
  await eventually(() => {
    matches(fileOf(server), {
      generation: 3,
      statuses: [
        { stale: false, generation: 2 },
        { stale: true, generation: 3 },
      ],
    })
  })
  await eventually(async () => sameBytes((await ask(`${server.url}/status.json`)).body, readFileSync(server.file)))
  t.match((await post(server.url, snapshotOf({}))).json, { status: { stale: false } })
})

t.test('two servers on one directory: each sees what the other commits, and nothing is lost', async (t) => {
  const dataDir = directory(t)
  const [a, b] = [await serve(t, dataDir), await serve(t, dataDir)]
  const answers = await Promise.all(
    Array.from({ length: 200 }, async (_, index) =>
      post((index % 2 === 0 ? a : b).url, snapshotOf({ server: `s${index}` })),
    ),
  )
  t.same(new Set(answers.map(({ status }) => status)), new Set([201]))
  t.equal(fileOf(a).statuses.length, 200)
  await eventually(async () => {
    const [fromA, fromB] = await Promise.all([ask(`${a.url}/status.json`), ask(`${b.url}/status.json`)])
    sameBytes(fromA.body, fromB.body)
    sameBytes(fromA.body, readFileSync(a.file))
  })
  const { generation } = fileOf(a)
  await eventually(() => ok(a.lines.length > 0 && b.lines.length > 0))
  t.equal(fileOf(a).generation, generation, 'and they come to rest')
})

t.test('one commit takes all that waits', async (t) => {
  const server = await serve(t)
  const answers = await Promise.all(
    Array.from({ length: 64 }, async (_, index) => post(server.url, snapshotOf({ server: `s${index}` }))),
  )
  t.same(new Set(answers.map(({ status }) => status)), new Set([201]))
  t.equal(fileOf(server).statuses.length, 64)
  t.ok((fileOf(server).generation ?? 99) < 24, `64 requests took ${(fileOf(server).generation ?? 0) - 1} commits`)
})

t.test('commits of a large document do not follow one another at once, unless many requests share them', async (t) => {
  const MIB = 1024 * 1024
  const pace = new Pace()
  t.notOk(await isPutOff(pace, 0), 'not the first one')
  pace.commitStarted(MIB - 1)
  t.notOk(await isPutOff(pace, 0), 'nor one of a small document')
  pace.commitStarted(1024 * MIB)
  t.notOk(await isPutOff(pace, 1024 * 16), 'nor one that many share')
  t.ok(await isPutOff(pace, 1), 'but one of a large document for a single request')
  await eventually(async () => ok(!(await isPutOff(pace, 1))))

  // Another one: a pace lets one wait at a time, and some of those above still do.
  const other = new Pace()
  other.commitStarted(1024 * MIB)
  let begun = false
  const turn = other.waitTurn(1).then(() => (begun = true))
  other.requestAdded(2)
  await setImmediate()
  t.notOk(begun, 'two are no reason either')
  other.requestAdded(1024 * 16)
  await setImmediate()
  t.ok(begun, 'many are, as soon as they are there')
  await turn

  other.commitStarted(1024 * MIB)
  const last = other.waitTurn(1)
  other.release()
  await last
  t.notOk(await isPutOff(other, 1), 'a server that stops puts nothing off')
})

t.test('the document takes 100,000 targets and not one more', async (t) => {
  const statuses = Array.from({ length: TARGETS_MAX }, (_, index) => snapshotOf({ repo: 'many', server: `s${index}` }))
  const server = await serve(t, directory(t, { 'status.json': JSON.stringify({ statuses }) }))
  const refused = await post(server.url, [
    snapshotOf({ repo: 'many', server: 's7' }, ['x']),
    snapshotOf({ repo: 'new' }),
  ])
  t.match(refused, { status: 507, json: { type: /document-full$/, detail: /the limit is 100000/ } })
  const updated = await post(server.url, snapshotOf({ repo: 'many', server: 's7' }, ['y']))
  t.match(updated, { status: 200, json: { result: 'updated', status: { files: [{ name: 'y' }] } } })
  t.equal(fileOf(server).statuses.length, TARGETS_MAX)
})

t.test('other files in the directory are left alone', async (t) => {
  const dataDir = directory(t, {
    'status.json.bak': 'mine',
    'notes.txt': 'mine',
    '.status.json.swp': 'mine',
    '.status.json.Ab12Cd': 'mine',
  })
  const server = await serve(t, dataDir)
  await post(server.url, DRIFTED)
  linkSync(join(dataDir, 'notes.txt'), join(dataDir, 'status.json~'))
  await server.stop()
  for (const name of ['status.json.bak', 'notes.txt', 'status.json~', '.status.json.swp', '.status.json.Ab12Cd'])
    t.ok(existsSync(join(dataDir, name)), name)
})

function edited(server: Server, edit: (document: SavedDocument) => unknown): string {
  const document = fileOf(server)
  edit(document)
  return `${JSON.stringify(document, null, 2)}\n`
}

function first({ statuses: [status] }: SavedDocument) {
  if (status === undefined) throw new Error('the document is empty')
  return status
}

async function problemsOf({ url }: { url: string }): Promise<unknown[]> {
  return ((await ask(`${url}/readyz`)).json as { problems: unknown[] }).problems
}

function rejected(server: Server): string[] {
  return readdirSync(server.dataDir)
    .filter((name) => name.startsWith('status.rejected-'))
    .toSorted()
}

/** Whether a commit for so many requests would have to wait. */
async function isPutOff(pace: Pace, waiting: number): Promise<boolean> {
  let begun = false
  void pace.waitTurn(waiting).then(() => (begun = true))
  await setImmediate()
  return !begun
}
