import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { snapshotOf } from '../test/support/snapshots.ts'
import { SERVER_CORE, type Running, startOurs } from './contenders.ts'
import { checkAcknowledged, directoryWith, nameOf, postOf } from './documents.ts'
import { type Write, type WriteResult, writeLoad } from './load.ts'
import { median, quantile, sum } from './numbers.ts'
import { ms, say, table, times } from './report.ts'
import { WRITE_SECONDS, takeTurns, work } from './setup.ts'

const TARGETS = 1000
const LONG_AGO = '2001-01-01T00:00:00Z'
/** One for each kind of call that Node makes in its thread pool (https://nodejs.org/api/tracing.html). */
const CATEGORY = 'node.fs.async'

/** How long a client waits who is alone, and where that time goes. */
export async function oneClient(): Promise<void> {
  say('## One client')
  say()
  say(
    `What one client waits for at ${TARGETS} targets, and what a commit cannot do without, on the same disk and core. The first seconds do not count.`,
  )
  say()
  const directory = await directoryWith(TARGETS)
  const turns = await takeTurns<readonly number[]>({
    bare: () => bareCommits(directory),
    ignored: async () => [(await alone(await startOurs(directory), directory, oldPostOf)).latency],
    posted: async () => [(await alone(await startOurs(directory), directory, postOf)).latency],
  })
  const medianOf = (name: string, nth = 0): number => median((turns[name] ?? []).map((turn) => turn[nth] ?? Number.NaN))
  table(
    ['', 'median', 'to the first'],
    (
      [
        ['write, fsync, rename, fsync of the directory: in one thread', medianOf('bare')],
        ['the same, each call by way of the thread pool', medianOf('bare', 1)],
        ['a snapshot that is too old to change anything: all but the writing', medianOf('ignored')],
        ['a snapshot that is committed', medianOf('posted')],
      ] as const
    ).map(([what, time]) => [what, ms(time, 2), times(time / medianOf('bare'))]),
  )
  await traced(directory)
}

/** Where a commit spends its time: the calls that it makes in the thread pool, as Node traces them. */
async function traced(directory: string): Promise<void> {
  const trace = join(work, 'trace.json')
  const options = ['--trace-event-categories', CATEGORY, '--trace-event-file-pattern', trace]
  const server = await startOurs(directory, options)
  const began = now()
  const { latency, commits } = await alone(server, directory, postOf)
  const calls = callsIn(trace, began)
  say(
    `The calls in the thread pool for one snapshot, several at once where none needs another; it took ${ms(latency, 2)}:`,
  )
  say()
  const rows = [...calls].map(([name, all]) => ({ name, number: all.length / commits, total: sum(all) / commits }))
  table(
    ['call', 'for one snapshot', 'each', 'together'],
    [...rows.toSorted((a, b) => b.total - a.total), totalOf(rows)].map(({ name, number, total }) => [
      name,
      number.toFixed(1),
      ms(total / number, 3),
      ms(total, 2),
    ]),
  )
}

interface Row {
  readonly name: string
  readonly number: number
  readonly total: number
}

function totalOf(rows: readonly Row[]): Row {
  return { name: 'all', number: sum(rows.map(({ number }) => number)), total: sum(rows.map(({ total }) => total)) }
}

/** How long each call took from its order to its end, in ms, by its name. */
function callsIn(trace: string, from: number): Map<string, number[]> {
  const begun = new Map<string, number>()
  const ended = new Map<string, number[]>()
  for (const { cat, name, id, ph, ts } of eventsIn(trace)) {
    if (!cat.includes(CATEGORY) || ts < from) continue
    const key = `${name} ${id}`
    if (ph === 'b') begun.set(key, ts)
    const start = begun.get(key)
    if (ph !== 'e' || start === undefined) continue
    const lasted = ended.get(name) ?? []
    lasted.push((ts - start) / 1000)
    ended.set(name, lasted)
    begun.delete(key)
  }
  return ended
}

/** One event of a trace; times in µs on the clock of `process.hrtime`. */
interface TraceEvent {
  readonly cat: string
  readonly name: string
  readonly id: string
  readonly ph: string
  readonly ts: number
}

function eventsIn(trace: string): TraceEvent[] {
  const parsed: unknown = JSON.parse(readFileSync(trace, 'utf8'))
  if (!isObject(parsed) || !Array.isArray(parsed['traceEvents'])) throw new Error(`${trace} is no trace`)
  return parsed['traceEvents'].filter(isCall)
}

function isCall(event: unknown): event is TraceEvent {
  return isObject(event) && ['cat', 'name', 'id', 'ph'].every((key) => typeof event[key] === 'string') && 'ts' in event
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function now(): number {
  return Number(process.hrtime.bigint() / 1000n)
}

async function alone(
  server: Running,
  directory: string,
  make: (target: number, mark: number) => Write,
): Promise<{ latency: number; commits: number }> {
  let result: WriteResult
  try {
    result = await writeLoad(server.url, { clients: 1, seconds: WRITE_SECONDS, targets: TARGETS }, make)
  } finally {
    await server.stop()
  }
  if (make === postOf) checkAcknowledged(directory, result)
  return { latency: quantile(result.latencies, 0.5), commits: result.sent }
}

function oldPostOf(target: number, mark: number): Write {
  const post = postOf(target, mark)
  return { ...post, body: JSON.stringify(snapshotOf({ server: nameOf(target) }, [], LONG_AGO)) }
}

/** What any durable replacement of a file takes, in ms: in one thread, and by way of the thread pool. */
function bareCommits(directory: string): readonly [number, number] {
  const script = join(import.meta.dirname, 'contenders', 'bare-commit.mjs')
  const args = [script, directory, join(directory, 'status.json'), String(WRITE_SECONDS / 4)]
  const { stdout, stderr } = spawnSync('taskset', ['-c', SERVER_CORE, process.execPath, ...args], { encoding: 'utf8' })
  const [first, second] = stdout.split(' ').map(Number)
  if (first === undefined || second === undefined) throw new Error(`bare-commit.mjs: ${stderr}`)
  return [first, second]
}
