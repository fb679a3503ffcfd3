import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { startOurs } from './contenders.ts'
import { checkAcknowledged, directoryWith, postOf } from './documents.ts'
import { writeLoad } from './load.ts'
import { median, quantile } from './numbers.ts'
import { readsFrom } from './reads.ts'
import { count, mebibytes, ms, say, table, times } from './report.ts'
import { WRITE_SECONDS, takeTurns } from './setup.ts'
import { residentMiB, writtenBytes } from './usage.ts'

const MANY_CLIENTS = 64

interface Result {
  /** GET /status.json: answers a second, whole and 304. */
  readonly whole: number
  readonly known: number
  readonly alone: Posted
  readonly many: Posted
  readonly startMs: number
  readonly memoryMiB: number
}

interface Posted {
  /** Acknowledged snapshots a second. */
  readonly rate: number
  /** The median time from a request to its answer, in ms. */
  readonly latency: number
  /** Bytes written to storage for each commit. */
  readonly bytes: number
}

const ROWS: readonly (readonly [what: string, value: (result: Result) => number, show: (value: number) => string])[] = [
  ['GET, a second', ({ whole }) => whole, count],
  ['GET, 304, a second', ({ known }) => known, count],
  ['POST of 1 client, a second', ({ alone }) => alone.rate, count],
  ['POST of 1 client, median', ({ alone }) => alone.latency, (value) => ms(value, 2)],
  ['bytes written for each commit, 1 client', ({ alone }) => alone.bytes, count],
  [`POST of ${MANY_CLIENTS} clients, a second`, ({ many }) => many.rate, count],
  ['start to ready', ({ startMs }) => startMs, ms],
  ['memory after all that', ({ memoryMiB }) => memoryMiB, mebibytes],
]

/**
 * This version beside another one: both take turns.
 *
 * @param program the `dist/cli.js` of the other version
 */
export async function versions(program: string): Promise<void> {
  say('## Beside an earlier version')
  say()
  const { stdout } = spawnSync(process.execPath, [program, '--version'], { encoding: 'utf8' })
  for (const targets of [1000, 10_000]) {
    const results = await takeTurns<Result>({
      these: () => measure(undefined, targets),
      others: () => measure(program, targets),
    })
    const medianOf = (name: string, value: (result: Result) => number): number =>
      median((results[name] ?? []).map(value))
    table(
      [`${count(targets)} targets`, 'this version', `version ${stdout.trim()}`, 'ratio'],
      ROWS.map(([what, value, show]) => {
        const [ours, other] = [medianOf('these', value), medianOf('others', value)]
        return [what, show(ours), show(other), times(ours / other)]
      }),
    )
  }
}

async function measure(program: string | undefined, targets: number): Promise<Result> {
  const directory = await directoryWith(targets)
  const server = await startOurs(directory, [], {}, program)
  try {
    const name = program ?? 'this version'
    const reads = await readsFrom(name, server, readFileSync(join(directory, 'status.json')))
    const whole = reads.whole()
    const known = reads.known()
    const post = async (clients: number): Promise<Posted> => {
      const before = { generation: generationIn(directory), bytes: writtenBytes(server.pid) }
      const load = { clients, seconds: WRITE_SECONDS, targets }
      const result = await writeLoad(server.url, load, postOf)
      checkAcknowledged(directory, result)
      const commits = generationIn(directory) - before.generation
      const bytes = (writtenBytes(server.pid) - before.bytes) / commits
      return { rate: result.rate, latency: quantile(result.latencies, 0.5), bytes }
    }
    const alone = await post(1)
    const many = await post(MANY_CLIENTS)
    return { whole, known, alone, many, startMs: server.startMs, memoryMiB: residentMiB(server.pid) }
  } finally {
    await server.stop()
    rmSync(directory, { recursive: true })
  }
}

function generationIn(directory: string): number {
  return Number(/"generation": (\d+)/.exec(readFileSync(join(directory, 'status.json'), 'utf8'))?.[1])
}
