import { deepStrictEqual, ok, throws } from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import type { HistoryRow } from '../../src/status/history.ts'
import { helpFor } from '../../src/project.ts'
import { SETTINGS, settingsTable } from '../../src/settings.ts'
import { COMMANDS } from '../../src/usage.ts'
import { directory } from '../support/directory.ts'
import { ask, eventually, post } from '../support/http.ts'
import { Load, lostFrom, marksIn } from '../support/load.ts'
import { type OpenapiDocument } from '../support/openapi.ts'
import { needs, repetitions } from '../support/machine.ts'
import { PROGRAM, fileOf, linesOf, run, runServer } from '../support/server.ts'
import { DRIFTED, snapshotOf } from '../support/snapshots.ts'

/** The names that a data directory may have while nothing is being written. */
const AT_REST =
  /^(status(\.schema|\.rejected-.*)?\.json|status\.record-\d+\.jsonl|history\.jsonl|\.status\.(lock|turn))$/

t.test('--help, --version and exit codes', async (t) => {
  const help = run(t, ['--help'])
  t.equal(await help.ended, 0)
  for (const cell of settingsTable().flat()) t.ok(help.stdout().includes(cell), cell)
  for (const [name, { synopsis, summary, exitCodes }] of Object.entries(COMMANDS)) {
    t.ok(help.stdout().includes(summary), name)
    const own = run(t, [name, '--help'])
    t.equal(await own.ended, 0)
    for (const part of [synopsis, summary, ...exitCodes.flat()]) t.ok(own.stdout().includes(String(part)), String(part))
  }
  const version = run(t, ['--version'])
  t.equal(await version.ended, 0)
  t.match(version.stdout(), /^\d+\.\d+\.\d+\n$/)

  const wrong = run(t, ['--port', 'x'], { STALE_AFTER: '-5' })
  t.equal(await wrong.ended, 2)
  t.match(wrong.stderr(), /--port: must be[^]*STALE_AFTER: must be/)
  t.equal(wrong.stdout(), '')
})

t.test(
  'what keeps it from starting is one line that says what, where and what was expected; nothing is written',
  async (t) => {
    const taken = createServer().listen(0, '127.0.0.1')
    t.teardown(() => taken.close())
    await once(taken, 'listening')
    const port = String((taken.address() as AddressInfo).port)
    const place = directory(t, { file: '', 'tokens.json': '{ "tokens": [{}] }' })
    const data = join(place, 'data')
    const cases: [what: string, args: string[], detail: RegExp][] = [
      [
        'a port in use',
        ['--port', port, '--data-dir', data],
        new RegExp(`^127\\.0\\.0\\.1:${port}: cannot listen: the port is in use; PORT must be a free port$`),
      ],
      [
        'an address of another machine',
        ['--host', '192.0.2.1', '--port', '0', '--data-dir', data],
        /^192\.0\.2\.1:0: cannot listen: this machine does not have the address; HOST must be/,
      ],
      [
        'a name of no machine',
        ['--host', 'nowhere.invalid', '--port', '0', '--data-dir', data],
        /^nowhere\.invalid:0: cannot listen: .+/,
      ],
      [
        'a file in place of the data directory',
        ['--port', '0', '--data-dir', join(place, 'file', 'data')],
        new RegExp(
          `^${place}/file/data: cannot be used: .*ENOTDIR.*; DATA_DIR must be a directory that this user can write`,
        ),
      ],
      [
        'a data directory that takes no files',
        ['--port', '0', '--data-dir', '/sys'],
        /^\/sys: cannot be used: .*E(ACCES|PERM|ROFS).*; DATA_DIR must be a directory that this user can write/,
      ],
      [
        'no tokens file',
        ['--port', '0', '--data-dir', data, '--tokens-file', join(place, 'nothing.json')],
        new RegExp(
          `^${place}/nothing\\.json: cannot be read: ENOENT.*; TOKENS_FILE must be a file that this user can read$`,
        ),
      ],
      [
        'a directory in place of the tokens file',
        ['--port', '0', '--data-dir', data, '--tokens-file', place],
        new RegExp(`^${place}: cannot be read: EISDIR.*; TOKENS_FILE must be a file`),
      ],
      [
        'a faulty tokens file',
        ['--port', '0', '--data-dir', data, '--tokens-file', join(place, 'tokens.json')],
        new RegExp(
          `^${place}/tokens\\.json:1:14 /tokens/0/name: must be present; .+/tokens/0/sha256: must be present$`,
        ),
      ],
    ]
    for (const [what, args, detail] of cases) {
      const program = run(t, args)
      t.equal(await program.ended, 1, what)
      t.match(linesOf(program).at(-1), { level: 'fatal', msg: 'start failed', detail, help: helpFor('start') }, what)
      t.equal(linesOf(program).filter(({ err }) => err !== undefined).length, 0, 'no stack')
      t.equal(linesOf(program).length, 1, `${what}: one line`)
      t.equal(program.stderr(), '')
      t.same(readdirSync(place).toSorted(), ['file', 'tokens.json'], `${what}: nothing is written`)
    }
  },
)

