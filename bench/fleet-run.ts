import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Snapshot } from '../src/status/schema.ts'
import { snapshotOf } from '../test/support/snapshots.ts'
import { type Running, startOurs } from './contenders.ts'
import { statusesIn } from './documents.ts'
import { type Lateness, LoopDelay } from './loop-delay.ts'
import { work } from './setup.ts'
import { cpuSeconds, residentMiB, writtenBytes } from './usage.ts'

/** How often a repository posts, in seconds. */
export const CHECKED_EVERY = 120
/** One target of so many changes its verdict from one check to the next. */
export const CHANGED_OF = 100
export const READERS = 20
export const READ_EVERY = 10
export const SCRAPED_EVERY = 30
/** How often a light request is sent beside all others, in seconds. */
export const LIGHT_EVERY = 0.2
export const EDITED_EVERY = 60

export interface Fleet {
  readonly repositories: number
  /** Servers of each. */
  readonly servers: number
  readonly seconds: number
  /** COMMIT_INTERVAL, in seconds. */
  readonly interval: number
  /** Options of Node. */
  readonly nodeArgs?: readonly string[]
  /** The program of another version. */
  readonly program?: string | undefined
}

/** Times in ms, sorted. */
export interface FleetResult {
  readonly documentBytes: number
  readonly postedBytes: number
  readonly seconds: number
  /** Of one core. */
  readonly core: number
  readonly loop: Lateness
  readonly peakMiB: number
  readonly writtenBytes: number
  readonly posts: readonly number[]
  /** GET /api/summary. */
  readonly light: readonly number[]
  /** GET /status.json that was answered with 304, and with 200. */
  readonly conditional: readonly number[]
  readonly whole: readonly number[]
  readonly scrapes: readonly number[]
  /** From the rename of an edit to the first answer that has it. */
  readonly edits: readonly number[]
  readonly startMs: number
  /** From the start after `kill -9` in the middle of the load to the first answer. */
  readonly restartMs: number
}

/** One fleet on one server, until it is killed. Throws if an acknowledged snapshot is missing afterwards. */
export async function fleetRun(fleet: Fleet): Promise<FleetResult> {
  const directory = join(work, `fleet-${Math.random().toString(36).slice(2)}`)
  mkdirSync(directory)
  const posts = new Posts(fleet)
  writeFileSync(join(directory, 'status.json'), JSON.stringify({ statuses: posts.all() }))
  // The first server makes of it what it would have written itself.
  await (await startOurs(directory, [], {}, fleet.program)).stop()

  const probe = new LoopDelay()
  const env = { COMMIT_INTERVAL: String(fleet.interval) }
  const server = await probe.start(directory, fleet.nodeArgs, env, fleet.program)
  const load = new Load(server, directory, posts)
  await probe.reset(server)
  const before = { cpu: cpuSeconds(server.pid), written: writtenBytes(server.pid) }
  const started = performance.now()
  const stopped = load.run(fleet)
  await sleep(fleet.seconds * 1000)
  const seconds = (performance.now() - started) / 1000
  const loop = await probe.reset(server)
  const usage = { cpu: cpuSeconds(server.pid) - before.cpu, written: writtenBytes(server.pid) - before.written }
  const isProfiled = fleet.nodeArgs !== undefined
  if (!isProfiled) process.kill(server.pid, 'SIGKILL')
  load.end()
  // A profile is written at an orderly end only.
  if (isProfiled) await server.stop()
  await stopped
  const restarted = await startOurs(directory, [], env, fleet.program)
  await restarted.stop()
  posts.checkAcknowledged(directory)
  const documentBytes = readFileSync(join(directory, 'status.json')).length
  rmSync(directory, { recursive: true })
  return {
    ...load.result(),
    documentBytes,
    seconds,
    core: usage.cpu / seconds,
    loop,
    writtenBytes: usage.written,
    startMs: server.startMs,
    restartMs: restarted.startMs,
  }
}

/** What the repositories post, and what of it was acknowledged. */
class Posts {
  readonly #fleet: Fleet
  readonly #marks: number[]
  readonly #acknowledged: number[]

