import type { State } from './schema.ts'
import type { Target } from './target.ts'

/** The states of a target over a time: each lasts until the next one begins. */
export interface TargetPeriods extends Target {
  /** In the order of time. */
  readonly periods: readonly Period[]
}

export interface Period {
  /** The start, in ms since the epoch. */
  readonly from: number
  /** null: the target was not there. */
  readonly state: State | null
}

/** A part of a period. */
export interface Stretch {
  /** In ms since the epoch. */
  readonly from: number
  readonly to: number
  readonly state: State
}

/** The parts of a target's periods between two times, in ms since the epoch; times at which it was not there are left out. */
export function stretches({ periods }: TargetPeriods, from: number, to: number): Stretch[] {
  const found: Stretch[] = []
  const first = periods.findLastIndex((period) => period.from <= from)
  for (let index = Math.max(first, 0); index < periods.length; index += 1) {
    const period = periods[index]
    if (period === undefined || period.from >= to) break
    const begin = Math.max(period.from, from)
    const end = Math.min(periods[index + 1]?.from ?? Infinity, to)
    if (period.state !== null && begin < end) found.push({ from: begin, to: end, state: period.state })
  }
  return found
}
