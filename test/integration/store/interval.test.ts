import { strictEqual } from 'node:assert'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request as send } from 'node:http'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { Draft } from '../../../src/status/draft.ts'
import { mergeSnapshot } from '../../../src/status/merge.ts'
import type { Status } from '../../../src/status/schema.ts'
import { REQUESTS_MAX, Requests } from '../../../src/store/requests.ts'
import { type CommitEvents, Store } from '../../../src/store/store.ts'
import { beforeHandleCalls } from '../../support/calls.ts'
import { directory, openFilesIn } from '../../support/directory.ts'
import { eventually, matches } from '../../support/http.ts'
import { serve } from '../../support/server.ts'
import { snapshotOf } from '../../support/snapshots.ts'

/** The longest that can be set, and longer than `eventually` waits: what waits for its end fails a test. */
const INTERVAL = 20
const EVENTS: CommitEvents = { committed: () => undefined, commitFailed: () => undefined, edited: () => undefined }

async function openStore(t: Test, dataDir = directory(t), commitInterval = INTERVAL): Promise<Opened> {
  const store = await Store.start({
    directory: dataDir,
    staleAfter: 600,
    historyRetention: 90,
    commitInterval,
    events: EVENTS,
    log: pino({ level: 'silent' }),
  })
  t.teardown(async () => store.stop())
  return { store, dataDir, file: join(dataDir, 'status.json') }
}

interface Opened {
  readonly store: Store
  readonly dataDir: string
  readonly file: string
}

/** A store on a document that an earlier one has written: it has committed nothing yet. */
async function openQuietStore(t: Test): Promise<Opened> {
  const dataDir = directory(t)
  const { store } = await openStore(t, dataDir, 0)
  await store.stop()
  return openStore(t, dataDir)
}

/** Submits a new target. The generation that it came with is `undefined` until the answer. */
function submit({ store }: Opened, server: string, properties: object = {}): { generation?: number } {
  const sent: { generation?: number } = {}
  const change = (draft: Draft): number => {
    mergeSnapshot(draft, { ...snapshotOf({ server }), ...properties })
    return draft.generation
  }
  void store.submit(change).then((generation) => (sent.generation = generation))
  return sent
}

async function answered(...all: { readonly generation?: number }[]): Promise<void> {
  await eventually(() => strictEqual(all.filter(({ generation }) => generation === undefined).length, 0))
}

/** Resolves once rounds have run since the last commit: they look at the file that it has displaced, and close it. */
async function roundsHaveRun({ dataDir }: Opened): Promise<void> {
  await eventually(() => strictEqual(openFilesIn(dataDir), 0))
}

/** Returns a function that puts the clock of `performance.now()` forward by some ms. Timers do not notice. */
function movableClock(t: Test): (ms: number) => void {
  const now = performance.now.bind(performance)
  let ahead = 0
  Object.defineProperty(performance, 'now', { configurable: true, value: () => now() + ahead })
  t.teardown(() => Reflect.deleteProperty(performance, 'now'))
  return (ms) => (ahead += ms)
}

const statusesIn = ({ store }: Opened): Status[] => store.published.document.entries.map(({ status }) => status)
const serversIn = (opened: Opened): string[] => statusesIn(opened).map(({ server }) => server)

t.test('the first request after a quiet time is committed at once, those that follow share a commit', async (t) => {
  const opened = await openQuietStore(t)
  const first = submit(opened, 'first')
  await answered(first)
  const forward = movableClock(t)
  const second = submit(opened, 'second')
  await roundsHaveRun(opened)
  t.equal(second.generation, undefined, 'it waits')
  const third = submit(opened, 'third')
  forward(INTERVAL * 1000)
  await answered(second, third)
  t.same([second.generation, third.generation], [(first.generation ?? 0) + 1, (first.generation ?? 0) + 1])
  forward(INTERVAL * 1000)
  await answered(submit(opened, 'after a quiet time'))
})

t.test('the end of the interval wakes the server, whatever wakes it sooner', async (t) => {
  const opened = await openQuietStore(t)
  const { setTimeout: realTimeout } = globalThis
  const ends: (() => void)[] = []
  let reviews = 0
  const replaced = (run: () => void, ms: number): NodeJS.Timeout => {
    // No other timer is as long as what is left of the interval; this one is that of the displaced file.
    if (ms > 10_500) ends.push(run)
    if (ms === 500) reviews += 1
    return realTimeout(run, ms)
  }
  Object.assign(globalThis, { setTimeout: replaced })
  t.teardown(() => Object.assign(globalThis, { setTimeout: realTimeout }))
  await answered(submit(opened, 'first'))
  await eventually(() => strictEqual(reviews > 0, true))
  t.equal(ends.length, 0, 'not while nothing waits')
  const second = submit(opened, 'second')
  await eventually(() => strictEqual(ends.length > 0, true))
  t.equal(second.generation, undefined)

  const other = await openQuietStore(t)
  await answered(submit(other, 'first'))
  await roundsHaveRun(other)
  ends.length = 0
  const last = submit(other, 'last')
  t.equal(ends.length, 1, 'also if nothing does')
  const forward = movableClock(t)
  forward(INTERVAL * 1000)
  ends[0]?.()
  await answered(last)
})

t.test('an edit does not wait for the interval, and takes the requests that wait', async (t) => {
  const opened = await openQuietStore(t)
  await answered(submit(opened, 'first'))
  const waiting = submit(opened, 'waiting')
  await roundsHaveRun(opened)
  t.equal(waiting.generation, undefined)
  writeFileSync(opened.file, readFileSync(opened.file, 'utf8').replace('"stale": false', '"note": "x", "stale": false'))
  await eventually(() => matches(statusesIn(opened), [{ server: 'first', note: 'x' }]))
  await answered(waiting)
  t.equal(waiting.generation, opened.store.published.document.generation, 'in one commit')
  t.same(new Set(serversIn(opened)), new Set(['first', 'waiting']))
})