  constructor(fleet: Fleet) {
    this.#fleet = fleet
    this.#marks = Array.from({ length: fleet.repositories }, () => 0)
    this.#acknowledged = [...this.#marks]
  }

  all(): Snapshot[] {
    return this.#marks.flatMap((_, repository) => this.#snapshots(repository))
  }

  next(repository: number): { readonly mark: number; readonly body: string } {
    const mark = (this.#marks[repository] = (this.#marks[repository] ?? 0) + 1)
    return { mark, body: JSON.stringify(this.#snapshots(repository)) }
  }

  acknowledge(repository: number, mark: number): void {
    this.#acknowledged[repository] = Math.max(this.#acknowledged[repository] ?? 0, mark)
  }

  /** @throws if the file lacks an acknowledged post, or has an older one */
  checkAcknowledged(directory: string): void {
    const missing = statusesIn(directory).filter((status) => {
      return Number(status['mark']) < (this.#acknowledged[repositoryNumberOf(status.repo)] ?? 0)
    })
    if (missing.length > 0) throw new Error(`${missing.length} acknowledged snapshots are missing`)
  }

  #snapshots(repository: number): Snapshot[] {
    const { servers } = this.#fleet
    const mark = this.#marks[repository] ?? 0
    const commit = `${repository.toString(16).padStart(8, '0')}${mark.toString(16).padStart(32, '0')}`
    return Array.from({ length: servers }, (_, index) => {
      const drifted = (repository * servers + index + mark) % CHANGED_OF === 0
      const server = `${nameOf(repository)}-${String(index).padStart(3, '0')}.example.net`
      const snapshot = snapshotOf({ repo: `operations/${nameOf(repository)}`, server }, drifted ? ['sshd_config'] : [])
      return { ...snapshot, commit, labels: { environment: 'production' }, mark }
    })
  }
}

function nameOf(repository: number): string {
  return `service-${String(repository).padStart(5, '0')}`
}

function repositoryNumberOf(repo: string): number {
  return Number(repo.slice(-5))
}

interface Answer {
  readonly status: number
  readonly etag: string | undefined
  readonly bytes: number
}

/** Everything that a fleet asks of a server, each at its time, whether earlier requests have their answers or not. */
class Load {
  readonly #server: Running
  readonly #file: string
  readonly #posts: Posts
  readonly #agent = new Agent({ keepAlive: true })
  readonly #times = new Map<string, number[]>()
  readonly #waiting = new Set<Promise<void>>()
  #postedBytes = 0
  #peakMiB = 0
  #ended = false

  constructor(server: Running, directory: string, posts: Posts) {
    this.#server = server
    this.#file = join(directory, 'status.json')
    this.#posts = posts
  }

  /** Runs until `end`. */
  async run({ repositories }: Fleet): Promise<void> {
    const tags = new Map<number, string>()
    await Promise.all([
      this.#every(CHECKED_EVERY / repositories, async (turn) => this.#post(turn % repositories)),
      this.#every(READ_EVERY / READERS, async (turn) => this.#read(turn % READERS, tags)),
      this.#every(LIGHT_EVERY, async () => this.#timed('light', async () => this.#get('/api/summary'))),
      this.#every(SCRAPED_EVERY, async () => this.#timed('scrape', async () => this.#get('/metrics'))),
      this.#every(EDITED_EVERY, async (turn) => this.#edit(turn)),
      this.#every(1, async () => {
        this.#peakMiB = Math.max(this.#peakMiB, residentMiB(this.#server.pid))
      }),
    ])
    await Promise.all(this.#waiting)
  }

  end(): void {
    this.#ended = true
    this.#agent.destroy()
  }

  result(): Pick<
    FleetResult,
    'postedBytes' | 'peakMiB' | 'posts' | 'light' | 'conditional' | 'whole' | 'scrapes' | 'edits'
  > {
    const sorted = (name: string): number[] => (this.#times.get(name) ?? []).toSorted((a, b) => a - b)
    return {
      postedBytes: this.#postedBytes,
      peakMiB: this.#peakMiB,
      posts: sorted('post'),
      light: sorted('light'),
      conditional: sorted('conditional'),
      whole: sorted('whole'),
      scrapes: sorted('scrape'),
      edits: sorted('edit'),
    }
  }

  async #every(seconds: number, task: (turn: number) => Promise<void>): Promise<void> {
    const started = performance.now()
    for (let turn = 0; !this.#ended; turn += 1) {
      // The first turn after a part of the pause, so that not everything begins at once.
      const pause = started + (turn + 0.5) * seconds * 1000 - performance.now()
      if (pause > 0) await sleep(Math.min(pause, 1000))
      if (pause > 1000) {
        turn -= 1
        continue
      }
      const done = task(turn)
        .catch((error: unknown) => {
          if (!this.#ended) throw error
        })
        .finally(() => this.#waiting.delete(done))
      this.#waiting.add(done)
    }
  }

  async #post(repository: number): Promise<void> {
    const { mark, body } = this.#posts.next(repository)
    this.#postedBytes += body.length
    await this.#timed('post', async () => {
      const { status } = await this.#send('POST', '/api/status', { 'Content-Type': 'application/json' }, body)
      if (status !== 200 && status !== 201) throw new Error(`a post was answered with ${status}`)
      this.#posts.acknowledge(repository, mark)
    })
  }

  async #read(reader: number, tags: Map<number, string>): Promise<void> {
    const tag = tags.get(reader)
    const before = performance.now()
    const headers = { 'Accept-Encoding': 'gzip', ...(tag === undefined ? {} : { 'If-None-Match': tag }) }
    const { status, etag } = await this.#send('GET', '/status.json', headers)
    if (status !== 200 && status !== 304) throw new Error(`a read was answered with ${status}`)
    if (etag !== undefined) tags.set(reader, etag)
    this.#note(status === 304 ? 'conditional' : 'whole', before)
  }