t.test('check FILE: what is wrong with a file, before it is saved', async (t) => {
  const place = directory(t, {
    good: JSON.stringify({ statuses: [DRIFTED] }),
    bad: '{\n  "generation": "1",\n  "statuses": [{}]\n}',
  })
  const good = run(t, ['check', join(place, 'good')])
  t.equal(await good.ended, 0)
  t.equal(good.stdout(), '')
  const bad = run(t, ['check', join(place, 'bad')])
  t.equal(await bad.ended, 1)
  const [first, second] = bad.stdout().split('\n')
  t.equal(first, `${join(place, 'bad')}:2:17 /generation: must be integer, not string`)
  t.equal(second, `${join(place, 'bad')}:3:16 /statuses/0/repo: must be present`)
  const missing = run(t, ['check', join(place, 'missing')])
  t.equal(await missing.ended, 1)
  t.match(missing.stdout(), /missing: cannot be read: ENOENT/)
  for (const args of [['check'], ['check', 'a', 'b']]) t.equal(await run(t, args).ended, 2)
  const piped = spawnSync(process.execPath, [PROGRAM, 'check', '-'], { input: '{"statuses": 1}', encoding: 'utf8' })
  t.match(piped, { status: 1, stdout: '<stdin>:1:14 /statuses: must be array, not number\n' })
})

t.test('the log has one JSON line for start, commit, edit, refusal and stop', async (t) => {
  const dataDir = directory(t)
  const server = await runServer(t, dataDir)
  await post(server.url, DRIFTED)
  await post(server.url, {})
  const file = join(dataDir, 'status.json')
  writeFileSync(file, readFileSync(file, 'utf8').replace('"statuses"', '"note": "x",\n  "statuses"'))
  await eventually(() => {
    if (!linesOf(server).some(({ msg }) => msg === 'edit merged')) throw new Error('not yet merged')
  })
  server.child.kill('SIGTERM')
  t.equal(await server.ended, 0)
  t.match(linesOf(server), [
    { msg: /^volume has/, fileSystem: /\w/ },
    { msg: 'document written', generation: 1 },
    {
      level: 'info',
      msg: 'started',
      settings: { host: '127.0.0.1', staleAfter: SETTINGS.staleAfter.fallback },
      generation: 1,
      targets: 0,
      volume: { fileSystem: /\w/ },
    },
    { msg: 'document written', generation: 2, requests: 1, bytes: Number, ms: Number },
    { msg: 'posted', targets: 1, address: '127.0.0.1', results: { created: 1 } },
    { msg: 'request refused', problem: 'invalid-snapshot' },
    { msg: 'document written', generation: 3, requests: 0 },
    { msg: 'edit merged' },
    { msg: 'stopping', signal: 'SIGTERM' },
    { msg: 'stopped', generation: 3 },
  ])
  t.notMatch(server.stdout(), /rsyslog\.conf/, 'and nothing of a body')
})

t.test('no route and no form of a request makes Node print a deprecation warning', async (t) => {
  const dataDir = directory(t)
  // The option reports more: calls from dependencies, and what a later version will deprecate. Passed by `env`, it replaces the
  // modules that tap loads into child processes, which make such calls themselves.
  const server = await runServer(t, dataDir, {}, ['env', 'NODE_OPTIONS=--pending-deprecation'])
  const { paths } = (await ask(`${server.url}/openapi.json`)).json as OpenapiDocument
  t.ok(Object.keys(paths).length >= 10, 'the routes are in the OpenAPI document')
  const [, asset = ''] = /src="\.\/(assets\/[^"]+)"/.exec((await ask(`${server.url}/`)).text) ?? []
  t.equal((await post(server.url, DRIFTED)).status, 201)
  for (const path of [...Object.keys(paths), `/${asset}`, '/nowhere']) {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'DELETE', 'PUT']) {
      for (const target of [path, `${path}?repo=rsyslog`, `${path}#part`, `${server.url}${path}`]) {
        const { status } = await ask(server.url, { method, path: target })
        t.ok(status < 500, `${method} ${target}: ${status}`)
      }
    }
  }
  t.equal((await ask(server.url, { method: 'OPTIONS', path: '*' })).status, 404)
  t.equal((await ask(server.url, { path: 'http://proxied.example?repo=rsyslog' })).status, 200)
  server.child.kill('SIGTERM')
  t.equal(await server.ended, 0)
  t.equal(server.stderr(), '')
})

t.test('600 posts at once: every acknowledged one is in the file', async (t) => {
  const dataDir = directory(t)
  const server = await runServer(t, dataDir)
  const answers = await Promise.all(
    Array.from({ length: 600 }, async (_, index) =>
      post(server.url, snapshotOf({ server: `s${index}` }, [`f${index}`])),
    ),
  )
  t.same(new Set(answers.map(({ status }) => status)), new Set([201]))
  const { statuses } = fileOf({ file: join(dataDir, 'status.json') })
  t.same(
    statuses.map(({ server: name, files }) => `${name} ${files[0]?.name}`).toSorted(),
    Array.from({ length: 600 }, (_, index) => `s${index} f${index}`).toSorted(),
  )
  server.child.kill('SIGTERM')
  t.equal(await server.ended, 0)
  const commits = linesOf(server).filter(({ msg }) => msg === 'document written').length
  t.ok(commits < 300, `${commits} commits`)
})

