import { spawnSync } from 'node:child_process'
import { Agent, globalAgent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { WARM_UP_SECONDS } from './setup.ts'

export const LOAD_CORE = '1'

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
  /** From a request to its acknowledgement, in ms, sorted; of those that were measured. */
  readonly latencies: readonly number[]
  /** How many were sent, with those to warm up. */
  readonly sent: number
  /** The number of the last write that was acknowledged for each target. */
  readonly acknowledged: ReadonlyMap<number, number>
  /** How many were refused because too much was waiting. */
  readonly refused: number
}

interface Load {
  readonly seconds: number
  readonly targets: number
}

type Make = (target: number, mark: number) => Write

const OVERLOADED = 503

/** Clients that post one write after another: for the time to warm up, then measured for so long. Each answer is checked. */
export async function writeLoad(
  url: string,
  { clients, seconds, targets }: Load & { readonly clients: number },
  make: Make,
): Promise<WriteResult> {
  const from = performance.now() + WARM_UP_SECONDS * 1000
  const writer = new Writer(url, make, clients, from)
  const end = from + seconds * 1000
  const client = async (first: number): Promise<void> => {
    // Each client has targets of its own, so that the last mark of each is known.
    for (let target = first; performance.now() < end; target = (target + clients) % Math.max(targets, clients)) {
      await writer.write(target % targets)
    }
  }
  await Promise.all(Array.from({ length: clients }, async (_, index) => client(index)))
  const result = writer.end()
  if (result.refused > 0) throw new Error(`${url} refused ${result.refused} writes`)
  return result
}

/** So many writes a second for so long, each at its time, whether those before have their answers or not. */
export async function pacedWrites(
  url: string,
  { perSecond, seconds, targets }: Load & { readonly perSecond: number },
  make: Make,
): Promise<WriteResult> {
  const started = performance.now()
  const writer = new Writer(url, make, Infinity, started)
  const sent: Promise<void>[] = []
  for (let next = 0; next < perSecond * seconds; next += 1) {
    const pause = started + (next * 1000) / perSecond - performance.now()
    if (pause > 0) await sleep(pause)
    sent.push(writer.write(next % targets))
  }
  await Promise.all(sent)
  return writer.end()
}

/** Sends writes, and keeps what became of them. */
class Writer {
  readonly #url: string
  readonly #make: Make
  readonly #agent: Agent
  /** Since when writes are measured. */
  readonly #from: number
  readonly #latencies: number[] = []
  readonly #acknowledged = new Map<number, number>()
  #refused = 0
  #mark = 0

  constructor(url: string, make: Make, connections: number, from: number) {
    this.#from = from
    this.#url = url
    this.#make = make
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections })
  }

  /** @throws where the answer is neither an acknowledgement nor the refusal of one too many */
  async write(target: number): Promise<void> {
    const mark = (this.#mark += 1)
    const before = performance.now()
    const status = await send(this.#url, this.#make(target, mark), this.#agent)
    if (status === OVERLOADED) {
      this.#refused += 1
      return
    }
    if (status < 200 || status > 299) throw new Error(`${this.#url} answered ${status}`)
    if (before >= this.#from) this.#latencies.push(performance.now() - before)
    this.#acknowledged.set(target, mark)
  }

  end(): WriteResult {
    this.#agent.destroy()
    return {
      rate: this.#latencies.length / ((performance.now() - this.#from) / 1000),
      latencies: this.#latencies.toSorted((a, b) => a - b),
      sent: this.#mark,
      acknowledged: this.#acknowledged,
      refused: this.#refused,
    }
  }
}

/** Sends one write. Returns the status of the answer. */
export async function send(
  url: string,
  { path, method, type, body }: Write,
  agent: Agent = globalAgent,
): Promise<number> {
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
