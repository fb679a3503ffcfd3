/*
 * Measures this server against what one would take in its place: npm run bench [-- --quick]. Each contender is a process
 * of its own on one core, the load is on another; they take turns, and what counts are the ratios of their medians.
 * Needs two cores, wrk, and takes nginx and prometheus-pushgateway along where they are installed.
 */
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { readDocument } from '../src/status/document.ts'
import type { SavedStatus } from '../src/status/schema.ts'
import { snapshotOf } from '../test/support/snapshots.ts'
import {
  type Running,
  has,
  startBareHttp,
  startExpressStatic,
  startJsonServer,
  startNaive,
  startNginx,
  startOurs,
  startPushgateway,
} from './contenders.ts'
import { type Write, type WriteResult, median, quantile, readLoad, residentMiB, writeLoad } from './load.ts'

const quick = process.argv.includes('--quick')
const ROUNDS = quick ? 1 : 3
const READ_SECONDS = quick ? 1 : 2
const WRITE_SECONDS = quick ? 1 : 4
const READ_CONNECTIONS = 32
const WRITE_CLIENTS = 64

const work = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'bench-'))
const report: string[] = []

function say(line: string): void {
  report.push(line)
  process.stdout.write(`${line}\n`)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`
  say(line(head))
  say(
    `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`,
  )
  for (const row of rows) say(line(row))
  say('')
}

function count(number: number): string {
  return Math.round(number).toLocaleString('en')
}

function ratio(one: number, other: number): string {
  return `${(one / other).toFixed(2)} ×`
}

function nameOf(target: number): string {
  return `server-${String(target).padStart(6, '0')}`
}

/** A directory with a document of so many targets, a few of which have drifted, as this server writes it. */
async function directoryWith(targets: number): Promise<string> {
  const directory = join(work, `targets-${targets}-${Math.random().toString(36).slice(2)}`)
  mkdirSync(directory)
  const statuses = Array.from({ length: targets }, (_, index) =>
    snapshotOf({ server: nameOf(index) }, index % 20 === 0 ? ['rsyslog.conf'] : []),
  )
  writeFileSync(join(directory, 'status.json'), JSON.stringify({ statuses }))
  const server = await startOurs(directory)
  await server.stop()
  return directory
}

/** Takes turns: every contender once in each round. The medians, by name. */
async function alternate(measures: Record<string, () => number | Promise<number>>): Promise<Record<string, number>> {
  const results: Record<string, number[]> = {}
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, measure] of Object.entries(measures)) (results[name] ??= []).push(await measure())
  }
  return Object.fromEntries(Object.entries(results).map(([name, numbers]) => [name, median(numbers)]))
}

async function reads(): Promise<void> {
  say('## Reads')
  say('')
  say(`Answers a second to ${READ_CONNECTIONS} connections, from one core.`)
  say('')
  const rows: string[][] = []
  for (const targets of [1, 1000]) {
    const directory = await directoryWith(targets)
    const file = join(directory, 'status.json')
    const servers: Record<string, Running> = {
      'gitops-status-server': await startOurs(directory),
      'bare node:http': await startBareHttp(file),
      'express.static': await startExpressStatic(directory),
      ...(has('nginx') ? { nginx: await startNginx(directory, join(work, `nginx-${targets}`)) } : {}),
    }
    const url = (name: string): string => `${servers[name]?.url ?? ''}/status.json`
    const bytes = readFileSync(file)
    const etags: Record<string, string> = {}
    for (const name of Object.keys(servers)) {
      const answer = await fetch(url(name), { headers: { 'Accept-Encoding': 'identity' } })
      if (!Buffer.from(await answer.arrayBuffer()).equals(bytes)) throw new Error(`${name} serves other bytes`)
      etags[name] = answer.headers.get('ETag') ?? ''
    }
    const load =
      (name: string, headers: Record<string, string> = {}) =>
      (): number =>
        readLoad(url(name), { seconds: READ_SECONDS, connections: READ_CONNECTIONS, headers })
    const names = Object.keys(servers)
    const whole = await alternate(Object.fromEntries(names.map((name) => [name, load(name)])))
    const known = await alternate(
      Object.fromEntries(names.map((name) => [name, load(name, { 'If-None-Match': etags[name] ?? '' })])),
    )
    const kb = `${(bytes.length / 1000).toFixed(bytes.length < 10_000 ? 1 : 0)} kB`
    for (const [what, results] of [
      [`${count(targets)} target${targets === 1 ? '' : 's'}, ${kb}`, whole],
      ['304', known],
    ] as const) {
      const ours = results['gitops-status-server'] ?? Number.NaN
      rows.push([
        what,
        ...['gitops-status-server', 'bare node:http', 'express.static', 'nginx'].map((name) =>
          results[name] === undefined ? 'not here' : count(results[name]),
        ),
        ratio(ours, results['bare node:http'] ?? Number.NaN),
        ratio(ours, results['express.static'] ?? Number.NaN),
      ])
    }
    for (const server of Object.values(servers)) await server.stop()
  }
  table(['document', 'this server', 'bare node:http', 'express.static', 'nginx', 'to node:http', 'to express'], rows)

  const directory = await directoryWith(10_000)
  const server = await startOurs(directory)
  const gzip = { 'Accept-Encoding': 'gzip' }
  const first = performance.now()
  await (await fetch(`${server.url}/status.json`, { headers: gzip })).arrayBuffer()
  const made = performance.now() - first
  const rate = readLoad(`${server.url}/status.json`, {
    seconds: READ_SECONDS,
    connections: READ_CONNECTIONS,
    headers: gzip,
  })
  say(
    `10,000 targets with gzip: ${made.toFixed(0)} ms for the first answer of a generation, then ${count(rate)} a second.`,
  )
  say('')
  await server.stop()
}

function ourWrite(target: number, mark: number): Write {
  const body = JSON.stringify({ ...snapshotOf({ server: nameOf(target) }), mark })
  return { path: '/api/status', method: 'POST', type: 'application/json', body }
}

function push(target: number, mark: number): Write {
  const body = `# TYPE gitops_drift_files gauge\ngitops_drift_files 0\n# TYPE gitops_mark gauge\ngitops_mark ${mark}\n`
  return { path: `/metrics/job/rsyslog/instance/${nameOf(target)}`, method: 'PUT', type: 'text/plain', body }
}