  /** Saves as `sed -i` does: a new file, renamed over the old one. */
  async #edit(turn: number): Promise<void> {
    const note = `note ${turn} ${Math.random()}`
    const text = readFileSync(this.#file, 'utf8')
    // Another target each time: a second note in an entry would not be valid.
    const at = text.indexOf('"server": ', Math.floor((text.length * (turn % 9)) / 9))
    const [, server = ''] = /"server": "([^"]+)"/.exec(text.slice(at, at + 300)) ?? []
    writeFileSync(`${this.#file}.edit`, `${text.slice(0, at)}"note": ${JSON.stringify(note)},\n      ${text.slice(at)}`)
    const before = performance.now()
    renameSync(`${this.#file}.edit`, this.#file)
    let known: string | undefined
    while (!this.#ended) {
      const headers = known === undefined ? {} : { 'If-None-Match': known }
      const { status, etag } = await this.#send('HEAD', '/status.json', headers)
      // To look for it costs the server more than to say that nothing is new.
      if (status !== 304 && (await this.#hasNote(server, note))) break
      known = etag
      await sleep(20)
    }
    if (!this.#ended) this.#note('edit', before)
  }

  async #hasNote(server: string, note: string): Promise<boolean> {
    const answer = await fetch(`${this.#server.url}/api/status?server=${server}`)
    return (await answer.text()).includes(note)
  }

  async #get(path: string): Promise<void> {
    const { status } = await this.#send('GET', path, { 'Accept-Encoding': 'gzip' })
    if (status !== 200) throw new Error(`${path} was answered with ${status}`)
  }

  async #timed(name: string, task: () => Promise<void>): Promise<void> {
    const before = performance.now()
    await task()
    this.#note(name, before)
  }

  #note(name: string, before: number): void {
    this.#times.set(name, [...(this.#times.get(name) ?? []), performance.now() - before])
  }

  async #send(method: string, path: string, headers: Record<string, string>, body = ''): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const length = body === '' ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
      const options = { method, agent: this.#agent, headers: { ...headers, ...length } }
      const sent = request(this.#server.url + path, options, (response) => {
        let bytes = 0
        response.on('data', (chunk: Buffer) => (bytes += chunk.length))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, etag: response.headers.etag, bytes }))
        response.on('error', reject)
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }
}
