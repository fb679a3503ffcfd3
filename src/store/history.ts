import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { type Entry, type Replacement, type StatusDocument, changedEntries } from '../status/document.ts'
import type { TargetPeriods } from '../status/periods.ts'
import { type Target, keyOf } from '../status/target.ts'
import type { Cause } from '../status/draft.ts'
import {
  type EventLine,
  type HistoryRow,
  headOf,
  isRemoval,
  nextRow,
  readEventTime,
  readHead,
  readRow,
} from '../status/history.ts'
import { formatTime, timeOf } from '../status/time.ts'
import { Slices } from '../slices.ts'
import { newPrivateName } from './directory.ts'
import { openIfPresent, syncDirectory } from './durable-file.ts'
import { HistoryIndex, type Range, type Span } from './history-index.ts'
import { Backlog, type HistoryLine, type NewestRows } from './history-backlog.ts'
import type { VolumeFiles } from './volume-files.ts'

export const HISTORY_FILE = 'history.jsonl'

/** The largest size of the file, in bytes: some million rows. */
export const HISTORY_BYTES_MAX = 256 * 1024 * 1024
/** Rows are kept longer than they must be, by this share of the retention: compacting rewrites the file. */
const SLACK = 0.1
const CHUNK_BYTES = 1024 * 1024
const NEWLINE = 10

export interface HistoryOptions {
  readonly directory: string
  readonly files: VolumeFiles
  /** In seconds, for a status without its own. */
  readonly staleAfter: number
  /** The time that rows are kept, in ms. */
  readonly retention: number
  /** The largest size of the file, in bytes; if it grows larger, its newer half stays. */
  readonly bytesMax: number
  readonly log: Logger
}

type Causes = ReadonlyMap<string, Cause>

/** The known state of the file. */
interface Known {
  /** Distinguishes the file from another one in its place. */
  readonly identity: string
  readonly index: HistoryIndex
  /** The position up to which it has been read. */
  size: number
}

/** Why the file cannot be written, and what waits meanwhile. */
export interface HistoryFault {
  readonly error: unknown
  /** Number of rows that wait, and of those that were dropped because there were too many. */
  readonly rows: number
  readonly dropped: number
}

/**
 * `history.jsonl`: one row for each change of a target, appended after the commit that made it. What to write is found by
 * comparing the document with the rows that are there, so a row that a crash has prevented is written later. While the
 * file cannot be written, the rows wait in memory, and each document is compared with them too. Before the rows of a
 * restore stands a line about it as a whole; after a crash that one is not written later.
 *
 * Reading needs no lock; `record` is called under the lock of the directory.
 */
export class History {
  readonly #options: HistoryOptions
  #known: Known | undefined
  /** The entries of the document that was last compared with the file; `undefined` if the whole document has to be. */
  #recorded: readonly Entry[] | undefined
  readonly #backlog = new Backlog()
  #failure: { readonly error: unknown } | undefined
  /** One operation at a time: a query and a commit may both find that the file has grown. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: HistoryOptions) {
    this.#options = options
  }

  /** Why the last `record` has failed; the next one tries again. `undefined` if nothing is missing in the file. */
  get fault(): HistoryFault | undefined {
    const { lines, dropped } = this.#backlog
    return this.#failure && { ...this.#failure, rows: lines.length, dropped }
  }

  get #path(): string {
    return join(this.#options.directory, HISTORY_FILE)
  }