function statusesIn(file: string): readonly SavedStatus[] {
  const outcome = readDocument(readFileSync(file))
  if (!outcome.ok) throw new Error(`${file} is broken`)
  return outcome.value.statuses
}

/** Acknowledged snapshots that the file does not have, or has an older one of. */
function lost(file: string, { acknowledged }: WriteResult): number {
  const statuses = statusesIn(file)
  const marks = new Map(statuses.map((status) => [status.server, Number(status['mark'] ?? 0)]))
  return [...acknowledged].filter(([target, mark]) => (marks.get(nameOf(target)) ?? 0) < mark).length
}

async function ourWrites(directory: string, clients: number, targets: number): Promise<WriteResult> {
  const server = await startOurs(directory)
  const result = await writeLoad(server.url, { clients, seconds: WRITE_SECONDS, targets }, ourWrite)
  await server.stop()
  const missing = lost(join(directory, 'status.json'), result)
  if (missing > 0) throw new Error(`${missing} acknowledged snapshots are missing`)
  return result
}

async function pushgatewayWith(targets: number): Promise<string> {
  const file = join(work, `pushgateway-${targets}`)
  // Filled without the check of every push against all others, which takes time in the square of their number.
  const server = await startPushgateway(file, false)
  const agent = { clients: 16, seconds: Infinity, targets }
  await fill(server.url, agent.targets)
  await server.stop()
  return file
}

