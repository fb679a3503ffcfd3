import { type EventLine, type HistoryRow, type NewestRow, following } from '../status/history.ts'
import { keyOf } from '../status/target.ts'
import { timeOf } from '../status/time.ts'

/** The largest number of lines that wait. */
export const WAITING_MAX = 10_000

/** A line of the history: a row of a target, or about an event. */
export type HistoryLine = HistoryRow | EventLine

/** The newest row of each target, by key. */
export type NewestRows = ReadonlyMap<string, NewestRow>

/** The lines that the history file does not have yet, oldest first, and the newest row of each target among them. */
export class Backlog {
  #lines: readonly HistoryLine[] = []
  #newest = new Map<string, HistoryRow>()
  #dropped = 0

  get lines(): readonly HistoryLine[] {
    return this.#lines
  }

  /** Number of lines that were dropped since the last `clear`. */
  get dropped(): number {
    return this.#dropped
  }

  /** The newest rows of all targets: of the file, which has these, and here. Those that were dropped count too. */
  newest(inFile: NewestRows): NewestRows {
    if (this.#newest.size === 0) return inFile
    const later = [...this.#newest].filter(([key, row]) => !isAsNew(inFile.get(key), row))
    return new Map([...inFile, ...later])
  }

  add(lines: readonly HistoryLine[]): void {
    this.#lines = [...this.#lines, ...lines]
    for (const line of lines) if (!('event' in line)) this.#newest.set(keyOf(line), line)
  }

  /** Removes the lines that the file has: a failed append may have written some of them. */
  remove(inFile: ReadonlySet<string>): void {
    this.#lines = this.#lines.filter((line) => !inFile.has(JSON.stringify(line)))
  }

  /**
   * Compares the rows with the newest ones of the file: another server may have written what they say, and when they were
   * made the file may have been unreadable.
   */
  settle(inFile: NewestRows): void {
    const newest = new Map<string, HistoryRow>()
    this.#lines = this.#lines.flatMap((line) => {
      if ('event' in line) return line
      const before = newest.get(keyOf(line)) ?? inFile.get(keyOf(line))
      const row = isAsNew(before, line) ? undefined : following(before, line)
      if (row === undefined) return []
      newest.set(keyOf(row), row)
      return row
    })
  }

  /** Drops the oldest lines beyond the largest number. */
  trim(): void {
    const excess = Math.max(0, this.#lines.length - WAITING_MAX)
    this.#lines = this.#lines.slice(excess)
    this.#dropped += excess
  }

  clear(): void {
    this.#lines = []
    this.#newest.clear()
    this.#dropped = 0
  }
}

/** True if the file's row is of the same commit as another one, or of a later one. Generations may have begun anew. */
function isAsNew(inFile: NewestRow | undefined, row: NewestRow): boolean {
  return inFile !== undefined && inFile.generation >= row.generation && timeOf(inFile.time) >= timeOf(row.time)
}
