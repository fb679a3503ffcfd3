import { startOurs } from './contenders.ts'
import { checkAcknowledged, directoryWith, postOf } from './documents.ts'
import { writeLoad } from './load.ts'
import { median, quantile } from './numbers.ts'
import { count, mebibytes, ms, say, table } from './report.ts'
import { WRITE_SECONDS, takeTurns } from './setup.ts'
import { peakMiB } from './usage.ts'

const TARGETS = 1000
const MANY_CLIENTS = 64
/** In MiB; half of the young generation. By default, Node takes 32 MiB on a machine with enough memory. */
const SMALL_SEMI_SPACE = 8

interface Result {
  /** Acknowledged snapshots a second. */
  readonly aloneRate: number
  /** How long one client waits, in ms. */
  readonly p50: number
  readonly p99: number
  readonly manyRate: number
  readonly peakMiB: number
}

/** What the size of V8's young generation changes: how often, and for how long, garbage collection stops everything else. */
export async function youngGeneration(): Promise<void> {
  say('## Young generation')
  say()
  say(`This server with ${TARGETS} targets, and with the semi-space that Node chooses or a smaller one.`)
  say()
  const option = `--max-semi-space-size=${SMALL_SEMI_SPACE}`
  const results = await takeTurns<Result>({ default: () => measure([]), [option]: () => measure([option]) })
  table(
    ['', '1 client, a second', 'p50 / p99', `${MANY_CLIENTS} clients, a second`, 'memory, peak'],
    Object.entries(results).map(([name, turns]) => {
      const medianOf = (value: (result: Result) => number): number => median(turns.map(value))
      return [
        name,
        count(medianOf(({ aloneRate }) => aloneRate)),
        `${medianOf(({ p50 }) => p50).toFixed(1)} / ${ms(medianOf(({ p99 }) => p99))}`,
        count(medianOf(({ manyRate }) => manyRate)),
        mebibytes(medianOf((result) => result.peakMiB)),
      ]
    }),
  )
}

async function measure(options: readonly string[]): Promise<Result> {
  const directory = await directoryWith(TARGETS)
  const server = await startOurs(directory, options)
  try {
    const load = { seconds: WRITE_SECONDS, targets: TARGETS }
    // These first: V8 compiles what they run, and a server runs for weeks.
    const many = await writeLoad(server.url, { ...load, clients: MANY_CLIENTS }, postOf)
    checkAcknowledged(directory, many)
    const alone = await writeLoad(server.url, { ...load, clients: 1 }, postOf)
    checkAcknowledged(directory, alone)
    return {
      aloneRate: alone.rate,
      p50: quantile(alone.latencies, 0.5),
      p99: quantile(alone.latencies, 0.99),
      manyRate: many.rate,
      peakMiB: peakMiB(server.pid),
    }
  } finally {
    await server.stop()
  }
}
