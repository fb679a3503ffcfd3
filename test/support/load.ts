import { Agent } from 'node:http'
import { join } from 'node:path'
import { snapshotOf } from './snapshots.ts'
import { eventually, post } from './http.ts'
import { fileOf } from './server.ts'

let loads = 0

/** Clients that post one new target after another, to one server each, until they are stopped; servers may come and go. */
export class Load {
  /** The mark that was posted with each acknowledged target. */
  readonly acknowledged = new Map<string, string>()
  /** What was answered instead of 201. */
  readonly refused: number[] = []
  readonly #servers: { readonly url: string }[]
  readonly #clients: Promise<void>[]
  readonly #agent = new Agent({ keepAlive: true })
  readonly #prefix = `load${(loads += 1)}`
  #next = 0
  #stopped = false

  constructor(servers: readonly { readonly url: string }[], clients: number) {
    this.#servers = [...servers]
    this.#clients = Array.from({ length: clients }, async (_, index) => this.#client(index % servers.length))
  }

  /** Waits until so many more snapshots have been acknowledged. */
  async acknowledge(more: number): Promise<void> {
    const enough = this.acknowledged.size + more
    await eventually(() => {
      if (this.acknowledged.size < enough) throw new Error(`${this.acknowledged.size} of ${enough} acknowledged`)
    }, 30_000)
  }

  replace(index: number, server: { readonly url: string }): void {
    this.#servers[index] = server
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#clients)
    this.#agent.destroy()
  }

  async #client(index: number): Promise<void> {
    while (!this.#stopped) {
      const name = `${this.#prefix}-${(this.#next += 1)}`
      const mark = String(Math.random())
      try {
        const snapshot = { ...snapshotOf({ server: name }), mark }
        const { status } = await post(this.#servers[index]?.url ?? '', snapshot, { agent: this.#agent })
        if (status === 201) this.acknowledged.set(name, mark)
        else this.refused.push(status)
      } catch {
        // Its server is down for the moment; a cron job would come again, too.
        await new Promise((resolve) => {
          setTimeout(resolve, 20)
        })
      }
    }
  }
}

/** The marks of all targets in the file of a directory. */
export function marksIn(dataDir: string): Map<string, string> {
  const { statuses } = fileOf({ file: join(dataDir, 'status.json') })
  return new Map(statuses.map((status) => [status.server, String(status['mark'])]))
}

/** The acknowledged targets that are not in the file of a directory as they were posted. */
export function lostFrom(dataDir: string, acknowledged: ReadonlyMap<string, string>): string[] {
  const marks = marksIn(dataDir)
  return [...acknowledged].filter(([name, mark]) => marks.get(name) !== mark).map(([name]) => name)
}