  /**
   * Writes the rows that a document adds, after those that wait. If that fails, they wait: the commit itself is done.
   *
   * @param causes what made the changes, by the target's key
   * @param isAlone true if no other server has committed since the last call
   * @param events what has happened beside the changes of targets
   */
  async record(
    document: StatusDocument,
    causes: Causes,
    isAlone: boolean,
    events: readonly EventLine[] = [],
  ): Promise<void> {
    this.#backlog.add(events)
    const isUpToDate = document.entries === this.#recorded || (await this.#addsNothing(document, causes, isAlone))
    if (isUpToDate && this.#backlog.lines.length === 0 && this.#failure === undefined) {
      this.#recorded = document.entries
      return
    }
    await this.#inTurn(async () => {
      try {
        await this.#write(document, causes)
        this.#failure = undefined
      } catch (error) {
        this.#failure = { error }
        this.#backlog.trim()
      }
    })
  }

  /** True if it is certain, without a look at the file, that a document adds no row. */
  async #addsNothing(document: StatusDocument, causes: Causes, isAlone: boolean): Promise<boolean> {
    if (!isAlone || this.#recorded === undefined || this.#known === undefined) return false
    const slices = new Slices()
    for (const row of this.#newRows(document, causes)) {
      if (row !== undefined) return false
      if (slices.isOver) await slices.next()
    }
    // A query may have found another file in the meantime.
    return this.#recorded !== undefined
  }

  async #write(document: StatusDocument, causes: Causes): Promise<void> {
    const { file, known } = await this.#openToWrite().catch(async (error: unknown) => {
      if (this.#known === undefined) await this.#read(() => undefined).catch(() => undefined)
      this.#backlog.add(await rowsIn(this.#newRows(document, causes)))
      throw error
    })
    try {
      this.#backlog.settle(known.index.newest)
      await this.#append(file, known, document, causes)
      await this.#compactIfDue(file, known)
    } finally {
      await file.close()
    }
  }

  /** Opens the file and reads what is new in it. Not held open: that would keep its volume from being unmounted. */
  async #openToWrite(): Promise<{ file: FileHandle; known: Known }> {
    await this.#options.files.access.refresh(this.#path)
    const file = await open(this.#path, 'a+')
    try {
      return { file, known: await this.#catchUp(file, true) }
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Appends what waits and what a document adds. */
  async #append(file: FileHandle, known: Known, document: StatusDocument, causes: Causes): Promise<void> {
    this.#backlog.add(await rowsIn(this.#newRows(document, causes)))
    this.#recorded = document.entries
    await append(file, known, this.#backlog.lines)
    const { dropped } = this.#backlog
    this.#backlog.clear()
    if (dropped === 0) return
    // The file may lack the newest rows of some targets.
    this.#recorded = undefined
    await this.#append(file, known, document, new Map())
  }

  /** The rows of a range, oldest first; before them the state of each target at its beginning. */
  async rows(range: Range): Promise<HistoryRow[]> {
    const rows = await this.#inTurn(async () =>
      this.#read(async (file, { index }) => {
        const { from, inForce, rows: numbers } = index.select(range)
        const first = (await read(file, index, inForce)).filter((row) => !isRemoval(row))
        const begin = formatTime(from)
        return [...first.map((row) => ({ ...row, time: begin, changes: [] })), ...(await read(file, index, numbers))]
      }),
    )
    return rows ?? []
  }

  /** The states that targets were in, by target, as far as the file has them. */
  async periods(matches: (target: Target) => boolean): Promise<TargetPeriods[]> {
    const periods = await this.#inTurn(async () => this.#read((_, { index }) => index.periods(matches)))
    return periods ?? []
  }

  /** Does something with the file and all that is in it now; `undefined` if there is none. */
  async #read<T>(work: (file: FileHandle, known: Known) => T | Promise<T>): Promise<T | undefined> {
    const file = await openIfPresent(this.#path)
    if (file === undefined) return undefined
    try {
      return await work(file, await this.#catchUp(file, false))
    } finally {
      await file.close()
    }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }

  /**
   * The rows that a document adds to those of the file, as far as it is known, and to those that wait: for each target that
   * may have changed, its row, or `undefined` if it adds none.
   */
  *#newRows(document: StatusDocument, causes: Causes): Generator<HistoryRow | undefined> {
    const newest = this.#backlog.newest(this.#known?.index.newest ?? new Map())
    const { staleAfter } = this.#options
    const { entries } = document
    const targets = this.#recorded === undefined ? allTargets(newest, entries) : changedEntries(this.#recorded, entries)
    for (const { target, entry } of targets) {
      const key = keyOf(target)
      yield nextRow(document, target, newest.get(key), entry?.status, causes.get(key), staleAfter)
    }
  }

  /**
   * Reads what has been appended to the file; all of it if it is another file.
   *
   * @param locked true if the lock is held: only then may a torn last row be removed, since no server is writing it
   */
  async #catchUp(file: FileHandle, locked: boolean): Promise<Known> {
    const { ino, birthtimeMs, size } = await file.stat()
    const identity = `${ino} ${birthtimeMs}`
    if (this.#known?.identity !== identity || size < this.#known.size) {
      this.#known = { identity, index: new HistoryIndex(), size: 0 }
      this.#recorded = undefined
    }
    const known = this.#known
    if (size > known.size) await this.#load(file, known, size)
    if (size > known.size && locked) {
      await file.truncate(known.size)
      this.#options.log.warn({ bytes: size - known.size, file: HISTORY_FILE }, 'incomplete last row removed')
    }
    return known
  }

  async #load(file: FileHandle, known: Known, size: number): Promise<void> {
    const newest = new Map<string, string>()
    const waiting = new Set(this.#backlog.lines.map((line) => JSON.stringify(line)))
    const written = new Set<string>()
    const { end, unread } = await eachLine(file, { from: known.size, to: size }, (line, span) => {
      if (waiting.has(line)) written.add(line)
      const head = readHead(line)
      const eventTime = head === undefined ? readEventTime(line) : undefined
      if (eventTime !== undefined) known.index.addEvent(eventTime, span)
      if (head === undefined) return eventTime !== undefined
      known.index.add(head, span)
      newest.set(keyOf(head), line)
      return true
    })
    const slices = new Slices()
    for (const line of newest.values()) {
      const row = readRow(line)
      if (row !== undefined) known.index.setNewest(row)
      await slices.next()
    }
    known.size = end
    this.#backlog.remove(written)
    if (unread > 0) this.#options.log.warn({ lines: unread, file: HISTORY_FILE }, 'unreadable rows skipped')
  }

  async #compactIfDue(file: FileHandle, known: Known): Promise<void> {
    const { retention, bytesMax, log } = this.#options
    const { index, size } = known
    const now = Date.now()
    const begin = size > bytesMax ? newerHalf(known, bytesMax) : now - retention
    if (size <= bytesMax && (index.size === 0 || index.timeOf(0) >= now - retention * (1 + SLACK))) return
    const numbers = index.since(begin)
    if (numbers.length === index.size) return
    const started = performance.now()
    try {
      await this.#compact(file, index.spansOf(numbers, begin))
    } catch (error) {
      log.warn({ err: error, file: HISTORY_FILE }, 'history not compacted; it will be retried')
      return
    }
    const ms = Math.round(performance.now() - started)
    log.info({ file: HISTORY_FILE, before: index.size, after: numbers.length, ms }, 'history compacted')
  }

  /** Replaces the file by one that has only these parts of it. */
  async #compact(file: FileHandle, spans: readonly Span[]): Promise<void> {
    const staged = join(this.#options.directory, newPrivateName())
    const handle = await open(staged, 'w')
    try {
      for (const span of joined(spans)) {
        for (let at = span.from; at < span.to; at += CHUNK_BYTES) {
          await handle.writeFile(await bytesOf(file, { from: at, to: Math.min(at + CHUNK_BYTES, span.to) }))
        }
      }
      await handle.sync()
      await rename(staged, this.#path)
      await syncDirectory(this.#options.directory)
    } finally {
      await handle.close()
      await rm(staged, { force: true })
    }
  }
}

/** What has become of each target of a document or of the history. */
function* allTargets(newest: NewestRows, entries: readonly Entry[]): Generator<Replacement> {
  for (const entry of entries) yield { target: entry.status, entry }
  const there = new Set(entries.map(({ status }) => keyOf(status)))
  for (const [key, row] of newest) if (!there.has(key)) yield { target: row, entry: undefined }
}

async function rowsIn(rows: Iterable<HistoryRow | undefined>): Promise<HistoryRow[]> {
  const slices = new Slices()
  const found: HistoryRow[] = []
  for (const row of rows) {
    if (row !== undefined) found.push(row)
    if (slices.isOver) await slices.next()
  }
  return found
}

/** Appends rows and lines about events, whole or not at all. */
async function append(file: FileHandle, known: Known, rows: readonly HistoryLine[]): Promise<void> {
  if (rows.length === 0) return
  const lines = rows.map((row) => Buffer.from(`${JSON.stringify(row)}\n`))
  try {
    await file.appendFile(Buffer.concat(lines))
    await file.datasync()
  } catch (error) {
    await file.truncate(known.size).catch(() => undefined)
    throw error
  }
  for (const [number, row] of rows.entries()) {
    const to = known.size + (lines[number]?.length ?? 0)
    const span = { from: known.size, to }
    if ('event' in row) known.index.addEvent(timeOf(row.time), span)
    else {
      known.index.add(headOf(row), span)
      known.index.setNewest(row)
    }
    known.size = to
  }
}

/** The time at which the newer half of the largest file begins. */
function newerHalf({ index, size }: Known, bytesMax: number): number {
  let number = index.size
  while (number > 0 && size - index.span(number - 1).from < bytesMax / 2) number -= 1
  return index.timeOf(number)
}

/** Reads rows by their numbers, in that order. Rows that follow one another are read together. */
async function read(file: FileHandle, index: HistoryIndex, numbers: readonly number[]): Promise<HistoryRow[]> {
  const rows: HistoryRow[] = []
  for (const span of joined(numbers.map((number) => index.span(number)))) {
    await eachLine(file, span, (line) => {
      const row = readRow(line)
      if (row !== undefined) rows.push(row)
      return row !== undefined
    })
  }
  return rows
}

/** Joins spans that follow one another. */
function joined(spans: readonly Span[]): Span[] {
  const result: Span[] = []
  for (const span of spans) {
    const before = result.at(-1)
    if (before?.to === span.from) result[result.length - 1] = { from: before.from, to: span.to }
    else result.push(span)
  }
  return result
}

/**
 * Reads the lines of a part of a file.
 *
 * @param take takes a line; returns false if it could not be parsed
 * @returns where the last whole line ends, and the number of lines that could not be parsed
 */
async function eachLine(
  handle: FileHandle,
  { from, to }: Span,
  take: (line: string, span: Span) => boolean,
): Promise<{ end: number; unread: number }> {
  let end = from
  let unread = 0
  let rest = Buffer.alloc(0)
  for (let at = from; at < to; at += CHUNK_BYTES) {
    const chunk = Buffer.concat([rest, await bytesOf(handle, { from: at, to: Math.min(at + CHUNK_BYTES, to) })])
    let start = 0
    for (let next = chunk.indexOf(NEWLINE); next !== -1; next = chunk.indexOf(NEWLINE, start)) {
      const length = next + 1 - start
      if (!take(chunk.toString('utf8', start, next), { from: end, to: end + length })) unread += 1
      end += length
      start = next + 1
    }
    rest = chunk.subarray(start)
  }
  return { end, unread }
}

async function bytesOf(handle: FileHandle, { from, to }: Span): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(to - from)
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, from)
  if (bytesRead < buffer.length) throw new Error(`${HISTORY_FILE} was truncated while it was read`)
  return buffer
}
