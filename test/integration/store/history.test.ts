import { ok } from 'node:assert'
import { mkdirSync, readFileSync, rmSync, rmdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import { EMPTY_DOCUMENT, type StatusDocument } from '../../../src/status/document.ts'
import type { HistoryRow } from '../../../src/status/history.ts'
import { formatTime } from '../../../src/status/time.ts'
import { History } from '../../../src/store/history.ts'
import { withLock } from '../../../src/store/lock.ts'
import { Record } from '../../../src/store/record.ts'
import { render } from '../../../src/store/render.ts'
import { beforeCalls, beforeHandleCalls } from '../../support/calls.ts'
import { directory, filesOf } from '../../support/directory.ts'
import { CLOCK, posted } from '../../support/documents.ts'
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

/** A line of the history: a target of the repository `r`, in sync, drifted in some files, or removed (null). */
function line(time: number, server: string, files: readonly string[] | null): string {
  const row = {
    time: formatTime(time),
    repo: 'r',
    server,
    sync_status: files === null ? null : files.length === 0 ? 'SYNCED' : 'OUT_OF_SYNC',
    drift_count: files?.length ?? 0,
    files: files ?? [],
    stale: false,
    generation: 1,
    changes: ['status_changed'],
    cause: 'snapshot',
  }
  return `${JSON.stringify(row)}\n`
}

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
  t.equal(third.lines.find(({ msg }) => msg === 'torn last row removed')?.['bytes'], 20)
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
  const log = pino({ level: 'silent' })
  const options = {
    directory: place,
    files: filesOf('local'),
    staleAfter: 600,
    retention: 3650 * DAY,
    bytesMax: 1e9,
    log,
  }
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

t.test('a history that cannot be written: the snapshot is what counts, and the lines follow', async (t) => {
  const server = await serve(t)
  const file = join(server.dataDir, 'history.jsonl')
  await post(server.url, snapshotOf({ server: 'a' }, []))
  rmSync(file)
  mkdirSync(file)
  t.equal((await post(server.url, snapshotOf({ server: 'b' }, []))).status, 201)
  await eventually(() => ok(server.lines.some(({ msg }) => /history not written/.test(msg))))
  t.equal((await ask(`${server.url}/api/history`)).status, 500)
  rmdirSync(file)
  t.same(await historyOf(server), [])
  await post(server.url, snapshotOf({ server: 'c' }, []))
  await eventually(async () =>
    matches(
      (await historyOf(server)).map(({ server: name }) => name),
      ['a', 'b', 'c'],
    ),
  )
  t.pass('all are there')
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
