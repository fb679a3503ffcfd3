import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { helpFor } from '../../../src/project.ts'
import type { Draft } from '../../../src/status/draft.ts'
import { mergeSnapshot } from '../../../src/status/merge.ts'
import type { Status } from '../../../src/status/schema.ts'
import { STAMPS } from '../../../src/status/stamps.ts'
import { commit } from '../../../src/store/commit.ts'
import { Directory } from '../../../src/store/directory.ts'
import { Inbox } from '../../../src/store/inbox.ts'
import { Record } from '../../../src/store/record.ts'
import { render } from '../../../src/store/render.ts'
import { REQUESTS_MAX, Requests } from '../../../src/store/requests.ts'
import { type CommitEvents, Store, type Trouble } from '../../../src/store/store.ts'
import { beforeHandleCalls } from '../../support/calls.ts'
import { directory, filesOf, openFilesIn } from '../../support/directory.ts'
import { CLOCK, posted } from '../../support/documents.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { type Line, fileOf, serve } from '../../support/server.ts'
import { DRIFTED, snapshotOf } from '../../support/snapshots.ts'

const EVENTS: CommitEvents = { committed: () => undefined, commitFailed: () => undefined, edited: () => undefined }

async function openStore(t: Test, dataDir = directory(t)): Promise<{ store: Store; lines: Line[]; dataDir: string }> {
  const lines: Line[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => lines.push(JSON.parse(line) as Line) })
  const store = await Store.start({
    directory: dataDir,
    staleAfter: 600,
    historyRetention: 90,
    commitInterval: 0,
    events: EVENTS,
    log,
  })
  t.teardown(async () => store.stop())
  return { store, lines, dataDir }
}

const kindsOf = ({ health }: Store): Trouble['kind'][] => health.troubles.map(({ kind }) => kind)
const add =
  (server: string) =>
  (draft: Draft): Status =>
    mergeSnapshot(draft, snapshotOf({ server })).status

/** Makes a stamp throw, as a defect of the program would, until the returned function is called. */
function breakStamps(message: string): () => void {
  const { compute } = STAMPS.stale
  Object.assign(STAMPS.stale, {
    compute: () => {
      throw new TypeError(message)
    },
  })
  return () => Object.assign(STAMPS.stale, { compute })
}

t.test('a defect in one request: 500 internal, one line with its stack, and everything else goes on', async (t) => {
  const { store, lines } = await openStore(t)
  const broken = store.submit(() => {
    throw new TypeError('defect of one request')
  })
  const fine = store.submit(add('fine'))
  await t.rejects(broken, { name: 'StoreError', kind: 'internal', message: /internal error/ })
  t.match(await fine, { server: 'fine' })
  await eventually(() => deepStrictEqual(kindsOf(store), ['internal-error']))
  t.equal(store.health.canCommit, true)
  const logged = lines.filter(({ err }) => err !== undefined)
  t.match(logged, [{ msg: 'internal error', err: { stack: /defect of one request[^]*round\.test/ } }])
  t.equal(logged.length, 1)
  await store.submit(add('next'))
  await eventually(() => deepStrictEqual(kindsOf(store), []))
})

t.test('a defect in the round itself: never told as a fault of the volume', async (t) => {
  const { store, lines } = await openStore(t)
  await store.submit((draft) => mergeSnapshot(draft, { ...snapshotOf({}), stale_after: 1 }))
  const mend = breakStamps('defect of the round')
  t.teardown(mend)
  await eventually(() => deepStrictEqual(kindsOf(store), ['internal-error']))
  t.equal(store.health.canCommit, false)
  t.match(
    lines.filter(({ err }) => err !== undefined),
    [
      {
        msg: 'write failed',
        kind: 'internal-error',
        help: helpFor('internal-error'),
        err: { message: 'defect of the round' },
      },
    ],
  )
  await t.rejects(store.submit(add('b')), { name: 'StoreError', kind: 'internal' })
  t.equal(lines.filter(({ err }) => err !== undefined).length, 1, 'logged once')
  mend()
  await store.submit(add('c'))
  await eventually(() => deepStrictEqual(kindsOf(store), []))
})