async function fill(url: string, targets: number): Promise<void> {
  for (let target = 0; target < targets; target += 1) {
    const { path, method, type, body } = push(target, 0)
    const answer = await fetch(url + path, { method, headers: { 'Content-Type': type }, body })
    if (!answer.ok) throw new Error(`the Pushgateway answered ${answer.status}`)
  }
}

async function writes(): Promise<void> {
  say('## Writes')
  say('')
  say(
    `Acknowledged snapshots a second from ${WRITE_CLIENTS} clients. This server answers after the fsync of the commit;`,
  )
  say('the others without any, so that what they have acknowledged is lost with the power.')
  say('')
  const rows: string[][] = []
  for (const targets of [1000, 10_000]) {
    const directory = await directoryWith(targets)
    const load = { clients: WRITE_CLIENTS, seconds: WRITE_SECONDS, targets }
    const naive = join(work, `naive-${targets}.json`)
    const served = join(work, `json-server-${targets}.json`)
    const statuses = statusesIn(join(directory, 'status.json'))
    const pushgateway = has('prometheus-pushgateway') ? await pushgatewayWith(targets) : undefined
    const results = await alternate({
      ours: async () => (await ourWrites(directory, WRITE_CLIENTS, targets)).rate,
      ...(pushgateway === undefined
        ? {}
        : {
            pushgateway: async () =>
              rateOf(await startPushgateway(pushgateway), async ({ url }) => writeLoad(url, load, push)),
          }),
      naive: async () => {
        writeFileSync(naive, JSON.stringify({ statuses }))
        return rateOf(await startNaive(naive), async ({ url }) => writeLoad(url, load, ourWrite))
      },
      jsonServer: async () => {
        writeFileSync(served, JSON.stringify({ statuses: statuses.map((status, id) => ({ id, ...status })) }))
        return rateOf(await startJsonServer(served), async ({ url }) =>
          writeLoad(url, load, (target, mark) => ({
            ...ourWrite(target, mark),
            path: `/statuses/${target}`,
            method: 'PUT',
          })),
        )
      },
    })
    const ours = results['ours'] ?? Number.NaN
    const others = [results['pushgateway'], results['naive'], results['jsonServer']]
    rows.push([
      count(targets),
      count(ours),
      ...others.map((other) => (other === undefined ? 'not here' : count(other))),
      ...others.map((other) => (other === undefined ? '' : ratio(ours, other))),
    ])
  }
  const names = ['Pushgateway', 'a write each', 'json-server']
  table(['targets', 'this server', ...names, ...names.map((name) => `to ${name}`)], rows)

  const directory = await directoryWith(100)
  const { ours, bare } = await alternate({
    ours: async () => quantile((await ourWrites(directory, 1, 100)).latencies, 0.5),
    bare: () => bareCommits(directory, readFileSync(join(directory, 'status.json'))),
  })
  say(
    `One client at 100 targets waits ${ours?.toFixed(2)} ms; write, fsync, rename and fsync of the directory alone take ` +
      `${bare?.toFixed(2)} ms on the same disk: ${ratio(ours ?? 0, bare ?? 0)}.`,
  )
  say('')
}

async function rateOf(server: Running, load: (server: Running) => Promise<WriteResult>): Promise<number> {
  try {
    return (await load(server)).rate
  } finally {
    await server.stop()
  }
}

/** What any durable replacement of a file takes, in ms. */
function bareCommits(directory: string, bytes: Buffer): number {
  const [staged, file] = [join(directory, 'bare.new'), join(directory, 'bare.json')]
  const times: number[] = []
  for (const end = performance.now() + WRITE_SECONDS * 500; performance.now() < end;) {
    const started = performance.now()
    const handle = openSync(staged, 'w')
    writeSync(handle, bytes)
    fsyncSync(handle)
    closeSync(handle)
    renameSync(staged, file)
    const parent = openSync(directory, 'r')
    fsyncSync(parent)
    closeSync(parent)
    times.push(performance.now() - started)
  }
  rmSync(file)
  return median(times)
}

