/*
 * Compares the commits of this version with those of another one: npm run bench:versions -- --against DIR/dist/cli.js.
 * The two take turns on one core; the load is on another. What counts are the ratios.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { startOurs } from './contenders.ts'
import { checkAcknowledged, directoryWith, postOf } from './documents.ts'
import { LOAD_CORE, writeLoad } from './load.ts'
import { median, quantile } from './numbers.ts'
import { count, ms, say, table, times } from './report.ts'
import { WRITE_SECONDS, takeTurns, work } from './setup.ts'
import { writtenBytes } from './usage.ts'

const { against } = parseArgs({ strict: false, options: { against: { type: 'string' } } }).values
if (typeof against !== 'string') throw new Error('--against must name the dist/cli.js of another version')

interface Result {
  /** Acknowledged snapshots a second. */
  readonly rate: number
  /** The median time from a request to its answer, in ms. */
  readonly latency: number
  /** Bytes written to storage for each commit. */
  readonly bytes: number
}

async function measure(program: string | undefined, targets: number, clients: number): Promise<Result> {
  const directory = await directoryWith(targets)
  const server = await startOurs(directory, [], {}, program)
  try {
    // The first commits after a start are slower.
    await writeLoad(server.url, { clients, seconds: 1, targets }, postOf)
    const before = { generation: generationIn(directory), bytes: writtenBytes(server.pid) }
    const result = await writeLoad(server.url, { clients, seconds: WRITE_SECONDS, targets }, postOf)
    const commits = generationIn(directory) - before.generation
    const bytes = (writtenBytes(server.pid) - before.bytes) / commits
    checkAcknowledged(directory, result)
    return { rate: result.rate, latency: quantile(result.latencies, 0.5), bytes }
  } finally {
    await server.stop()
    rmSync(directory, { recursive: true })
  }
}

function generationIn(directory: string): number {
  return Number(/"generation": (\d+)/.exec(readFileSync(join(directory, 'status.json'), 'utf8'))?.[1])
}

spawnSync('taskset', ['-p', '-c', LOAD_CORE, String(process.pid)])
try {
  const rows: string[][] = []
  for (const targets of [1000, 10_000]) {
    for (const clients of [1, 64]) {
      const results = await takeTurns<Result>({
        this: () => measure(undefined, targets, clients),
        other: () => measure(resolve(against), targets, clients),
      })
      const medianOf = (name: string, value: (result: Result) => number): number =>
        median((results[name] ?? []).map(value))
      const [rate, otherRate] = ['this', 'other'].map((name) => medianOf(name, (result) => result.rate))
      const [latency, otherLatency] = ['this', 'other'].map((name) => medianOf(name, (result) => result.latency))
      const [bytes, otherBytes] = ['this', 'other'].map((name) => medianOf(name, (result) => result.bytes))
      rows.push([
        count(targets),
        String(clients),
        count(rate ?? Number.NaN),
        count(otherRate ?? Number.NaN),
        times((rate ?? Number.NaN) / (otherRate ?? Number.NaN)),
        ms(latency ?? Number.NaN, 2),
        ms(otherLatency ?? Number.NaN, 2),
        count(bytes ?? Number.NaN),
        count(otherBytes ?? Number.NaN),
        times((bytes ?? Number.NaN) / (otherBytes ?? Number.NaN)),
      ])
    }
  }
  say('Acknowledged snapshots a second, the median time to an answer, and bytes written to storage for each commit:')
  say()
  table(['targets', 'clients', 'a second', 'other', 'ratio', 'median', 'other', 'bytes', 'other', 'ratio'], rows)
} finally {
  rmSync(work, { recursive: true })
}
