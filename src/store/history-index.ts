import { type HistoryRow, type NewestRow, type RowHead, isRemoval } from '../status/history.ts'
import type { Period, TargetPeriods } from '../status/periods.ts'
import { keyOf, type Target } from '../status/target.ts'

/** A part of a file, in bytes. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** A query for rows. */
export interface Range {
  /** Milliseconds since the epoch, both included. */
  readonly from: number
  readonly to: number
  /** The largest number of rows, and of their bytes; the newest are kept. */
  readonly limit: number
  readonly bytes: number
  /** True if the state of each target before the rows is of no interest. */
  readonly changesOnly?: boolean
  /** Which targets; all of them without it. */
  readonly matches?: (target: Target) => boolean
}

/** The rows that answer a query, by their number in the file, oldest first. */
export interface Selection {
  /** When they begin, in ms since the epoch: later than asked for if there are more rows than the limit. */
  readonly from: number
  /** The last row of each target before that time. */
  readonly inForce: readonly number[]
  readonly rows: readonly number[]
}

/** The rows of a target, by their number, and its states in the order of time. */
interface OfTarget extends Target {
  readonly key: string
  readonly numbers: number[]
  readonly periods: Period[]
}

/** Where the rows are in the file, by time and by target, and what state began there. Takes some 60 bytes a row. */
export class HistoryIndex {
  readonly #newest = new Map<string, NewestRow>()
  /** Lines that speak of no single target. No query finds them. */
  readonly #events: { readonly time: number; readonly span: Span }[] = []
  readonly #times: number[] = []
  /** The end of each row, including its line break. */
  readonly #ends: number[] = []
  readonly #starts: number[] = []
  readonly #byTarget = new Map<string, OfTarget>()

  get size(): number {
    return this.#times.length
  }

  add({ repo, server, time, period }: RowHead, { from, to }: Span): void {
    const key = keyOf({ repo, server })
    const known = this.#byTarget.get(key)
    if (known === undefined) this.#byTarget.set(key, { key, repo, server, numbers: [this.size], periods: [period] })
    else {
      known.numbers.push(this.size)
      known.periods.push(period)
      // A clock may have been set back.
      if (period.from < (known.periods.at(-2)?.from ?? 0)) known.periods.sort((a, b) => a.from - b.from)
    }
    this.#times.push(time)
    this.#starts.push(from)
    this.#ends.push(to)
  }

  /** The newest row of each target, by key, including one that says that it was removed. */
  get newest(): ReadonlyMap<string, NewestRow> {
    return this.#newest
  }

  /** Notes the newest row of a target. Its key and names are those that the index has already: they take much of the memory. */
  setNewest(row: HistoryRow): void {
    const { key, repo, server } = this.#byTarget.get(keyOf(row)) ?? { ...row, key: keyOf(row) }
    const { time, state, sync_status, files, stale, generation } = row
    this.#newest.set(key, { time, repo, server, state, sync_status, files, stale, generation })
  }

  /** The states that targets were in, by target, in the order of time. They grow with the index. */
  periods(matches: (target: Target) => boolean): TargetPeriods[] {
    return [...this.#byTarget.values()].filter((target) => matches(target))
  }

  /** @param time in ms since the epoch */
  addEvent(time: number, span: Span): void {
    this.#events.push({ time, span })
  }

  /** The positions of rows, and of the events since a time, in the order of the file. */
  spansOf(numbers: readonly number[], eventsSince: number): Span[] {
    const events = this.#events.flatMap(({ time, span }) => (time >= eventsSince ? span : []))
    return [...numbers.map((number) => this.span(number)), ...events].toSorted((a, b) => a.from - b.from)
  }

  /** The position of a row in the file. */
  span(number: number): Span {
    return { from: this.#starts[number] ?? 0, to: this.#ends[number] ?? 0 }
  }

  timeOf(number: number): number {
    return this.#times[number] ?? 0
  }

  /**
   * Finds rows by the times of the targets that are asked for, without reading the file. Rows need not be in order of
   * time: a clock may have been set back.
   */
  select({ from, to, limit, bytes, changesOnly, matches }: Range): Selection {
    const targets = [...this.#byTarget.values()].flatMap((target) =>
      matches?.(target) === false ? [] : [target.numbers],
    )
    const found = targets
      .flatMap((numbers) => numbers.filter((each) => this.timeOf(each) >= from && this.timeOf(each) <= to))
      .toSorted((a, b) => this.timeOf(a) - this.timeOf(b) || a - b)
    const rows = found.slice(this.#firstOf(found, limit, bytes))
    const begin = rows.length < found.length ? this.timeOf(rows[0] ?? 0) : from
    if (changesOnly === true) return { from: begin, inForce: [], rows }
    const chosen = new Set(rows)
    const inForce = targets.flatMap((numbers) => {
      const number = numbers.findLast((each) => this.timeOf(each) <= begin)
      return number === undefined || chosen.has(number) ? [] : number
    })
    return { from: begin, inForce, rows }
  }

  /** The rows to keep of a history that begins at a time: those since then, and the last one of each target before. */
  since(time: number): number[] {
    const before = [...this.#byTarget].flatMap(([key, { numbers }]) => {
      const number = numbers.findLast((each) => this.timeOf(each) < time)
      const last = this.#newest.get(key)
      const gone = number === numbers.at(-1) && last !== undefined && isRemoval(last)
      return number === undefined || gone ? [] : number
    })
    const after = this.#times.flatMap((each, number) => (each >= time ? number : []))
    return [...new Set([...before, ...after])].toSorted((a, b) => a - b)
  }

  /** The index from which on there are at most `limit` rows with at most `bytes` bytes. */
  #firstOf(numbers: readonly number[], limit: number, bytes: number): number {
    let first = numbers.length
    let left = bytes
    while (first > 0 && numbers.length - first < limit) {
      const { from, to } = this.span(numbers[first - 1] ?? 0)
      left -= to - from
      if (left < 0) break
      first -= 1
    }
    return first
  }
}