t.test('an edit whose merge throws is kept aside, and everything after it goes on', async (t) => {
  const server = await serve(t)
  await post(server.url, snapshotOf({}))
  const good = readFileSync(server.file, 'utf8')
  const edited = good.replace('"stale": false', '"note": "mine",\n      "stale": false')
  const mend = breakStamps('defect of the merge')
  t.teardown(mend)
  writeFileSync(server.file, edited)
  const problem = { kind: 'internal-error', file: 'status.json', errors: [{ detail: /internal error/ }] }
  await eventually(async () => {
    const { json } = await ask(`${server.url}/readyz`)
    matches(json, { ready: true })
    matches(
      (json as { problems: { file?: string }[] }).problems.find(({ file }) => file !== undefined),
      problem,
    )
  })
  t.match((await ask(`${server.url}/metrics`)).text, '\ngitops_status_server_internal_error 1\n')
  mend()
  t.equal((await post(server.url, snapshotOf({ server: 'next' }))).status, 201)
  const aside = await eventually(() => {
    const name = readdirSync(server.dataDir).find((each) => each.startsWith('status.rejected-'))
    ok(name)
    return name
  })
  t.equal(readFileSync(join(server.dataDir, aside), 'utf8'), edited, 'the text is kept')
  t.equal(fileOf(server).statuses.length, 2)
  t.equal(server.lines.filter(({ err }) => (err as Error | undefined)?.message === 'defect of the merge').length, 1)
})

t.test(
  'a rejected edit is forgotten once its file is deleted, once the text is put right, or once a good one comes',
  async (t) => {
    const server = await serve(t)
    await post(server.url, DRIFTED)
    const good = readFileSync(server.file, 'utf8')
    const problems = async (): Promise<unknown[]> =>
      ((await ask(`${server.url}/readyz`)).json as { problems: unknown[] }).problems
    const reject = async (): Promise<void> => {
      writeFileSync(server.file, '{"statuses": 1}')
      await eventually(async () => strictEqual((await problems()).length, 1))
    }
    await reject()
    writeFileSync(server.file, good)
    await eventually(async () => deepStrictEqual(await problems(), []))

    await reject()
    await post(server.url, snapshotOf({ server: 'next' }))
    const aside = await eventually(() => {
      const name = readdirSync(server.dataDir).find((each) => each.startsWith('status.rejected-'))
      ok(name)
      return name
    })
    await eventually(async () => matches(await problems(), [{ file: aside }]))
    rmSync(join(server.dataDir, aside))
    await eventually(async () => deepStrictEqual(await problems(), []))

    await reject()
    writeFileSync(server.file, good.replace('"statuses"', '"note": "good",\n  "statuses"'))
    await eventually(async () => deepStrictEqual(await problems(), []))
  },
)

t.test('a rejected edit is shown for as long as nobody has put that right, whatever is committed', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  writeFileSync(server.file, '{"statuses": 1}')
  const problem = { kind: 'rejected-edit', errors: [{ pointer: '/statuses' }] }
  await eventually(async () =>
    matches((await ask(`${server.url}/readyz`)).json, { problems: [{ ...problem, file: 'status.json' }] }),
  )
  // The first commit sets it aside. What a round has found is told before the next one takes its requests.
  for (const name of ['a', 'b', 'c']) t.equal((await post(server.url, snapshotOf({ server: name }))).status, 201)
  const file = readdirSync(server.dataDir).find((each) => each.startsWith('status.rejected-'))
  t.match((await ask(`${server.url}/readyz`)).json, { problems: [{ ...problem, file }] })
  t.equal(server.lines.filter(({ msg }) => msg === 'edit rejected').length, 1, 'and logged once')
})

t.test('a file that is larger than any document is not read, and is explained', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  truncateSync(server.file, 256 * 1024 * 1024 + 1)
  await eventually(async () => {
    const { json } = await ask(`${server.url}/readyz`)
    matches(json, {
      problems: [{ kind: 'rejected-edit', errors: [{ detail: 'must not have more than 268435456 bytes' }] }],
    })
  })
  t.equal((await post(server.url, snapshotOf({ server: 'next' }))).status, 201)
  t.equal(fileOf(server).statuses.length, 2)
})