async function growth(): Promise<void> {
  say('## Growth')
  say('')
  const rows: string[][] = []
  for (const targets of quick ? [1, 1000] : [1, 100, 1000, 10_000, 100_000]) {
    const directory = await directoryWith(targets)
    const bytes = readFileSync(join(directory, 'status.json')).length
    const server = await startOurs(directory)
    const idle = residentMiB(server.pid)
    const results: WriteResult[] = []
    for (const clients of [1, 64, 256]) {
      results.push(await writeLoad(server.url, { clients, seconds: WRITE_SECONDS, targets }, ourWrite))
    }
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    const value = (name: string): number =>
      Number(new RegExp(`^gitops_status_server_${name} (.+)$`, 'm').exec(metrics)?.[1])
    const commit = (value('commit_duration_seconds_sum') / value('commit_duration_seconds_count')) * 1000
    const lag = Number(/^nodejs_eventloop_lag_p99_seconds (.+)$/m.exec(metrics)?.[1]) * 1000
    const edit = await editToLive(server.url, join(directory, 'status.json'))
    const loaded = residentMiB(server.pid)
    await server.stop()
    const [one, many, crowd] = results
    if (one === undefined || many === undefined || crowd === undefined) throw new Error('no results')
    rows.push([
      count(targets),
      `${(bytes / 1e6).toFixed(2)} MB`,
      `${commit.toFixed(1)} ms`,
      ...results.map(({ rate }) => count(rate)),
      ...results.map(
        ({ latencies }) => `${quantile(latencies, 0.5).toFixed(0)} / ${quantile(latencies, 0.99).toFixed(0)} ms`,
      ),
      `${lag.toFixed(0)} ms`,
      `${idle.toFixed(0)} / ${loaded.toFixed(0)} MiB`,
      `${server.startMs.toFixed(0)} ms`,
      `${edit.toFixed(0)} ms`,
    ])
  }
  const clients = ['1 client', '64 clients', '256 clients']
  table(
    [
      'targets',
      'document',
      'commit',
      ...clients,
      ...clients.map((each) => `p50 / p99, ${each}`),
      'loop p99',
      'memory',
      'start',
      'edit to live',
    ],
    rows,
  )
}

/** From an edit's rename to the first reader who gets it, in ms. */
async function editToLive(url: string, file: string): Promise<number> {
  const times: number[] = []
  for (let edit = 0; edit < 3; edit += 1) {
    const note = `"note ${edit}": "${Math.random()}"`
    writeFileSync(`${file}.edit`, readFileSync(file, 'utf8').replace(/"server": /, `${note},\n      $&`))
    const started = performance.now()
    renameSync(`${file}.edit`, file)
    while (!(await (await fetch(`${url}/api/status?server=${nameOf(0)}`)).text()).includes(note)) {
      if (performance.now() - started > 60_000) throw new Error('the edit is not live')
    }
    times.push(performance.now() - started)
  }
  return median(times)
}

if (!has('wrk') || cpus().length < 2) throw new Error('the bench needs wrk (apt-get install wrk) and two cores')
spawnSync('taskset', ['-p', '-c', '1', String(process.pid)])
try {
  say('# Results')
  say('')
  say(
    `${cpus().length} cores (${cpus()[0]?.model ?? ''}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${release()}, Node ${process.version}.`,
  )
  say(
    `${quick ? 'A quick run' : `Medians of ${ROUNDS} rounds`}; \`npm run bench\` measures again. What counts are the ratios.`,
  )
  say('')
  await reads()
  await writes()
  await growth()
  if (!quick) writeFileSync(join(import.meta.dirname, 'RESULTS.md'), `${report.join('\n').trimEnd()}\n`)
} finally {
  rmSync(work, { recursive: true })
}
