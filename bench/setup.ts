import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median } from './numbers.ts'

export const quick = process.argv.includes('--quick')
/** How often everyone has a turn. */
export const ROUNDS = quick ? 1 : 3
/** How long one measurement of writing takes. */
export const WRITE_SECONDS = quick ? 1 : 4
/** How long writes go on before that: V8 compiles what runs often, and a server runs for weeks. */
export const WARM_UP_SECONDS = quick ? 0.5 : 3

/** Where everything is written that a run needs; on another disk with BENCH_DIR. */
export const work = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'bench-'))

type Measure<T> = () => T | Promise<T>

/** Takes turns: every contender once in each round, another one first each time. What was measured, by name and round. */
export async function takeTurns<T>(
  measures: Record<string, Measure<T>>,
  rounds = ROUNDS,
): Promise<Record<string, T[]>> {
  const results: Record<string, T[]> = {}
  for (let round = 0; round < rounds; round += 1) {
    const order = Object.entries(measures)
    const first = round % order.length
    for (const [name, measure] of [...order.slice(first), ...order.slice(0, first)]) {
      ;(results[name] ??= []).push(await measure())
    }
  }
  return results
}

/** Takes turns. The medians, by name. */
export async function alternate(measures: Record<string, Measure<number>>): Promise<Record<string, number>> {
  const results = await takeTurns(measures)
  return Object.fromEntries(Object.entries(results).map(([name, numbers]) => [name, median(numbers)]))
}
