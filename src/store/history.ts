import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { type Entry, type StatusDocument, type Target, findEntry, keyOf } from '../status/document.ts'
import { type HistoryRow, changedTargets, nextRow, readHead, readRow } from '../status/history.ts'
import { timeOf } from '../status/snapshot.ts'
import { formatTime } from '../status/time.ts'
import { HistoryIndex, type Range, type Span } from './history-index.ts'
import { PRIVATE, syncDirectory } from './status-file.ts'
import { codeOf } from './store-error.ts'

export const HISTORY_FILE = 'history.jsonl'

/** How large the file may be: some million lines. */
export const HISTORY_BYTES_MAX = 256 * 1024 * 1024
/** Rows are kept so much longer than they must be, in parts of the retention: compacting rewrites the file. */
const SLACK = 0.1
const CHUNK_BYTES = 1024 * 1024
const NEWLINE = 10

export interface HistoryOptions {
  readonly directory: string
  /** How long rows are kept, in ms. */
  readonly retention: number
  /** How large the file may be; when it is larger, the newer half stays. */
  readonly bytesMax: number
  readonly log: Logger
}

/** What is known of the file. */
interface Known {
  /** Tells the file from another one that has come in its place. */
  readonly identity: string
  readonly index: HistoryIndex
  /** How far it has been read. */
  size: number
}

/**
 * `history.jsonl`: one line for each change of a target, appended after the commit that made it. It is written from a
 * comparison with what it says already, so that a line that a crash has kept from being written comes with the next start.
 *
 * Reading needs no lock; `record` is called under the lock of the directory.
 */
export class History {
  readonly #options: HistoryOptions
  #known: Known | undefined
  /** The entries of the document that was last recorded; none, where the whole document is to be compared. */
  #recorded: readonly Entry[] | undefined
  /** One after another: a query and a commit may both find that the file has grown. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: HistoryOptions) {
    this.#options = options
  }

  get #path(): string {
    return join(this.#options.directory, HISTORY_FILE)
  }

  /**
   * Writes down what a document changes. A failure is logged and made good with the next document: what is committed is
   * not in question.
   *
   * @param own whether this server has just made this document of the one before
   */
  async record(document: StatusDocument, own: boolean): Promise<void> {
    if (document.entries === this.#recorded) return
    // Under the lock nobody else has written since: what is known is all there is.
    if (
      own &&
      this.#recorded !== undefined &&
      this.#known !== undefined &&
      this.#news(this.#known, document, own).length === 0
    ) {
      this.#recorded = document.entries
      return
    }
    try {
      await this.#inTurn(async () => {
        // Opened anew each time: a file that is held open keeps its volume from being unmounted.
        const file = await open(this.#path, 'a+')
        try {
          const known = await this.#catchUp(file, true)
          await append(file, known, this.#news(known, document, own))
          await this.#compactWhereDue(file, known)
        } finally {
          await file.close()
        }
        this.#recorded = document.entries
      })
    } catch (error) {
      this.#recorded = undefined
      this.#options.log.warn({ err: error }, `${HISTORY_FILE} could not be written; it is tried again`)
    }
  }

  /** The rows that answer a question, oldest first; before them what was in force when they begin. */
  async rows(range: Range): Promise<HistoryRow[]> {
    return this.#inTurn(async () => {
      const file = await openWhereThere(this.#path)
      if (file === undefined) return []
      try {
        const { index } = await this.#catchUp(file, false)
        const { from, inForce, rows } = index.select(range)
        const first = (await read(file, index, inForce)).filter(({ sync_status: status }) => status !== null)
        const begin = formatTime(from)
        return [...first.map((row) => ({ ...row, time: begin, changes: [] })), ...(await read(file, index, rows))]
      } finally {
        await file.close()
      }
    })
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }

  #news({ index }: Known, document: StatusDocument, own: boolean): HistoryRow[] {
    const whole = this.#recorded === undefined
    const targets = whole ? allTargets(index, document) : changedTargets(this.#recorded ?? [], document.entries)
    return [...targets].flatMap(
      (target) =>
        nextRow(document, target, index.last.get(keyOf(target)), findEntry(document, target), own && !whole) ?? [],
    )
  }

  /**
   * Reads what has been added to the file; all of it, where it is another file.
   *
   * @param locked whether the lock is held: only then may a torn last line be cut off, since nobody is writing it
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
      this.#options.log.warn({ bytes: size - known.size }, `the torn last line of ${HISTORY_FILE} was cut off`)
    }
    return known
  }

  async #load(file: FileHandle, known: Known, size: number): Promise<void> {
    const newest = new Map<string, string>()
    const { end, unread } = await eachLine(file, { from: known.size, to: size }, (line, span) => {
      const head = readHead(line)
      if (head === undefined) return false
      known.index.add(head, head.time, span)
      newest.set(keyOf(head), line)
      return true
    })
    for (const [key, line] of newest) {
      const row = readRow(line)
      if (row !== undefined) known.index.last.set(key, row)
    }
    known.size = end
    if (unread > 0) {
      const message = `${HISTORY_FILE} has lines that are none of its own; they are passed over`
      this.#options.log.warn({ lines: unread }, message)
    }
  }

  async #compactWhereDue(file: FileHandle, known: Known): Promise<void> {
    const { retention, bytesMax, log } = this.#options
    const { index, size } = known
    const now = Date.now()
    const begin = size > bytesMax ? newerHalf(known, bytesMax) : now - retention
    if (size <= bytesMax && (index.size === 0 || index.timeOf(0) >= now - retention * (1 + SLACK))) return
    const numbers = index.since(begin)
    if (numbers.length === index.size) return
    const started = performance.now()
    await this.#compact(file, index, numbers)
    const ms = Math.round(performance.now() - started)
    log.info({ before: index.size, after: numbers.length, ms }, `${HISTORY_FILE} was compacted`)
  }

  /** Puts a file with only these rows in the place of the file. */
  async #compact(file: FileHandle, index: HistoryIndex, numbers: readonly number[]): Promise<void> {
    const staged = join(this.#options.directory, `${PRIVATE}history`)
    const handle = await open(staged, 'w')
    try {
      for (const span of joined(numbers.map((number) => index.span(number)))) {
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

function* allTargets({ last }: HistoryIndex, { entries }: StatusDocument): Generator<Target> {
  for (const { status } of entries) yield status
  const there = new Set(entries.map(({ status }) => keyOf(status)))
  for (const [key, row] of last) if (!there.has(key)) yield row
}

/** Appends rows, whole or not at all. */
async function append(file: FileHandle, known: Known, rows: readonly HistoryRow[]): Promise<void> {
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
    known.index.add(row, timeOf(row.time), { from: known.size, to })
    known.index.last.set(keyOf(row), row)
    known.size = to
  }
}

/** When the newer half of what the file may have begins. */
function newerHalf({ index, size }: Known, bytesMax: number): number {
  let number = index.size
  while (number > 0 && size - index.span(number - 1).from < bytesMax / 2) number -= 1
  return index.timeOf(number)
}

/** Reads rows by their numbers, in that order; those that follow one another at once. */
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

/** Spans that follow one another, as one. */
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
 * Reads the lines of a stretch of a file.
 *
 * @param take takes a line; tells whether it could be read
 * @returns where the last whole line ends, and how many lines could not be read
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

async function openWhereThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function bytesOf(handle: FileHandle, { from, to }: Span): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(to - from)
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, from)
  if (bytesRead < buffer.length) throw new Error(`${HISTORY_FILE} became shorter while it was read`)
  return buffer
}
