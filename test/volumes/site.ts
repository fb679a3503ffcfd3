import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Output {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface Answer {
  /** 0 if there was none. */
  readonly status: number
  readonly text: string
}

export interface SavedStatus {
  readonly repo: string
  readonly server: string
  readonly note?: string
}

/** What a person with an editor has saved. */
export interface SavedEdit {
  readonly server: string
  readonly note: string
  /** Of the text that was edited. */
  readonly generation: number
  /** All notes of the saved text. */
  readonly notes: ReadonlySet<string>
}

export type How = 'rename' | 'in-place' | 'slow'

const START_MS = 30_000
const STOP_MS = 15_000
const EDITOR = join(import.meta.dirname, 'edit.pl')

/**
 * One mount of the directory, and the server on it. A site is written `DIR`, or `http://HOST:PORT=DIR` for a directory of
 * a machine on which `agent.pl` runs; that machine must see this machine's files.
 */
export class Site {
  readonly name: string
  readonly port: number
  readonly #base: string
  readonly #agent: string | undefined
  readonly #host: string
  readonly #log: string
  readonly #connections = new Agent({ keepAlive: true, maxSockets: 64 })
  /** Where the server's files are. */
  directory: string
  #child: ChildProcess | undefined
  #pid = 0

  constructor(name: string, site: string, port: number) {
    const [, agent, directory] = /^(https?:\/\/[^=]+)=(.*)$/.exec(site) ?? []
    this.name = name
    this.port = port
    this.#agent = agent
    this.#base = directory ?? site
    this.directory = this.#base
    this.#host = agent === undefined ? '127.0.0.1' : new URL(agent).hostname
    const log = `gitops-status-volumes-${port}.log`
    this.#log = join(agent === undefined ? tmpdir() : '/run', log)
  }

  /** True if processes are slow to start there. */
  get isRemote(): boolean {
    return this.#agent !== undefined
  }

  /** Moves to a directory below. The name must be new: a mount may remember what was under a name. */
  async enter(name: string): Promise<void> {
    this.directory = join(this.#base, name)
    await this.sh(`mkdir -p ${this.directory}`)
  }

  get pid(): number {
    return this.#pid
  }

  /** Runs a line of sh where the mount is. */
  async sh(command: string): Promise<Output> {
    if (this.#agent === undefined) return run(command)
    try {
      const response = await fetch(this.#agent, { method: 'POST', body: command, signal: AbortSignal.timeout(60_000) })
      const parts = (await response.text()).split('\0')
      return { out: parts.slice(0, -2).join('\0'), err: parts.at(-2) ?? '', code: Number(parts.at(-1)) }
    } catch (error) {
      return { code: 255, out: '', err: String(error) }
    }
  }

  /** Starts a server, and waits until it answers. */
  async start(cli: string): Promise<void> {
    const args = [cli, '--data-dir', this.directory, '--port', String(this.port), '--host', this.#host]
    if (this.#agent === undefined) {
      const log = openSync(this.#log, 'a')
      this.#child = spawn(process.execPath, args, { stdio: ['ignore', log, log] })
      closeSync(log)
      this.#pid = this.#child.pid ?? 0
    } else {
      const { out } = await this.sh(`node ${args.join(' ')} >> ${this.#log} 2>&1 < /dev/null & echo $!`)
      this.#pid = Number(out)
    }
    const deadline = Date.now() + START_MS
    while ((await this.request('GET', '/healthz')).status !== 200) {
      if (Date.now() > deadline || (this.#child !== undefined && hasEnded(this.#child)))
        throw new Error(`no server at ${this.name}: ${await this.logged()}`)
      await sleep(this.isRemote ? 100 : 25)
    }
  }

  /** Waits until the server is gone, after it was killed by somebody. */
  async gone(): Promise<void> {
    const alive = `kill -0 ${this.#pid} 2> /dev/null`
    for (const deadline = Date.now() + STOP_MS; Date.now() < deadline;) {
      if (this.#child === undefined ? (await this.sh(`! ${alive}`)).code === 0 : hasEnded(this.#child)) break
      await sleep(this.isRemote ? 100 : 5)
    }
    this.#pid = 0
  }

  async stop(signal: 'TERM' | 'KILL' = 'TERM'): Promise<void> {
    if (this.#pid === 0) return
    await this.sh(`kill -${signal} ${this.#pid}`)
    await this.gone()
  }

  /** The end of the server's log. */
  async logged(): Promise<string> {
    return (await this.sh(`tail -n 3 ${this.#log}`)).out
  }

  /** How often the server has logged each warning and error. Ends the log. */
  async takeWarnings(): Promise<ReadonlyMap<string, number>> {
    const { out } = await this.sh(`cat ${this.#log}; rm -f ${this.#log}`)
    const warnings = new Map<string, number>()
    for (const line of out.split('\n')) {
      if (line === '' || /"level":("info"|30)/.test(line)) continue
      const text = /"msg":"([^"]*)"\}$/.exec(line)?.[1] ?? line.slice(0, 120)
      warnings.set(text, (warnings.get(text) ?? 0) + 1)
    }
    return warnings
  }

  async request(method: string, path: string, body?: unknown): Promise<Answer> {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const headers = text === undefined ? {} : { 'content-type': 'application/json' }
    return new Promise((resolve) => {
      const none = (error: Error): void => resolve({ status: 0, text: error.message })
      const { port } = this
      const options = { agent: this.#connections, host: this.#host, port, method, path, headers, timeout: 20_000 }
      const sent = request(options, (response) => {
        let received = ''
        response.setEncoding('utf8').on('data', (part: string) => (received += part))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: received })).on('error', none)
      })
      sent.on('timeout', () => sent.destroy(new Error('no answer in time'))).on('error', none)
      sent.end(text)
    })
  }

  /** Posts snapshots of these targets. */
  async post(repo: string, servers: readonly string[]): Promise<Answer> {
    const files = [{ name: 'f.conf' }]
    const last_check = new Date().toISOString()
    const more = { sync_status: 'OUT_OF_SYNC', drift_count: 1, files, last_check }
    return this.request(
      'POST',
      '/api/status',
      servers.map((server) => ({ repo, server, ...more })),
    )
  }

  /** All that the server serves; `undefined` if it does not. */
  async served(): Promise<SavedStatus[] | undefined> {
    return statusesOf((await this.request('GET', '/status.json')).text)
  }

  /** All that the file has. */
  async saved(): Promise<SavedStatus[] | undefined> {
    return statusesOf((await this.sh(`cat ${this.directory}/status.json`)).out)
  }

  /** Gives a target a note by hand; `undefined` if the person was told that this failed. */
  async edit(
    how: How,
    server: string,
    note: string,
    then?: { kill: number[]; afterMs: number },
  ): Promise<SavedEdit | Error> {
    const kill = then === undefined ? '' : `${then.kill.join(',')} ${then.afterMs}`
    const { code, out, err } = await this.sh(`exec perl ${EDITOR} ${this.directory} ${how} ${server} ${note} ${kill}`)
    if (code !== 0) return new Error(err.trim() === '' ? `exit ${code}` : err.trim())
    const [generation, ...notes] = out.trim().split(' ')
    return { server, note, generation: Number(generation), notes: new Set(notes) }
  }

  /** Names of private files that should be gone when the servers are idle. */
  async leftovers(): Promise<string[]> {
    const { out } = await this.sh(`ls -A ${this.directory}`)
    return out.split('\n').filter((name) => /^\.status\.commit|^\.nfs|\.kept/.test(name))
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

async function run(command: string): Promise<Output> {
  return new Promise((resolve) => {
    const child = execFile('/bin/sh', ['-c', command], { maxBuffer: 2 ** 28, timeout: 60_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : (child.exitCode ?? 255), out, err })
    })
  })
}

function statusesOf(text: string): SavedStatus[] | undefined {
  try {
    return (JSON.parse(text) as { statuses: SavedStatus[] }).statuses
  } catch {
    return undefined
  }
}