t.test('what time changes does not wait for the interval, and takes the requests that wait', async (t) => {
  const opened = await openQuietStore(t)
  await answered(submit(opened, 'first', { stale_after: 1 }))
  const waiting = submit(opened, 'waiting')
  await eventually(() => matches(statusesIn(opened), [{ server: 'first', stale: true }]))
  await answered(waiting)
  t.equal(waiting.generation, opened.store.published.document.generation, 'in one commit')
})

t.test('a request that follows a commit that has failed does not wait for the interval', async (t) => {
  const opened = await openQuietStore(t)
  let isFailing = true
  await beforeHandleCalls(t, 'sync', (path) => {
    if (isFailing && path === opened.dataDir) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })
  })
  const failed = opened.store.submit((draft) => mergeSnapshot(draft, snapshotOf({})))
  await t.rejects(failed, { message: /EIO/ })
  const waiting = submit(opened, 'waiting')
  isFailing = false
  await answered(waiting)
})

t.test('the commit of another server does not end the interval', async (t) => {
  const opened = await openQuietStore(t)
  await answered(submit(opened, 'first'))
  const waiting = submit(opened, 'waiting')
  const other = await openStore(t, opened.dataDir)
  await answered(submit(other, 'of the other server'))
  await eventually(() => strictEqual(serversIn(opened).includes('of the other server'), true))
  t.equal(waiting.generation, undefined)
  t.notOk(serversIn(opened).includes('waiting'))
  await opened.store.stop()
  await answered(waiting)
})

t.test('more than half of the requests that may wait are due at once', async (t) => {
  const opened = await openQuietStore(t)
  const first = submit(opened, 'first')
  await answered(first)
  const waiting = Array.from({ length: REQUESTS_MAX / 2 + 1 }, (_, index) => submit(opened, `s${index}`))
  await answered(...waiting)
  t.same(new Set(waiting.map(({ generation }) => generation)), new Set([(first.generation ?? 0) + 1]))

  const requests = new Requests(INTERVAL * 1000)
  t.equal(requests.dueIn, Infinity)
  requests.commitStarted(1)
  for (let count = 0; count < REQUESTS_MAX / 2; count += 1) void requests.add(() => undefined)
  t.ok(requests.dueIn > 0, 'half of them are not')
  void requests.add(() => undefined)
  t.equal(requests.dueIn, 0)
})

t.test('a stop releases what waits', async (t) => {
  const opened = await openQuietStore(t)
  await answered(submit(opened, 'first'))
  const waiting = submit(opened, 'waiting')
  await opened.store.stop()
  t.equal(waiting.generation, opened.store.published.document.generation)
})

t.test('a store that is about to stop commits what waits, and everything after it at once', async (t) => {
  const opened = await openQuietStore(t)
  await answered(submit(opened, 'first'))
  const waiting = submit(opened, 'waiting')
  opened.store.hasten()
  await answered(waiting)
  await answered(submit(opened, 'later'))
})

t.test('a server that stops answers what it has accepted, whatever is left of the interval', async (t) => {
  const server = await serve(t, directory(t), { commitInterval: INTERVAL })
  const { port } = new URL(server.url)
  // The first commit of a new directory has begun the interval.
  const request = send({
    port,
    path: '/api/status',
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Expect: '100-continue' },
  })
  request.flushHeaders()
  await once(request, 'continue')
  const response = once(request, 'response') as Promise<[IncomingMessage]>
  request.end(JSON.stringify(snapshotOf({})))
  await once(request, 'finish')
  const stopped = server.stop()
  const [answer] = await response
  t.equal(answer.statusCode, 201)
  answer.resume()
  await stopped
  t.equal(server.lines.filter(({ msg }) => msg === 'document written').length, 2)
})

t.test('the time that a request waits for an edit to be completed begins when the request is due', async (t) => {
  const forward = movableClock(t)
  const requests = new Requests(INTERVAL * 1000)
  requests.commitStarted(1)
  void requests.add(() => undefined)
  forward(INTERVAL * 1000 + 3500)
  t.equal(requests.takeOverdue(4000).size, 0)
  forward(501)
  t.equal(requests.takeOverdue(4000).size, 1)

  requests.commitStarted(1)
  for (let count = 0; count <= REQUESTS_MAX / 2; count += 1) void requests.add(() => undefined)
  forward(4001)
  t.equal(requests.takeOverdue(4000).size, REQUESTS_MAX / 2 + 1, 'also of those that are due sooner')

  const late = new Requests(INTERVAL * 1000)
  late.commitStarted(1)
  forward(INTERVAL * 2000)
  void late.add(() => undefined)
  t.equal(late.takeOverdue(4000).size, 0, 'and not before it has arrived')
})

t.test('a request that waits for the interval is not refused because the file is being written', async (t) => {
  const opened = await openQuietStore(t)
  const { store, file } = opened
  await answered(submit(opened, 'first'))
  const forward = movableClock(t)
  const waiting = submit(opened, 'waiting')
  forward(5000)
  const whole = readFileSync(file, 'utf8')
  writeFileSync(file, whole.slice(0, -10))
  // Rounds leave it alone at first; then it counts as whole.
  await eventually(() => matches(store.health.troubles, [{ kind: 'rejected-edit' }]))
  t.equal(waiting.generation, undefined)
  writeFileSync(file, whole.replace('{', '{ "note": "completed",'))
  await answered(waiting)
})