t.test('kill -9 in the middle of load, again and again: no acknowledged snapshot is missing', async (t) => {
  const dataDir = directory(t)
  const acknowledged = new Map<string, string>()
  for (let round = 0; round < repetitions(7); round += 1) {
    const server = await runServer(t, dataDir)
    const load = new Load([server], 16)
    await load.acknowledge(20 + Math.floor(Math.random() * 60))
    server.child.kill('SIGKILL')
    t.equal(await server.ended, 'SIGKILL')
    await load.stop()
    for (const [name, mark] of load.acknowledged) acknowledged.set(name, mark)
    t.same(lostFrom(dataDir, acknowledged), [], `round ${round}: all of ${acknowledged.size} are there`)
  }
  const last = await runServer(t, dataDir)
  t.same((await ask(`${last.url}/status.json`)).body, readFileSync(join(dataDir, 'status.json')))
  await eventually(() =>
    deepStrictEqual(
      readdirSync(dataDir).filter((name) => !AT_REST.test(name)),
      [],
      'no temporary file piles up',
    ),
  )
  const rows = (await ask(`${last.url}/api/history`)).json as HistoryRow[]
  const newest = Object.fromEntries(rows.map((row) => [row.server, row.files]))
  const { statuses } = fileOf({ file: join(dataDir, 'status.json') })
  t.same(
    newest,
    Object.fromEntries(statuses.map(({ server, files }) => [server, files.map(({ name }) => name)])),
    'the history ends with how it stands',
  )
})

t.test('SIGTERM under load: what was accepted is answered, exit code 0 within 10 seconds', async (t) => {
  const dataDir = directory(t)
  const server = await runServer(t, dataDir)
  const load = new Load([server], 16)
  const { hostname, port } = new URL(server.url)
  const idle = connect(Number(port), hostname)
  idle.on('error', () => undefined)
  const half = connect(Number(port), hostname, () =>
    half.write('POST /api/status HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{'),
  )
  half.on('error', () => undefined)
  await load.acknowledge(100)
  const started = Date.now()
  server.child.kill('SIGTERM')
  t.equal(await server.ended, 0)
  const took = Date.now() - started
  await load.stop()
  t.ok(took < 10_000, `stopped in ${took} ms, with an idle and a half-sent connection open`)
  t.same(load.refused, [], 'nobody was turned away who had been let in')
  t.same(lostFrom(dataDir, load.acknowledged), [])
  const unacknowledged = [...marksIn(dataDir).keys()].filter((name) => !load.acknowledged.has(name))
  t.same(unacknowledged, [], 'and whatever is in the file was acknowledged')
})

t.test('SIGINT stops it as well', async (t) => {
  const server = await runServer(t, directory(t))
  server.child.kill('SIGINT')
  t.equal(await server.ended, 0)
})

t.test('SIGHUP without a tokens file changes nothing', async (t) => {
  const server = await runServer(t, directory(t))
  server.child.kill('SIGHUP')
  await eventually(() => ok(linesOf(server).some(({ msg }) => msg === 'reloading')))
  t.equal((await post(server.url, DRIFTED)).status, 201)
})

t.test('LOG_FORMAT=text: the log of a service is for people, without colours, to its last line', async (t) => {
  const server = run(t, ['--port', '0', '--data-dir', directory(t)], { LOG_FORMAT: 'text' })
  await eventually(() => ok(/INFO: started/.test(server.stdout()), server.stdout() + server.stderr()))
  server.child.kill('SIGTERM')
  t.equal(await server.ended, 0)
  t.match(server.stdout(), /INFO: stopping\n +signal: "SIGTERM"\n.*INFO: stopped\n +generation: 1\n$/)
  t.ok(!server.stdout().includes('\u001B'), 'no colours')
})

// `script` makes a terminal.
t.test('on a terminal the log is for people', needs('script'), async (t) => {
  const command = `echo pid $$; exec ${process.execPath} ${PROGRAM} --port 0 --data-dir ${directory(t)}`
  const terminal = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(() => terminal.kill('SIGKILL'))
  let shown = ''
  terminal.stdout.on('data', (chunk) => (shown += String(chunk)))
  await eventually(() => ok(/INFO.*started/.test(shown), shown), 30_000)
  t.notMatch(shown, /"level"/)
  const [url = ''] = /http:[\d./:]+/.exec(shown) ?? []
  t.equal((await ask(`${url}/healthz`)).status, 200)
  // The terminal is closed.
  terminal.kill('SIGKILL')
  await once(terminal, 'close')
  const pid = Number(/pid (\d+)/.exec(shown)?.[1])
  await eventually(() => throws(() => process.kill(pid, 0), { code: 'ESRCH' }), 30_000)
})