t.test('no more than a thousand requests wait', async (t) => {
  const { store } = await openStore(t)
  const waiting = Array.from({ length: REQUESTS_MAX }, async (_, index) => store.submit(add(`s${index}`)))
  await t.rejects(store.submit(add('one more')), { kind: 'unavailable', message: /too many requests are waiting/ })
  t.equal((await Promise.all(waiting)).length, REQUESTS_MAX)
  await store.submit(add('later'))
})

t.test('a stopped store accepts nothing more', async (t) => {
  const { store } = await openStore(t)
  const last = store.submit(add('last'))
  const stopped = store.stop()
  await t.rejects(store.submit(add('late')), { kind: 'unavailable', message: /stopping/ })
  await stopped
  t.match(await last, { server: 'last' })
})

t.test('at rest the server writes nothing and takes no lock', async (t) => {
  const { store, dataDir } = await openStore(t)
  await store.submit(add('a'))
  const times = (): number[] => readdirSync(dataDir).map((name) => statSync(join(dataDir, name)).mtimeMs)
  // A round that takes the lock opens its file; without one nothing in the directory is touched.
  const lock = join(dataDir, '.status.lock')
  await eventually(() => ok(Date.now() - statSync(join(dataDir, 'status.json')).ctimeMs > 2500))
  rmSync(lock)
  const before = times()
  await eventually(() => ok(Date.now() - statSync(join(dataDir, 'status.json')).ctimeMs > 5000))
  t.same(times(), before)
  t.notOk(readdirSync(dataDir).includes('.status.lock'), 'nor the lock')
  let isCommitted = false
  void store.submit(add('b')).then(() => (isCommitted = true))
  await eventually(() => ok(isCommitted))
  t.pass('and a request ends the rest')
})

/** A directory that fails at one step of a commit, on real files otherwise. */
class FailingDirectory extends Directory {
  failAt: 'place' | 'sync' | undefined
  /** Called between the exchange and the failure of `sync`. */
  beforeFailure: () => void = () => undefined

  override async place(staged: string): Promise<string[]> {
    if (this.failAt === 'place') throw Object.assign(new Error('EIO: i/o error, rename'), { code: 'EIO' })
    return super.place(staged)
  }

  override async sync(): Promise<void> {
    if (this.failAt !== 'sync') return super.sync()
    this.beforeFailure()
    throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' })
  }
}

t.test('nothing is published or answered before the commit is on disk', async (t) => {
  const { store, dataDir } = await openStore(t)
  await store.submit(add('a'))
  const before = store.published
  const seen: unknown[] = []
  let answer = 'none'
  let isFailing = false
  await beforeHandleCalls(t, 'sync', async (path) => {
    if (path !== dataDir) return
    // Whatever is to be answered is answered by now.
    for (let turn = 0; turn < 10; turn += 1) await setImmediate()
    seen.push([store.published === before, answer])
    if (isFailing) throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' })
  })
  isFailing = true
  await t.rejects(
    store.submit(add('b')).finally(() => (answer = 'an answer')),
    { kind: 'unavailable', message: /EIO/ },
  )
  t.same(seen.splice(0, 1), [[true, 'none']])
  t.equal(store.published, before, 'nor afterwards, if it fails')
  t.same(readFileSync(join(dataDir, 'status.json')), before.bytes)
  isFailing = false
  await eventually(() => deepStrictEqual(kindsOf(store), []))
  seen.length = 0
  answer = 'none'
  await store.submit(add('c')).then(() => (answer = 'an answer'))
  t.same(seen[0], [true, 'none'])
  t.same(store.published.bytes, readFileSync(join(dataDir, 'status.json')))
  t.equal(store.published.document.entries.length, 2)
})

t.test('a line that cannot be brought to disk: nothing of the commit is left', async (t) => {
  const { store, dataDir } = await openStore(t)
  await store.submit(add('a'))
  await eventually(() => strictEqual(openFilesIn(dataDir), 0))
  const state = (): unknown => readdirSync(dataDir).map((name) => [name, readFileSync(join(dataDir, name), 'utf8')])
  const before = state()
  let isFailing = true
  await beforeHandleCalls(t, 'datasync', () => {
    if (!isFailing) return
    isFailing = false
    throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
  })
  await t.rejects(store.submit(add('b')), { kind: 'unavailable', message: /EIO/ })
  t.same(state(), before)
})

