import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Running } from './contenders.ts'
import { checkAcknowledged, directoryWith, nameOf, postOf } from './documents.ts'
import { type WriteResult, pacedWrites, writeLoad } from './load.ts'
import { LoopDelay } from './loop-delay.ts'
import { median, quantile } from './numbers.ts'
import { count, mebibytes, ms, say, table } from './report.ts'
import { WRITE_SECONDS, quick } from './setup.ts'
import { cpuSeconds, residentMiB } from './usage.ts'

const SIZES = quick ? [1, 1000] : [1, 100, 1000, 10_000, 100_000]
const CLIENTS = [1, 64, 256]
const STEADY_SIZES = quick ? [1000] : [1000, 10_000, 30_000, 100_000]
/** How often each target is checked, in seconds. */
const CHECKED_EVERY = 120
const STEADY_SECONDS = quick ? 3 : 10
const DEADLINE_MS = 60_000

/** What grows with the document, and how. */
export async function growth(): Promise<void> {
  say('## Growth')
  say()
  say('As many snapshots as each number of clients gets acknowledged, one after another; each waits for its answer.')
  say()
  const clients = ['1 client', '64 clients', '256 clients']
  table(
    [
      'targets',
      'document',
      'commit',
      ...clients.map((each) => `a second, ${each}`),
      ...clients.map((each) => `p50 / p99, ${each}`),
      'loop p99, 1 / 64 / 256',
      'memory, idle / loaded',
      'start',
      'edit to live',
    ],
    await rowsOf(SIZES, growthAt),
  )
  say(`Every target checked once in ${CHECKED_EVERY} seconds, whether those before have their answers or not.`)
  say()
  table(
    ['targets', 'snapshots a second', 'of a core', 'commits a second', 'p50 / p99', 'refused', 'loop p99'],
    await rowsOf(STEADY_SIZES, steadyAt),
  )
  say('Loop p99: by how much the event loop, and with it every reader, is late; 99 times of 100 by less.')
  say()
}

async function rowsOf(sizes: readonly number[], measure: (size: number) => Promise<string[]>): Promise<string[][]> {
  const rows: string[][] = []
  for (const size of sizes) rows.push(await measure(size))
  return rows
}

async function growthAt(targets: number): Promise<string[]> {
  const directory = await directoryWith(targets)
  const file = join(directory, 'status.json')
  const bytes = readFileSync(file).length
  const probe = new LoopDelay()
  const server = await probe.start(directory)
  const idle = residentMiB(server.pid)
  const results: WriteResult[] = []
  const lags: number[] = []
  for (const clients of CLIENTS) {
    await probe.reset(server)
    const result = await writeLoad(server.url, { clients, seconds: WRITE_SECONDS, targets }, postOf)
    lags.push((await probe.reset(server)).p99)
    checkAcknowledged(directory, result)
    results.push(result)
  }
  const { seconds, commits } = await commitsOf(server)
  const edit = await editToLive(server.url, file)
  const loaded = residentMiB(server.pid)
  await server.stop()
  return [
    count(targets),
    `${(bytes / 1e6).toFixed(2)} MB`,
    ms((seconds / commits) * 1000, 1),
    ...results.map(({ rate }) => count(rate)),
    ...results.map(quantiles),
    `${lags.map((lag) => lag.toFixed(0)).join(' / ')} ms`,
    `${idle.toFixed(0)} / ${mebibytes(loaded)}`,
    ms(server.startMs),
    ms(edit),
  ]
}

async function steadyAt(targets: number): Promise<string[]> {
  const directory = await directoryWith(targets)
  const probe = new LoopDelay()
  const server = await probe.start(directory)
  const perSecond = targets / CHECKED_EVERY
  const load = { perSecond, seconds: STEADY_SECONDS, targets }
  await probe.reset(server)
  const before = cpuSeconds(server.pid)
  const started = performance.now()
  const result = await pacedWrites(server.url, load, postOf)
  const seconds = (performance.now() - started) / 1000
  const core = (cpuSeconds(server.pid) - before) / seconds
  const { p99: lag } = await probe.reset(server)
  const { commits } = await commitsOf(server)
  await server.stop()
  checkAcknowledged(directory, result)
  return [
    count(targets),
    perSecond.toFixed(0),
    `${(core * 100).toFixed(0)} %`,
    (commits / seconds).toFixed(1),
    quantiles(result),
    `${((result.refused / (perSecond * STEADY_SECONDS)) * 100).toFixed(0)} %`,
    ms(lag),
  ]
}

function quantiles({ latencies }: WriteResult): string {
  return `${quantile(latencies, 0.5).toFixed(0)} / ${ms(quantile(latencies, 0.99))}`
}

/** The commits since the start, and the time that they took together. */
async function commitsOf({ url }: Running): Promise<{ seconds: number; commits: number }> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  const value = (name: string): number =>
    Number(new RegExp(`^gitops_status_server_commit_duration_seconds_${name} (.+)$`, 'm').exec(metrics)?.[1])
  return { seconds: value('sum'), commits: value('count') }
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
      if (performance.now() - started > DEADLINE_MS) throw new Error('the edit is not live')
    }
    times.push(performance.now() - started)
  }
  return median(times)
}
