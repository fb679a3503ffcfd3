import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Running, startOurs } from './contenders.ts'
import { work } from './setup.ts'

const PROBE = join(import.meta.dirname, 'contenders', 'loop-delay.mjs')
const DEADLINE_MS = 60_000

/** By how much an event loop was late, in ms: 99 times of 100 by less than `p99`, and at most by `max`. */
export interface Lateness {
  readonly p99: number
  readonly max: number
}

/** Asks a server from within by how much its event loop is late. */
export class LoopDelay {
  readonly #file = join(work, `loop-delay-${Math.random().toString(36).slice(2)}`)

  async start(
    directory: string,
    nodeArgs: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
    program?: string,
  ): Promise<Running> {
    return startOurs(directory, ['--import', PROBE, ...nodeArgs], { ...env, LOOP_DELAY_FILE: this.#file }, program)
  }

  /** The lateness since the last time. */
  async reset({ pid }: Running): Promise<Lateness> {
    process.kill(pid, 'SIGUSR2')
    const deadline = performance.now() + DEADLINE_MS
    while (!existsSync(this.#file)) {
      if (performance.now() > deadline) throw new Error('the server does not say how late its event loop is')
      await sleep(1)
    }
    const { p99, max } = latenessIn(JSON.parse(readFileSync(this.#file, 'utf8')))
    rmSync(this.#file)
    return { p99, max }
  }
}

function latenessIn(value: unknown): Lateness {
  const isLateness = typeof value === 'object' && value !== null && 'p99' in value && 'max' in value
  if (!isLateness) throw new Error('loop-delay.mjs has written something else')
  return { p99: Number(value.p99), max: Number(value.max) }
}
