import { ok } from 'node:assert'
import { mkdirSync, readFileSync, renameSync, rmSync, rmdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { helpFor } from '../../../src/project.ts'
import { EMPTY_DOCUMENT, type StatusDocument } from '../../../src/status/document.ts'
import type { HistoryRow } from '../../../src/status/history.ts'
import { keyOf } from '../../../src/status/target.ts'
import { formatTime } from '../../../src/status/time.ts'
import { History, type HistoryOptions } from '../../../src/store/history.ts'
import { withLock } from '../../../src/store/lock.ts'
import { Record } from '../../../src/store/record.ts'
import { render } from '../../../src/store/render.ts'
import { beforeCalls, beforeHandleCalls } from '../../support/calls.ts'
import { directory, filesOf } from '../../support/directory.ts'
import { CLOCK, posted } from '../../support/documents.ts'
import { historyLine } from '../../support/history.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { type Server, fileOf, serve } from '../../support/server.ts'
import { HOSTILE_NAMES, snapshotOf } from '../../support/snapshots.ts'

const DAY = 86_400_000

async function historyOf({ url }: Pick<Server, 'url'>, query = ''): Promise<HistoryRow[]> {
  return (await ask(`${url}/api/history${query}`)).json as HistoryRow[]
}

const linesIn = (dataDir: string): HistoryRow[] =>
  readFileSync(join(dataDir, 'history.jsonl'), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as HistoryRow)

const changesOf = (rows: readonly HistoryRow[]): unknown[] => rows.map(({ changes, cause }) => [changes.join(), cause])

/** A line of the history about a target of the repository `r`. */
const line = (time: number, server: string, files: readonly string[] | null): string =>
  historyLine(time, 'r', server, files)

const at = (day: number): number => Date.UTC(2026, 0, 1 + day)
const ago = (days: number): number => Date.now() - days * DAY

t.test('one line for each change of a target, with what made it', async (t) => {
  const server = await serve(t, undefined, { staleAfter: 600 })
  const soon = formatTime(Date.now() - 598_000)
  await post(server.url, snapshotOf({}, ['a', 'b'], soon))
  await post(server.url, snapshotOf({}, ['b', 'a'], soon))
  await post(server.url, { ...snapshotOf({}, ['a', 'b'], soon), commit: 'no change of the target' })
  await post(server.url, snapshotOf({}, ['b', 'c'], soon))
  await eventually(async () => matches(await historyOf(server), [{}, {}, { changes: ['went_stale'] }]))
  await post(server.url, snapshotOf({}, []))
  const document = fileOf(server)
  const [status] = document.statuses
  const edited = { ...status, sync_status: 'OUT_OF_SYNC', drift_count: 1, files: [{ name: 'by hand' }] }
  writeFileSync(server.file, JSON.stringify({ ...document, statuses: [edited, { ...edited, server: 'added' }] }))
  await eventually(async () => matches((await historyOf(server)).length, 6))
  await ask(`${server.url}/api/status?repo=rsyslog&server=added`, { method: 'DELETE' })
  const copy = fileOf(server)
  writeFileSync(server.file, JSON.stringify({ ...copy, statuses: [] }))
  await eventually(async () => matches((await historyOf(server)).length, 8))
  await post(server.url, snapshotOf({}, []))

  const rows = await historyOf(server)
  t.same(rows, linesIn(server.dataDir), 'the answer is what the file says')
  t.same(changesOf(rows), [
    ['first_seen', 'snapshot'],
    ['files_changed', 'snapshot'],
    ['went_stale', 'time'],
    ['status_changed,came_back', 'snapshot'],
    ['first_seen', 'edit'],
    ['status_changed', 'edit'],
    ['removed', 'delete'],
    ['removed', 'edit'],
    ['first_seen', 'snapshot'],
  ])
  t.match(rows[0], { repo: 'rsyslog', server: 'rsyslog-lab', sync_status: 'OUT_OF_SYNC', drift_count: 2, stale: false })
  t.same(rows[1]?.files, ['b', 'c'])
  t.match(rows[6], { server: 'added', sync_status: null, drift_count: 0, files: [] })
  const times = rows.map(({ time }) => time)
  t.same(times, times.toSorted(), 'oldest first')
})

const runPage = (number: number): string => `https://ci.example.net/7/${number}`

t.test('a row has the commit and the pipeline of its check, but they make no row', async (t) => {
  const server = await serve(t)
  const now = Date.now()
  const good = { ...snapshotOf({}, [], formatTime(now - 3000)), commit: 'abc', pipeline_url: runPage(1) }
  const failed = { repo: 'rsyslog', server: 'rsyslog-lab', check_failed: 'unreachable' }
  await post(server.url, good)
  await post(server.url, { ...good, commit: 'def', pipeline_url: runPage(2), last_check: formatTime(now - 2000) })
  await post(server.url, { ...failed, attempted_at: formatTime(now - 1000), pipeline_url: runPage(3) })
  await post(server.url, { ...snapshotOf({}, ['a'], formatTime(now)), commit: 'ghi' })
  await post(server.url, { ...failed, attempted_at: formatTime(now + 1000) })
  await ask(`${server.url}/api/status?repo=rsyslog`, { method: 'DELETE' })
  await post(server.url, snapshotOf({}))
  const rows = await historyOf(server)
  t.same(
    rows.map(({ state, commit, pipeline_url: pipelineUrl }) => [state, commit, pipelineUrl]),
    [
      ['synced', 'abc', runPage(1)],
      ['failing', 'def', runPage(3)],
      ['drifted', 'ghi', runPage(2)],
      ['failing', 'ghi', undefined],
      [null, undefined, undefined],
      ['synced', undefined, undefined],
    ],
  )
  t.same(rows, linesIn(server.dataDir))
})

t.test('a change that was committed and not written down is found at the next start', async (t) => {
  const first = await serve(t)
  const file = join(first.dataDir, 'history.jsonl')
  await post(
    first.url,
    ['kept', 'flipped', 'removed'].map((server) => snapshotOf({ server }, [])),
  )
  await first.stop()
  const { size } = statSync(file)

  const second = await serve(t, first.dataDir)
  await post(second.url, [snapshotOf({ server: 'flipped' }, ['a']), snapshotOf({ server: 'new' }, [])])
  await ask(`${second.url}/api/status?server=removed`, { method: 'DELETE' })
  await second.stop()
  const updated = fileOf(second).updated_at
  // The lines of the second run did not get to the disk: of the first of them half did.
  truncateSync(file, size + 20)

  const third = await serve(t, first.dataDir)
  const rows = await historyOf(third)
  t.same(changesOf(rows.slice(3)), [
    ['status_changed', 'recovery'],
    ['first_seen', 'recovery'],
    ['removed', 'recovery'],
  ])
  t.same(
    rows.slice(3).map(({ server, time }) => [server, time]),
    [
      ['flipped', updated],
      ['new', updated],
      ['removed', updated],
    ],
  )
  t.equal(third.lines.find(({ msg }) => msg === 'incomplete last row removed')?.['bytes'], 20)
  t.same(rows, linesIn(first.dataDir))
})

t.test('a start tells a change that was not written down from an edit that was made since', async (t) => {
  const first = await serve(t)
  const file = join(first.dataDir, 'history.jsonl')
  await post(first.url, snapshotOf({}, []))
  await first.stop()
  const { size } = statSync(file)
  const second = await serve(t, first.dataDir)
  await post(second.url, snapshotOf({}, ['a']))
  await second.stop()
  truncateSync(file, size)
  writeFileSync(second.file, readFileSync(second.file, 'utf8').replace('"name": "a"', '"name": "b"'))
  const third = await serve(t, first.dataDir)
  const rows = await historyOf(third)
  t.same(changesOf(rows), [
    ['first_seen', 'snapshot'],
    ['status_changed', 'recovery'],
    ['files_changed', 'edit'],
  ])
  t.same(
    rows.map(({ files }) => files.join()),
    ['', 'a', 'b'],
  )
  await third.stop()

  // A generation that somebody has typed makes no commit of an edit.
  writeFileSync(third.file, JSON.stringify({ ...fileOf(third), generation: 99, statuses: [] }))
  const fourth = await serve(t, first.dataDir)
  t.same(changesOf((await historyOf(fourth)).slice(3)), [['removed', 'edit']])
  t.equal(fileOf(fourth).generation, 100)
})

t.test('a server that was killed before it could write its row: another one writes it, whatever it knew', async (t) => {
  const place = directory(t)
  const options = quietOptions(place)
  const [one, two] = [new History(options), new History(options)]
  const synced = posted(EMPTY_DOCUMENT, snapshotOf({}, [], '2026-04-21T10:00:00Z')).document
  const drifted = posted(synced, snapshotOf({}, ['a'], '2026-04-21T10:01:00Z')).document
  const again = posted(drifted, snapshotOf({}, [], '2026-04-21T10:02:00Z')).document
  await one.record(synced, new Map(), true)
  await two.record(drifted, new Map(), false)
  // For the first one the target is as it was.
  await one.record(again, new Map(), false)
  t.same(
    linesIn(place).map(({ sync_status: status }) => status),
    ['SYNCED', 'OUT_OF_SYNC', 'SYNCED'],
  )
})

t.test('commits of another server are no commits of this one: its missing rows are written', async (t) => {
  const server = await serve(t)
  const log = pino({ level: 'silent' })
  await post(server.url, snapshotOf({}, [], '2026-04-21T10:00:00Z'))
  const peer = new Record(server.dataDir, filesOf('local'), log)
  const history = new History({
    directory: server.dataDir,
    files: filesOf('local'),
    staleAfter: 600,
    retention: 3650 * DAY,
    bytesMax: 1e9,
    log,
  })
  await eventually(() => matches(linesIn(server.dataDir), [{}]))
  await peer.load(CLOCK)
  const commit = async (files: string[], lastCheck: string): Promise<StatusDocument> => {
    const { document } = posted(peer.current.document, snapshotOf({}, files, lastCheck))
    await (await peer.append(render(document), [], CLOCK)).confirm()
    return document
  }
  await withLock(server.dataDir, 4000, async () => {
    await history.record(await commit(['a'], '2026-04-21T10:01:00Z'), new Map(), false)
    await commit([], '2026-04-21T10:02:00Z')
  })
  await eventually(() =>
    matches(
      linesIn(server.dataDir).map(({ sync_status: status, cause }) => [status, cause]),
      [
        ['SYNCED', 'snapshot'],
        ['OUT_OF_SYNC', 'recovery'],
        ['SYNCED', 'recovery'],
      ],
    ),
  )
  t.pass()
})

t.test('a commit that changes no state does not touch the file', async (t) => {
  const place = directory(t)
  const history = new History({
    directory: place,
    files: filesOf('local'),
    staleAfter: 600,
    retention: 3650 * DAY,
    bytesMax: 1e9,
    log: pino({ level: 'silent' }),
  })
  const first = posted(EMPTY_DOCUMENT, snapshotOf({}, ['a'], '2026-04-21T10:00:00Z')).document
  const same = posted(first, snapshotOf({}, ['a'], '2026-04-21T10:01:00Z')).document
  const other = posted(same, snapshotOf({}, ['b'], '2026-04-21T10:02:00Z')).document
  await history.record(first, new Map(), true)
  let opened = 0
  beforeCalls(t, 'open', () => void (opened += 1))
  await history.record(same, new Map(), true)
  t.equal(opened, 0)
  await history.record(other, new Map(), true)
  t.equal(opened, 1)
  t.equal(linesIn(place).length, 2)
})

t.test('a row that could not be brought to disk is written with the next commit, once', async (t) => {
  const server = await serve(t)
  await post(server.url, snapshotOf({ server: 'a' }, []))
  await eventually(() => matches(linesIn(server.dataDir), [{}]))
  let isFailing = true
  await beforeHandleCalls(t, 'datasync', (path) => {
    if (!isFailing || !path.endsWith('history.jsonl')) return
    isFailing = false
    throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
  })
  t.equal((await post(server.url, snapshotOf({ server: 'b' }, []))).status, 201)
  await eventually(() => ok(server.lines.some(({ msg }) => /history not written/.test(msg))))
  await post(server.url, snapshotOf({ server: 'c' }, []))
  await eventually(() => ok(linesIn(server.dataDir).some(({ server: name }) => name === 'c')))
  t.same(
    linesIn(server.dataDir).map(({ server: name }) => name),
    ['a', 'b', 'c'],
  )
})

t.test('a start says what has happened while the server was down', async (t) => {
  const first = await serve(t)
  await post(first.url, [snapshotOf({ server: 'a' }, []), snapshotOf({ server: 'b' }, [])])
  await first.stop()
  const document = fileOf(first)
  writeFileSync(first.file, JSON.stringify({ ...document, statuses: document.statuses.slice(0, 1) }))
  const second = await serve(t, first.dataDir)
  t.same(changesOf((await historyOf(second)).slice(2)), [['removed', 'edit']])

  await second.stop()
  rmSync(join(first.dataDir, 'history.jsonl'))
  const third = await serve(t, first.dataDir)
  t.same(changesOf(await historyOf(third)), [['first_seen', 'recovery']], 'a lost file begins anew')
})

t.test('a range: what was in force at its beginning, then what happened in it', async (t) => {
  const dataDir = directory(t)
  const lines = [
    line(at(0), 'a', []),
    line(at(1), 'gone', []),
    line(at(2), 'gone', null),
    line(at(3), 'a', ['x', 'y']),
    'what somebody has written\n',
    line(at(5), 'b', []),
    line(at(6), 'a', []),
    line(at(7), 'a', ['x']),
  ]
  writeFileSync(join(dataDir, 'history.jsonl'), lines.join(''))
  const server = await serve(t, dataDir, { historyRetention: 3650 })
  await historyOf(server)
  t.equal(server.lines.find(({ msg }) => msg === 'unreadable rows skipped')?.['lines'], 1)
  // The document has none of these targets: that they are gone is found at the start.
  const now = formatTime(at(8))
  const short = async (query: string): Promise<unknown> =>
    (await historyOf(server, query)).map(({ time, server: name, sync_status: status }) => [
      time.slice(8, 10),
      name,
      status,
    ])

  t.same(await short(`?from=${formatTime(at(4))}&to=${now}`), [
    ['05', 'a', 'OUT_OF_SYNC'],
    ['06', 'b', 'SYNCED'],
    ['07', 'a', 'SYNCED'],
    ['08', 'a', 'OUT_OF_SYNC'],
  ])
  t.same(await short(`?from=${at(4)}&to=${at(5)}&server=a`), [['05', 'a', 'OUT_OF_SYNC']], 'epoch milliseconds')
  t.same(await short(`?from=2026-01-07T02:00:00%2B02:00&to=${now}&repo=r&server=b&server=gone`), [
    ['07', 'b', 'SYNCED'],
  ])
  t.same(await short(`?from=&to=${now}&limit=2`), [
    ['07', 'b', 'SYNCED'],
    ['07', 'a', 'SYNCED'],
    ['08', 'a', 'OUT_OF_SYNC'],
  ])
  t.same(await short(`?to=${now}&repo=other`), [])
  t.same((await historyOf(server, `?from=${at(4)}&to=${now}`))[0], {
    ...(JSON.parse(line(at(3), 'a', ['x', 'y'])) as object),
    time: formatTime(at(4)),
    changes: [],
  })
  const all = await historyOf(server)
  t.same(changesOf(all.slice(-2)), [
    ['removed', 'recovery'],
    ['removed', 'recovery'],
  ])

  t.same(await historyOf(server, '?to=1969-07-20T20:17:40Z'), [], 'a time before 1970 is no fault')
  for (const [query, pointer] of [
    ['?from=yesterday', '/from'],
    ['?from=2026-01-01', '/from'],
    ['?to=-1', '/to'],
    ['?to=999999999999999', '/to'],
    [`?from=${at(2)}&to=${at(1)}`, '/from'],
    ['?limit=0', '/limit'],
    ['?limit=100001', '/limit'],
    ['?from=1&from=2', '/from'],
    ['?since=1', '/since'],
  ] as const) {
    const answer = await ask(`${server.url}/api/history${query}`)
    t.match(answer, { status: 422, json: { type: /invalid-query$/, errors: [{ pointer }] } }, query)
  }
})

t.test('any name, and a server that sees what another has written', async (t) => {
  const one = await serve(t)
  const two = await serve(t, one.dataDir)
  await post(
    one.url,
    HOSTILE_NAMES.map((server) => snapshotOf({ repo: server, server }, [server])),
  )
  for (const server of HOSTILE_NAMES) {
    // A line follows the answer to the post that it speaks of.
    await eventually(async () => {
      const rows = await historyOf(two, `?server=${encodeURIComponent(server)}`)
      matches(rows, [{ repo: server, server, files: [server] }])
    })
  }
  await eventually(async () => matches((await ask(`${two.url}/status.json`)).text, fileOf(one).updated_at))
  await post(two.url, snapshotOf({ repo: '-', server: '-' }, []))
  await eventually(async () => matches((await historyOf(one, '?server=-')).length, 2))
  t.equal(linesIn(one.dataDir).length, HOSTILE_NAMES.length + 1, 'each change is written once')
})

t.test('staleAfter: 600, retention: old lines go, the last known state of each target stays', async (t) => {
  const dataDir = directory(t)
  const old = [
    line(ago(90), 'quiet', []),
    line(ago(80), 'gone', []),
    line(ago(70), 'gone', null),
    line(ago(50), 'busy', []),
  ]
  const recent = [line(ago(31), 'busy', ['x']), line(ago(29), 'busy', [])]
  const [oldRestore, restore] = [ago(40), ago(28)].map((time) => {
    return `${JSON.stringify({ time: formatTime(time), event: 'restored', generation: 1 })}\n`
  })
  writeFileSync(join(dataDir, 'history.jsonl'), [...old, oldRestore, ...recent, restore].join(''))
  const server = await serve(t, dataDir, { historyRetention: 30 })
  // The server answers before it has read its history, and a question about the history after.
  await historyOf(server)
  const kept = linesIn(dataDir).map(({ time, server: name }) => [
    name,
    Math.round((Date.now() - Date.parse(time)) / DAY),
  ])
  t.same(kept.slice(0, 3), [
    ['quiet', 90],
    ['busy', 31],
    ['busy', 29],
  ])
  const text = readFileSync(join(dataDir, 'history.jsonl'), 'utf8')
  t.ok(restore !== undefined && text.includes(restore), 'a line about a restore of that time stays')
  t.equal(text.split('"event"').length, 2, 'an older one goes')
  t.same(
    await historyOf(server),
    linesIn(dataDir).filter((row) => 'repo' in row),
    'and is read on as it now is',
  )
  t.notOk(server.lines.some(({ msg }) => msg === 'unreadable rows skipped'))
  t.ok(server.lines.some(({ msg }) => msg === 'history compacted'))
  await post(server.url, snapshotOf({ repo: 'r', server: 'busy' }, []))
  t.match((await historyOf(server)).at(-1), { server: 'busy', changes: ['first_seen'] })
})

const READY = { ready: true, problems: [] }

/** Puts a directory in the place of the history, as a fault. */
function block(dataDir: string): { unblock: () => void } {
  const file = join(dataDir, 'history.jsonl')
  renameSync(file, `${file}.kept`)
  mkdirSync(file)
  return {
    unblock: () => {
      rmdirSync(file)
      renameSync(`${file}.kept`, file)
    },
  }
}

/** Makes a target drift and come back, twice; returns the rows that the history is to have for it. */
async function changeFourTimes(server: Server): Promise<object[]> {
  const rows: object[] = []
  for (const [index, files] of [['x'], [], ['x'], []].entries()) {
    const answer = await post(
      server.url,
      snapshotOf({ server: 'a' }, files, formatTime(Date.now() - 60_000 + index * 1000)),
    )
    matches(answer.status, 200)
    const { updated_at: time, generation } = fileOf(server)
    const status = files.length === 0 ? 'SYNCED' : 'OUT_OF_SYNC'
    const changes = ['status_changed']
    rows.push({ time, generation, sync_status: status, changes, cause: 'snapshot', address: '127.0.0.1' })
    // The next row gets another time.
    await sleep(1001)
  }
  return rows
}

const readiness = async ({ url }: Pick<Server, 'url'>): Promise<unknown> => (await ask(`${url}/readyz`)).json

async function rowsWaiting({ url }: Pick<Server, 'url'>): Promise<number> {
  const [, rows] = /^gitops_status_server_history_rows_waiting (\d+)$/m.exec((await ask(`${url}/metrics`)).text) ?? []
  return Number(rows)
}

t.test(
  'a history that cannot be written: the rows wait, the server says so, and they follow by themselves',
  async (t) => {
    const server = await serve(t)
    await post(server.url, snapshotOf({ server: 'a' }, [], formatTime(Date.now() - 120_000)))
    await eventually(() => matches(linesIn(server.dataDir), [{}]))
    t.match([await readiness(server), await rowsWaiting(server)], [READY, 0])
    const { unblock } = block(server.dataDir)
    const rows = await changeFourTimes(server)
    t.equal((await ask(`${server.url}/api/history`)).status, 500)
    await eventually(async () => matches(await rowsWaiting(server), 4))
    const warned = server.lines.filter(({ msg }) => /history not written/.test(msg))
    t.match(warned, [{ level: 'warn', help: helpFor('history'), err: { code: 'EISDIR' } }])
    t.equal(warned.length, 1, 'not for each commit')
    const problem = { kind: 'history', since: (rows[0] as HistoryRow).time, detail: /EISDIR/, help: helpFor('history') }
    t.match(await readiness(server), { ready: true, problems: [problem] })
    unblock()
    await eventually(() => matches(linesIn(server.dataDir).slice(1), rows))
    await eventually(async () => matches([await readiness(server), await rowsWaiting(server)], [READY, 0]))
    t.equal(((await readiness(server)) as { problems: [] }).problems.length, 0)
    t.equal(linesIn(server.dataDir).length, 5)
    t.same(await historyOf(server), linesIn(server.dataDir))
    t.equal(server.lines.filter(({ msg }) => msg === 'history written again').length, 1)
  },
)

t.test('a start with a history that cannot be read: what changes is written when it can be', async (t) => {
  const first = await serve(t)
  const old = formatTime(Date.now() - 120_000)
  await post(first.url, [snapshotOf({ server: 'a' }, [], old), snapshotOf({ server: 'b' }, [], old)])
  // A commit that makes no row: the next start does not know that.
  await post(first.url, snapshotOf({ server: 'b' }, [], formatTime(Date.now() - 110_000)))
  await first.stop()
  const { unblock } = block(first.dataDir)
  const second = await serve(t, first.dataDir)
  const rows = await changeFourTimes(second)
  unblock()
  await eventually(() => matches(linesIn(second.dataDir).slice(2), rows))
  t.equal(linesIn(second.dataDir).length, 6)
})

t.test('a history that is lost while it cannot be written begins anew', async (t) => {
  const server = await serve(t)
  const file = join(server.dataDir, 'history.jsonl')
  await post(server.url, snapshotOf({ server: 'a' }, []))
  await eventually(() => matches(linesIn(server.dataDir), [{}]))
  rmSync(file)
  mkdirSync(file)
  t.equal((await post(server.url, snapshotOf({ server: 'b' }, []))).status, 201)
  await eventually(() => ok(server.lines.some(({ msg }) => /history not written/.test(msg))))
  rmdirSync(file)
  // Its rows may be there again already.
  const names = (await historyOf(server)).map(({ server: name }) => name)
  t.ok(
    names.every((name) => name === 'a' || name === 'b'),
    names.join(),
  )
  await post(server.url, snapshotOf({ server: 'c' }, []))
  await eventually(async () =>
    matches((await historyOf(server)).map(({ server: name }) => name).toSorted(), ['a', 'b', 'c']),
  )
  t.pass('all are there')
})

interface Documents {
  readonly synced: StatusDocument
  readonly drifted: StatusDocument
  readonly again: StatusDocument
}

/** The options of a history that keeps everything. */
function quietOptions(place: string): HistoryOptions {
  return {
    directory: place,
    files: filesOf('local'),
    staleAfter: 600,
    retention: 3650 * DAY,
    bytesMax: 1e9,
    log: pino({ level: 'silent' }),
  }
}

/** Two histories of one directory, and documents of one target that drifts and comes back. */
function twoHistories(t: Test): { place: string; one: History; two: History; documents: Documents } {
  const place = directory(t)
  const options = quietOptions(place)
  const synced = posted(EMPTY_DOCUMENT, snapshotOf({}, [], '2026-04-21T10:00:00Z')).document
  const drifted = posted(synced, snapshotOf({}, ['a'], '2026-04-21T10:01:00Z')).document
  const again = posted(drifted, snapshotOf({}, [], '2026-04-21T10:02:00Z')).document
  const documents = { synced, drifted, again }
  return { place, one: new History(options), two: new History(options), documents }
}

const BY_CI = new Map([[keyOf({ repo: 'rsyslog', server: 'rsyslog-lab' }), { origin: 'snapshot' as const, by: {} }]])
const ofLines = (place: string): unknown[] =>
  linesIn(place).map(({ generation, sync_status: status, cause }) => [generation, status, cause])

t.test('two servers whose rows wait: no row is written twice, and none is left out', async (t) => {
  const { place, one, two, documents } = twoHistories(t)
  await one.record(documents.synced, BY_CI, true)
  await two.record(documents.synced, new Map(), false)
  const { unblock } = block(place)
  await one.record(documents.drifted, BY_CI, true)
  await two.record(documents.drifted, new Map(), false)
  await one.record(documents.again, BY_CI, true)
  t.match([one.fault, two.fault], [{ rows: 2 }, { rows: 1 }])
  unblock()
  await two.record(documents.drifted, new Map(), false)
  await one.record(documents.again, new Map(), false)
  await two.record(documents.again, new Map(), false)
  t.same([one.fault, two.fault], [undefined, undefined])
  t.same(ofLines(place), [
    [1, 'SYNCED', 'snapshot'],
    [2, 'OUT_OF_SYNC', 'recovery'],
    [3, 'SYNCED', 'snapshot'],
  ])
})

t.test('rows of another server that wrote later ones are not written after them', async (t) => {
  const { place, one, two, documents } = twoHistories(t)
  await one.record(documents.synced, BY_CI, true)
  const { unblock } = block(place)
  await one.record(documents.drifted, BY_CI, true)
  unblock()
  await two.record(documents.again, BY_CI, false)
  const last = posted(documents.again, snapshotOf({}, ['b'], '2026-04-21T10:03:00Z')).document
  await two.record(last, BY_CI, true)
  await one.record(last, new Map(), false)
  t.same(ofLines(place), [
    [1, 'SYNCED', 'snapshot'],
    [4, 'OUT_OF_SYNC', 'snapshot'],
  ])
})

t.test('a start with a history that can be read and not written knows what is in it', async (t) => {
  const { one, two, documents } = twoHistories(t)
  await one.record(documents.synced, BY_CI, true)
  let isFirst = true
  beforeCalls(t, 'open', (path) => {
    if (!isFirst || !path.endsWith('history.jsonl')) return
    isFirst = false
    throw Object.assign(new Error('EPERM: operation not permitted, open'), { code: 'EPERM' })
  })
  await two.record(documents.synced, BY_CI, true)
  t.match(two.fault, { rows: 0, error: { code: 'EPERM' } })
})

t.test('an append of which the file has kept a part: nothing is written twice', async (t) => {
  const { place, one, documents } = twoHistories(t)
  await one.record(documents.synced, BY_CI, true)
  let isFailing = true
  const fail = (): void => {
    if (isFailing) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })
  }
  await beforeHandleCalls(t, 'datasync', fail)
  await beforeHandleCalls(t, 'truncate', fail)
  const event = {
    time: '2026-04-21T10:01:00Z',
    event: 'restored',
    generation: 2,
    restored: {},
    returned: 0,
    changed: 1,
  }
  await one.record(documents.drifted, BY_CI, true, [{ ...event, event: 'restored' }])
  t.match(one.fault, { rows: 2, error: { code: 'EIO' } })
  const file = join(place, 'history.jsonl')
  writeFileSync(file, readFileSync(file, 'utf8').slice(0, -20))
  isFailing = false
  await one.record(documents.again, BY_CI, true)
  t.equal(one.fault, undefined)
  t.same(ofLines(place), [
    [1, 'SYNCED', 'snapshot'],
    [2, undefined, undefined],
    [2, 'OUT_OF_SYNC', 'snapshot'],
    [3, 'SYNCED', 'snapshot'],
  ])
})

