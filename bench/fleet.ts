/*
 * A fleet as it is in operation, for some minutes: npm run bench:fleet [-- --quick] [--targets N]... [--interval S]...
 * [--program DIR/dist/cli.js] [--profile DIR]. Writes bench/FLEET.md if everything was measured. The server has one core, the load
 * another.
 */
import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import {
  CHANGED_OF,
  CHECKED_EVERY,
  EDITED_EVERY,
  type FleetResult,
  READERS,
  READ_EVERY,
  SCRAPED_EVERY,
  fleetRun,
} from './fleet-run.ts'
import { LOAD_CORE } from './load.ts'
import { quantile } from './numbers.ts'
import { count, ms, report, say, table } from './report.ts'
import { quick, work } from './setup.ts'

const SERVERS = 50
const SECONDS = quick ? 20 : 300

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    targets: { type: 'string', multiple: true },
    interval: { type: 'string', multiple: true },
    program: { type: 'string' },
    profile: { type: 'string' },
    seconds: { type: 'string', default: String(SECONDS) },
  },
})
const sizes = (values.targets ?? ['1000', '10000', '100000']).map(Number)
const intervals = (values.interval ?? ['0', '10']).map(Number)
const isWhole = values.targets === undefined && values.interval === undefined && values.program === undefined

interface Run {
  readonly targets: number
  readonly interval: number
  readonly result: FleetResult
}

const ROWS: readonly (readonly [name: string, show: (result: FleetResult) => string])[] = [
  ['document', ({ documentBytes }) => `${(documentBytes / 1e6).toFixed(2)} MB`],
  ['of one core', ({ core }) => `${(core * 100).toFixed(1)} %`],
  ['POST, p50 / p99', ({ posts }) => quantiles(posts)],
  ['GET /api/summary, p50 / p99', ({ light }) => quantiles(light)],
  ['GET /status.json, 304, p50 / p99', ({ conditional }) => quantiles(conditional)],
  ['GET /status.json, 200, p50 / p99', ({ whole }) => quantiles(whole)],
  [
    'GET /metrics, p50 / max',
    ({ scrapes }) => `${number(quantile(scrapes, 0.5))} / ${ms(scrapes.at(-1) ?? Number.NaN)}`,
  ],
  ['edit to live, p50 / max', ({ edits }) => `${number(quantile(edits, 0.5))} / ${ms(edits.at(-1) ?? Number.NaN)}`],
  ['event loop late, p99 / max', ({ loop }) => `${number(loop.p99)} / ${ms(loop.max)}`],
  ['memory (RSS), peak', ({ peakMiB }) => `${peakMiB.toFixed(0)} MiB`],
  ['written', (result) => `${(writtenPerSecond(result) / 1e6).toFixed(2)} MB/s`],
  ['written a minute', (result) => `${((writtenPerSecond(result) * 60) / 1e6).toFixed(0)} MB`],
  ['written for each byte posted', ({ writtenBytes, postedBytes }) => (writtenBytes / postedBytes).toFixed(1)],
  ['start to ready', ({ startMs }) => ms(startMs)],
  ['start to ready after kill -9', ({ restartMs }) => ms(restartMs)],
]

/** What a cost is in proportion to the number of targets: 1 is linear. */
const COSTS: readonly (readonly [name: string, cost: (result: FleetResult) => number])[] = [
  ['document', ({ documentBytes }) => documentBytes],
  ['CPU', ({ core }) => core],
  ['POST, p50', ({ posts }) => quantile(posts, 0.5)],
  ['GET /api/summary, p50', ({ light }) => quantile(light, 0.5)],
  ['GET /metrics, p50', ({ scrapes }) => quantile(scrapes, 0.5)],
  ['edit to live, p50', ({ edits }) => quantile(edits, 0.5)],
  ['event loop late, p99', ({ loop }) => loop.p99],
  ['memory, peak', ({ peakMiB }) => peakMiB],
  ['written a second', writtenPerSecond],
  ['start to ready', ({ startMs }) => startMs],
]

spawnSync('taskset', ['-p', '-c', LOAD_CORE, String(process.pid)])
try {
  say('# A fleet')
  say()
  say(
    `${cpus().length} cores (${cpus()[0]?.model ?? ''}), Linux ${release()}, Node ${process.version}. The server has one core. ` +
      `Each run takes ${values.seconds} s.`,
  )
  say()
  say(
    `Repositories of ${SERVERS} servers each post one array every ${CHECKED_EVERY} s, spread evenly; one target of ${CHANGED_OF} changes.`,
  )
  say(
    `${READERS} readers ask for the document every ${READ_EVERY} s with their ETag and gzip. A scrape of /metrics every ${SCRAPED_EVERY} s, an edit by`,
  )
  say(
    `rename every ${EDITED_EVERY} s, GET /api/summary five times a second. At the end the server is killed (\`kill -9\`) and started again.`,
  )
  say()
  const runs: Run[] = []
  for (const interval of intervals) {
    for (const targets of sizes) runs.push({ targets, interval, result: await runOf(targets, interval) })
  }
  for (const interval of intervals)
    showRuns(
      interval,
      runs.filter((run) => run.interval === interval),
    )
  if (sizes.length > 1) showGrowth(runs)
  if (isWhole && !quick) writeFileSync(join(import.meta.dirname, 'FLEET.md'), report())
} finally {
  rmSync(work, { recursive: true })
}

async function runOf(targets: number, interval: number): Promise<FleetResult> {
  const { profile, program } = values
  process.stderr.write(`${count(targets)} targets, interval ${interval} s\n`)
  return fleetRun({
    repositories: targets / SERVERS,
    servers: SERVERS,
    seconds: Number(values.seconds),
    interval,
    program: program === undefined ? undefined : resolve(program),
    ...(profile === undefined ? {} : { nodeArgs: ['--cpu-prof', '--cpu-prof-dir', resolve(profile)] }),
  })
}

function showRuns(interval: number, runs: readonly Run[]): void {
  say(interval === 0 ? '## Without a commit interval' : `## COMMIT_INTERVAL=${interval}`)
  say()
  table(
    ['', ...runs.map(({ targets }) => `${count(targets)} targets`)],
    ROWS.map(([name, show]) => [name, ...runs.map(({ result }) => show(result))]),
  )
}

function showGrowth(runs: readonly Run[]): void {
  say('## How costs grow')
  say()
  say('The exponent e of cost ~ targets^e between neighbouring sizes: 1 is linear, less is better.')
  say()
  for (const interval of intervals) {
    const own = runs.filter((run) => run.interval === interval)
    const steps = own.slice(1).map((run, index) => ({ from: own[index] ?? run, to: run }))
    table(
      [`interval ${interval} s`, ...steps.map(({ from, to }) => `${count(from.targets)} to ${count(to.targets)}`)],
      COSTS.map(([name, cost]) => [
        name,
        ...steps.map(({ from, to }) => {
          const growth = Math.log(cost(to.result) / cost(from.result))
          return (growth / Math.log(to.targets / from.targets)).toFixed(2)
        }),
      ]),
    )
  }
}

function writtenPerSecond({ writtenBytes, seconds }: FleetResult): number {
  return writtenBytes / seconds
}

function quantiles(times: readonly number[]): string {
  return times.length === 0 ? 'none' : `${number(quantile(times, 0.5))} / ${ms(quantile(times, 0.99))}`
}

function number(value: number): string {
  return value < 10 ? value.toFixed(1) : value.toFixed(0)
}