t.test('the pace of large documents: a commit waits for it, and the end of the server does not', async (t) => {
  const { store } = await openStore(t)
  // Time stands still, and the pause that a commit makes is over when the test says so.
  const { setTimeout: realTimeout } = globalThis
  const now = performance.now()
  const pauses: (() => void)[] = []
  const restore = (): void => {
    Reflect.deleteProperty(performance, 'now')
    Object.assign(globalThis, { setTimeout: realTimeout })
  }
  t.teardown(restore)
  Object.defineProperty(performance, 'now', { configurable: true, value: () => now })
  const note = (length: number) => (draft: Draft) =>
    mergeSnapshot(draft, { ...snapshotOf({}), note: `${pauses.length}`.repeat(length) })
  await store.submit(note(2_000_000))
  Object.assign(globalThis, {
    setTimeout: (run: () => void, ms: number) => {
      // A pause is no whole number of milliseconds: it depends on the bytes.
      if (Number.isInteger(ms)) return realTimeout(run, ms)
      pauses.push(run)
      return realTimeout(() => undefined, 0)
    },
  })
  let isCommitted = false
  const paused = store.submit(note(2_000_001)).then(() => (isCommitted = true))
  await eventually(() => strictEqual(pauses.length, 1))
  t.notOk(isCommitted)
  pauses[0]?.()
  await paused

  const last = store.submit(note(2_000_002))
  await eventually(() => strictEqual(pauses.length, 2))
  const stopped = store.stop()
  restore()
  await stopped
  t.match(await last, { result: 'updated' }, 'it is not waited for, and what waits is committed')
})

t.test('the request that makes a commit worthwhile ends the pause', async (t) => {
  const requests = new Requests(0)
  requests.pace.commitStarted(60 * 1024 * 1024)
  let begun = false
  const turn = requests.pace.waitTurn(0).then(() => (begun = true))
  for (let count = 0; count < REQUESTS_MAX - 50; count += 1) void requests.add(() => undefined)
  await setImmediate()
  t.notOk(begun)
  for (let count = 0; count < 50; count += 1) void requests.add(() => undefined)
  await setImmediate()
  t.ok(begun)
  await turn
})

for (const kind of ['local', 'network'] as const) {
  t.test(`a commit that fails leaves file and record as they were, at whichever step (${kind})`, async (t) => {
    const place = directory(t)
    const volumeFiles = filesOf(kind)
    const files = new FailingDirectory(place, volumeFiles)
    const record = new Record(place, volumeFiles, pino({ level: 'silent' }))
    const inbox = new Inbox(files, record)
    t.teardown(async () => inbox.close())
    const parts = { directory: files, record, inbox }
    const nextOf = (server: string) =>
      render(posted(record.current.document, snapshotOf({ server }, [], DRIFTED.last_check)).document)
    const run = async (server: string): Promise<void> => {
      const status = await files.readStatus()
      const displaced = await commit(parts, nextOf(server), { status, merged: [] }, CLOCK)
      for (const file of displaced) {
        await file.close()
        await files.discard(file.path)
      }
    }
    await run('first')
    await run('second')
    const state = (): unknown => readdirSync(place).map((name) => [name, readFileSync(join(place, name), 'utf8')])
    const before = state()
    const { current } = record
    for (const step of ['place', 'sync'] as const) {
      files.failAt = step
      await t.rejects(run('third'), /EIO/)
      t.same(state(), before, step)
      t.equal(openFilesIn(place), 0)
      t.equal(record.current, current)
    }

    // Somebody saves between the exchange and the failure: the text is not lost with what is undone.
    files.beforeFailure = () => writeFileSync(join(place, 'status.json'), '{"statuses": []}')
    await t.rejects(run('third'), /EIO/)
    t.ok(inbox.hasUnread)
    files.failAt = undefined
    t.match(await inbox.read(CLOCK), { edits: [{ edit: { saved: { statuses: [] } } }] })
    await run('third')
    t.equal(record.current.document.entries.length, 3)
  })
}