t.test('too many rows wait: the oldest go, and the newest state of each target is written', async (t) => {
  const { place, one, documents } = twoHistories(t)
  await one.record(documents.synced, BY_CI, true)
  const { unblock } = block(place)
  await one.record(documents.drifted, BY_CI, true)
  const servers = Array.from({ length: 10_000 }, (_, index) => `s${index}`)
  const many = servers.map((server) => snapshotOf({ server }, [], '2026-04-21T10:02:00Z'))
  const { document } = posted(documents.drifted, ...many)
  await one.record(document, new Map(), true)
  t.match(one.fault, { rows: 10_000, dropped: 1 })
  await one.record(posted(document, snapshotOf({}, ['a'], '2026-04-21T10:03:00Z')).document, BY_CI, true)
  t.match(one.fault, { rows: 10_000, dropped: 1 }, 'what was dropped is known')
  unblock()
  await one.record(document, new Map(), true)
  t.equal(one.fault, undefined)
  const rows = linesIn(place)
  t.equal(rows.length, 10_002)
  t.match(rows.at(-1), { server: 'rsyslog-lab', sync_status: 'OUT_OF_SYNC', cause: 'recovery' })
})

t.test('a file that grows too large: the newer half stays, and the last known state of each target', async (t) => {
  const place = directory(t)
  const quiet = line(ago(20), 'quiet', ['x'])
  const busy = Array.from({ length: 100 }, (_, index) =>
    line(ago(10) + index * 1000, 'busy', index % 2 === 0 ? [] : ['x']),
  )
  writeFileSync(join(place, 'history.jsonl'), [quiet, ...busy].join(''))
  const bytesMax = busy.join('').length
  const log = pino({ level: 'silent' })
  const history = new History({
    directory: place,
    files: filesOf('local'),
    staleAfter: 600,
    retention: 90 * DAY,
    bytesMax,
    log,
  })
  const known = { ...EMPTY_DOCUMENT, entries: [], updatedAt: formatTime(Date.now()) }
  await history.record(known, new Map(), false)
  const lines = readFileSync(join(place, 'history.jsonl'), 'utf8').split(/(?<=\n)/)
  t.equal(lines[0], quiet)
  t.match(lines.at(-1), '"removed"')
  t.same(lines.slice(1, -2), busy.slice(1 - lines.length + 2))
  t.ok(Math.abs(lines.join('').length - bytesMax / 2) < 1000)
  const all = { from: 0, to: Infinity, limit: 1000, bytes: 1e9 }
  t.equal((await history.rows(all)).length, lines.length)
  t.ok((await history.rows({ ...all, bytes: 1000 })).length < 10, 'an answer is bounded too')
})
