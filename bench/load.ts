import { spawnSync } from 'node:child_process'
import { Agent, request } from 'node:http'
import { readFileSync } from 'node:fs'

const LOAD_CORE = '1'

/** Answers per second to a connection's one GET after another; throws where any was not 200 or 304. */
export function readLoad(
  url: string,
  { seconds, connections, headers = {} }: { seconds: number; connections: number; headers?: Record<string, string> },
): number {
  const fields = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const args = ['-c', LOAD_CORE, 'wrk', '-t', '1', '-c', String(connections), '-d', `${seconds}s`, ...fields, url]
  const { stdout, stderr, status } = spawnSync('taskset', args, { encoding: 'utf8' })
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
  if (status !== 0 || !(rate > 0) || /Non-2xx|Socket errors/.test(stdout)) throw new Error(`${url}: ${stdout}${stderr}`)
  return rate
}

/** One write, as a contender takes it. */
export interface Write {
  readonly path: string
  readonly method: string
  readonly type: string
  readonly body: string
}

export interface WriteResult {
  /** Acknowledged writes a second. */
  readonly rate: number
  /** From a request to its answer, in ms, sorted. */
  readonly latencies: readonly number[]
  /** The number of the last write that was acknowledged for each target. */
  readonly acknowledged: ReadonlyMap<number, number>
}

/** Clients that post one write after another for so long. Each answer is checked. */
export async function writeLoad(
  url: string,
  { clients, seconds, targets }: { clients: number; seconds: number; targets: number },
  make: (target: number, mark: number) => Write,
): Promise<WriteResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  const latencies: number[] = []
  const acknowledged = new Map<number, number>()
  const started = performance.now()
  const end = started + seconds * 1000
  let mark = 0
  const client = async (first: number): Promise<void> => {
    // Each client has targets of its own, so that the last mark of each is known.
    for (let target = first; performance.now() < end; target = (target + clients) % Math.max(targets, clients)) {
      const wanted = target % targets
      const number = (mark += 1)
      const before = performance.now()
      const status = await send(url, agent, make(wanted, number))
      if (status < 200 || status > 299) throw new Error(`${url} answered ${status}`)
      latencies.push(performance.now() - before)
      acknowledged.set(wanted, number)
    }
  }
  await Promise.all(Array.from({ length: clients }, async (_, index) => client(index)))
  const rate = latencies.length / ((performance.now() - started) / 1000)
  agent.destroy()
  return { rate, latencies: latencies.toSorted((a, b) => a - b), acknowledged }
}

async function send(url: string, agent: Agent, { path, method, type, body }: Write): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) }
    const sent = request(url + path, { method, agent, headers }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** The value below which this part of sorted numbers lies. */
export function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

export function median(numbers: readonly number[]): number {
  return quantile(
    numbers.toSorted((a, b) => a - b),
    0.5,
  )
}

/** The resident memory of a process, in MiB. */
export function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}
