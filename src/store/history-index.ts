import { keyOf, type Target } from '../status/document.ts'
import type { HistoryRow } from '../status/history.ts'

/** A stretch of a file, in bytes. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** Which rows are asked for. */
export interface Range {
  /** Milliseconds since the epoch, both included. */
  readonly from: number
  readonly to: number
  /** The most rows, and the most bytes of them; of more the newest. */
  readonly limit: number
  readonly bytes: number
  /** Which targets; without it all. */
  readonly matches?: (target: Target) => boolean
}

/** The rows that answer a question, by their number in the file, oldest first. */
export interface Selection {
  /** When they begin: later than what was asked for, where there are more than the limit. */
  readonly from: number
  /** What was in force then. */
  readonly inForce: readonly number[]
  readonly rows: readonly number[]
}

/** Where in the file the rows stand, by time and by target. Some 30 bytes a row. */
export class HistoryIndex {
  /** The newest row of each target, by key; also one that says that it was removed. */
  readonly last = new Map<string, HistoryRow>()
  readonly #times: number[] = []
  /** Where each row ends, with its line break. */
  readonly #ends: number[] = []
  readonly #starts: number[] = []
  readonly #byTarget = new Map<string, { readonly target: Target; readonly numbers: number[] }>()

  get size(): number {
    return this.#times.length
  }

  /** @param time in ms since the epoch */
  add(target: Target, time: number, { from, to }: Span): void {
    const key = keyOf(target)
    const known = this.#byTarget.get(key)
    if (known === undefined) this.#byTarget.set(key, { target, numbers: [this.size] })
    else known.numbers.push(this.size)
    this.#times.push(time)
    this.#starts.push(from)
    this.#ends.push(to)
  }

  /** Where a row stands in the file. */
  span(number: number): Span {
    return { from: this.#starts[number] ?? 0, to: this.#ends[number] ?? 0 }
  }

  timeOf(number: number): number {
    return this.#times[number] ?? 0
  }

  /**
   * Finds rows. Looks at the times of the targets that are asked for, not at the file. A clock that was set back does no
   * harm: nothing is taken to be in order of time.
   */
  select({ from, to, limit, bytes, matches }: Range): Selection {
    const targets = [...this.#byTarget.values()].flatMap(({ target, numbers }) =>
      matches?.(target) === false ? [] : [numbers],
    )
    const found = targets
      .flatMap((numbers) => numbers.filter((each) => this.timeOf(each) >= from && this.timeOf(each) <= to))
      .toSorted((a, b) => this.timeOf(a) - this.timeOf(b) || a - b)
    const rows = found.slice(this.#newest(found, limit, bytes))
    const begin = rows.length < found.length ? this.timeOf(rows[0] ?? 0) : from
    const chosen = new Set(rows)
    const inForce = targets.flatMap((numbers) => {
      const number = numbers.findLast((each) => this.timeOf(each) <= begin)
      return number === undefined || chosen.has(number) ? [] : number
    })
    return { from: begin, inForce, rows }
  }

  /** The rows to keep of a history that begins at a time: those since then, and before them each target's last. */
  since(time: number): number[] {
    const before = [...this.#byTarget].flatMap(([key, { numbers }]) => {
      const number = numbers.findLast((each) => this.timeOf(each) < time)
      const gone = number === numbers.at(-1) && this.last.get(key)?.sync_status === null
      return number === undefined || gone ? [] : number
    })
    const after = this.#times.flatMap((each, number) => (each >= time ? number : []))
    return [...new Set([...before, ...after])].toSorted((a, b) => a - b)
  }

  /** From which of these rows on there are not more than so many, with so many bytes. */
  #newest(numbers: readonly number[], limit: number, bytes: number): number {
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
