import { spawnSync } from 'node:child_process'
import { chownSync, copyFileSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { HistoryRow } from '../../src/status/history.ts'
import { formatTime } from '../../src/status/time.ts'
import { directory } from '../support/directory.ts'
import { ask, eventually, matches, post } from '../support/http.ts'
import { AS_ROOT, needs } from '../support/machine.ts'
import { PROGRAM, type Server, fileOf, linesOf, run, runServer, serve } from '../support/server.ts'
import { snapshotOf } from '../support/snapshots.ts'

const REMOVED = { repo: 'other', server: 'removed' }
const HISTORY = 'history.jsonl'

interface Prepared {
  readonly server: Server
  /** The first document, of which no record knows any more that it was one. */
  readonly backup: string
}

/** A server whose document has changed since a backup: a target checked again, one removed, one new, and notes. */
async function prepare(t: Test): Promise<Prepared> {
  const server = await serve(t)
  const soon = formatTime(Date.now() + 2000)
  await post(server.url, [{ ...snapshotOf({ server: 'checked' }), note: 'old' }, snapshotOf(REMOVED, ['a'])])
  const backup = join(directory(t), 'backup.json')
  // Another generation than any in the record, and not the server's form: as old as can be.
  const text = readFileSync(server.file, 'utf8')
  writeFileSync(backup, text.replace(/"generation": 2,\n {2}"/, '"generation": 812,\n  "title": "old", "'))
  await post(server.url, [
    { ...snapshotOf({ server: 'checked' }, ['newer.conf'], soon), note: 'new' },
    snapshotOf({ server: 'since' }),
  ])
  await ask(`${server.url}/api/status?repo=other`, { method: 'DELETE' })
  return { server, backup }
}

const RESTORED = {
  title: 'old',
  statuses: [REMOVED, { server: 'checked', drift_count: 1, note: 'old' }, { server: 'since' }],
}

const PREVIEW = `1 target comes back
1 target changes
1 target keeps the verdict of a newer check
1 target is not in the file and stays
top-level properties that change: title
other/removed: comes back
rsyslog/checked: note new -> old
`

const eventsIn = (dataDir: string): unknown[] =>
  readFileSync(join(dataDir, HISTORY), 'utf8')
    .split('\n')
    .filter((line) => line.includes('"event"'))
    .map((line) => JSON.parse(line) as unknown)

t.test('restore while a server runs: what will change, then the commit, which the server adopts', async (t) => {
  const { server, backup } = await prepare(t)
  const { generation = 0 } = fileOf(server)
  const program = run(t, ['restore', backup, '--data-dir', server.dataDir, '--yes'])
  t.equal(await program.ended, 0)
  t.equal(program.stderr(), '')
  t.ok(program.stdout().startsWith(`${backup}: generation 812 of `), program.stdout())
  t.ok(program.stdout().includes(`, targets: 2\n${PREVIEW}restored in generation ${generation + 1}: `))
  t.match(fileOf(server), { ...RESTORED, generation: generation + 1 })
  await eventually(async () => matches((await ask(`${server.url}/status.json`)).json, RESTORED))
  t.notOk(
    server.lines.some(({ msg }) => /edit|restored/.test(msg)),
    'the server takes it for no edit',
  )

  t.match(eventsIn(server.dataDir), [
    { event: 'restored', generation: generation + 1, restored: { generation: 812 }, returned: 1, changed: 1 },
  ])
  const rows = (await ask(`${server.url}/api/history?repo=other`)).json as HistoryRow[]
  t.match(rows.at(-1), { ...REMOVED, changes: ['first_seen'], cause: 'restore', generation: generation + 1 })
  t.equal((await post(server.url, snapshotOf({ server: 'next' }))).status, 201)
  const all = (await ask(`${server.url}/api/history`)).json as HistoryRow[]
  t.ok(all.every(({ server: name }) => typeof name === 'string'))
  t.notOk(server.lines.some(({ msg }) => msg === 'unreadable rows skipped'))

  const again = run(t, ['restore', backup, '--data-dir', server.dataDir])
  t.equal(await again.ended, 0)
  t.match(again.stdout(), /changes nothing/)
})

t.test('restore while no server runs; the next one starts with it', async (t) => {
  const { server, backup } = await prepare(t)
  await server.stop()
  const { generation = 0 } = fileOf(server)
  const { status, stdout } = spawnSync(
    process.execPath,
    [PROGRAM, 'restore', '-', '--yes', `--data-dir=${server.dataDir}`],
    { input: readFileSync(backup), encoding: 'utf8' },
  )
  t.equal(status, 0)
  t.ok(stdout.includes(PREVIEW), stdout)
  t.match(fileOf(server), { ...RESTORED, generation: generation + 1 })
  const next = await runServer(t, server.dataDir)
  t.match((await ask(`${next.url}/status.json`)).json, RESTORED)
  t.same(
    linesOf(next).filter(({ level }) => level !== 'info' && level !== 'debug'),
    [],
    'nothing is unreadable to it',
  )
  t.equal(eventsIn(server.dataDir).length, 1)
})

t.test('restore onto a document that is gone: the record has it', async (t) => {
  const { server, backup } = await prepare(t)
  await server.stop()
  rmSync(server.file)
  t.equal(await run(t, ['restore', backup, '--data-dir', server.dataDir, '--yes']).ended, 0)
  t.match(fileOf(server), RESTORED)
})

t.test('nobody to ask, or a no: nothing is changed', async (t) => {
  const { server, backup } = await prepare(t)
  await server.stop()
  const before = readdirSync(server.dataDir).map((name) => [name, readFileSync(join(server.dataDir, name), 'utf8')])
  const program = run(t, ['restore', backup, '--data-dir', server.dataDir])
  t.equal(await program.ended, 2)
  t.ok(program.stdout().includes(PREVIEW))
  t.match(program.stderr(), /--yes is required/)
  const after = readdirSync(server.dataDir).map((name) => [name, readFileSync(join(server.dataDir, name), 'utf8')])
  t.same(after, before)
})

// `script` makes a terminal.
t.test('on a terminal it asks', needs('script'), async (t) => {
  const { server, backup } = await prepare(t)
  await server.stop()
  const options = { encoding: 'utf8', env: { PATH: process.env['PATH'] } } as const
  const command = `${process.execPath} ${PROGRAM} restore ${backup} --data-dir ${server.dataDir}`
  const before = readFileSync(server.file)
  for (const input of ['n\n', '\n', '\u0004']) {
    const { status, stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { ...options, input })
    t.equal(status, 1, JSON.stringify(input))
    t.match(stdout, /Restore\? \[y\/N\]/)
    t.same(readFileSync(server.file), before)
  }
  t.equal(spawnSync('script', ['-qec', command, '/dev/null'], { ...options, input: 'y\n' }).status, 0)
  t.match(fileOf(server), RESTORED)
})

t.test('what it refuses: a faulty file, a wrong directory, a command line that is not valid', async (t) => {
  const { server, backup } = await prepare(t)
  const before = readFileSync(server.file)
  const place = directory(t, { bad: '{\n  "generation": "1",\n  "statuses": [{}]\n}' })
  const bad = run(t, ['restore', join(place, 'bad'), '--data-dir', server.dataDir, '--yes'])
  t.equal(await bad.ended, 1)
  t.equal(bad.stdout().split('\n')[0], `${join(place, 'bad')}:2:17 /generation: must be integer, not string`)
  t.same(readFileSync(server.file), before)

  for (const dataDir of [join(place, 'typo'), place, join(place, 'bad')]) {
    const wrong = run(t, ['restore', backup, '--data-dir', dataDir, '--yes'])
    t.equal(await wrong.ended, 1, dataDir)
    t.equal(
      wrong.stderr(),
      `gitops-status-server: ${dataDir}: there is no status.json; DATA_DIR must be the directory of a server\n`,
    )
    t.equal(wrong.stdout(), '')
  }
  t.notOk(existsSync(join(place, 'typo')))
  t.same(readdirSync(place), ['bad'], 'nothing is written')

  for (const [args, fault] of [
    [['restore'], /restore: expected one file/],
    [['restore', 'a', 'b'], /restore: expected one file/],
    [['restore', '-'], /restore: - requires --yes/],
    [['restore', 'a', '--port', '1'], /--port: unknown option of restore/],
    [['--yes'], /--yes: unknown option/],
  ] as const) {
    const program = run(t, args)
    t.equal(await program.ended, 2, args.join(' '))
    t.match(program.stderr(), fault)
  }
})

t.test(
  'files of another user: refused, also for root, since a server could not write them',
  needs(AS_ROOT),
  async (t) => {
    const { server, backup } = await prepare(t)
    await server.stop()
    const before = readFileSync(server.file)
    chownSync(server.file, 1234, 1234)
    const program = run(t, ['restore', backup, '--data-dir', server.dataDir, '--yes'])
    t.equal(await program.ended, 1)
    t.match(program.stderr(), /: run the command as user 1234, who owns the files, not as user 0\n$/)
    t.same(readFileSync(server.file), before)
  },
)

t.test('an older generation that is copied over the file has its line in the history, too', async (t) => {
  const server = await serve(t)
  await post(server.url, snapshotOf(REMOVED))
  const backup = join(directory(t), 'backup.json')
  copyFileSync(server.file, backup)
  await ask(`${server.url}/api/status?repo=other`, { method: 'DELETE' })
  copyFileSync(backup, server.file)
  await eventually(() =>
    matches(eventsIn(server.dataDir), [{ event: 'restored', generation: 4, restored: { generation: 2 }, returned: 1 }]),
  )
})
