import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { type MakeEntry, applyChanges, changesBetween } from '../status/changes.ts'
import { EMPTY_DOCUMENT, committedDocument, committedEntryOf, entryOf } from '../status/document.ts'
import type { Clock } from '../status/time.ts'
import { closeQuietly, openIfPresent, syncDirectory, writeDurably } from './durable-file.ts'
import { type Earlier, type Recorded, earlierOf, goBack } from './earlier.ts'
import { lockFile } from './lock.ts'
import { changesOf, formatCommit, formatHead, formatPlaced, isCommit, readHead, readLines } from './record-file.ts'
import { type RecordState, type Segment, advanced, followed, stateAt } from './record-state.ts'
import { type Rendered, render } from './render.ts'
import { StoreError } from './store-error.ts'
import type { FileStats, VolumeFiles } from './volume-files.ts'

const SEGMENT = /^status\.record-(\d{1,16})\.jsonl$/

/** A segment ends when its commits have this many times the bytes of its document, within these limits in bytes. */
const SEGMENT_DOCUMENTS = 4
const SEGMENT_BYTES_MIN = 1024 * 1024
const SEGMENT_BYTES_MAX = 16 * 1024 * 1024
/** Beyond the previous segment, older ones are kept for this long, in ms, while all together are not larger, in bytes. */
const KEPT_MS = 86_400_000
const KEPT_BYTES = 64 * 1024 * 1024

/** The time to wait for the lock of a segment, in ms. Only a server that has lost the directory's lock makes one wait. */
const LOCK_WAIT_MS = 4000

/** A commit whose line is on disk. No other server appends before one of the two methods has ended. */
export interface AppendedCommit {
  /** Takes the line back, because the commit failed. */
  takeBack(): Promise<void>
  /** Notes that the document is in place. A note that is lost does no harm. */
  confirm(): Promise<void>
}

/**
 * What servers have committed, generation by generation, in `status.record-<generation>.jsonl`. Only servers write it, so
 * it tells a server's commit from a person's edit, also after a crash and for other servers on the directory.
 *
 * A segment begins with a whole document; each commit then appends what it changed. A line counts once it is whole. All
 * methods but `current` and `isUpToDate` are called under the lock of the directory.
 */
export class Record {
  readonly #directory: string
  readonly #files: VolumeFiles
  readonly #log: Logger
  #state: RecordState
  /** The earlier document that was last asked for. */
  #asked: { readonly generation: number; readonly inode: number | undefined; readonly recorded: Recorded } | undefined

  constructor(directory: string, files: VolumeFiles, log: Logger) {
    this.#directory = directory
    this.#files = files
    this.#log = log
    this.#state = stateAt(render(EMPTY_DOCUMENT), undefined)
  }

  /** The document as last committed; the empty one, of generation 0, before the first commit. */
  get current(): Rendered {
    return this.#state.current
  }

  /** True if nothing says that the last commit was put in place. */
  get isUnplaced(): boolean {
    return this.#state.unplaced.size > 0
  }

  /** True if no server has written since `load`. Needs no lock. */
  async isUpToDate(): Promise<boolean> {
    const { segment } = this.#state
    const found = segment && (await this.#stat(segment.name))
    return found?.ino === segment?.inode && found?.size === segment?.end
  }

  /**
   * True if a text is what the last commit replaces and that commit may not have got to replace it, because its server
   * was killed: the text is no edit then.
   */
  isSuperseded(digest: string): boolean {
    return this.#state.unplaced.has(digest)
  }

  /** Notes that the last commit is in place: another text that it replaced is an edit from now on. */
  async notePlaced(): Promise<void> {
    const { unplaced, segment } = this.#state
    if (unplaced.size === 0 || segment === undefined) return
    const file = await this.#openAtEnd(segment).catch(() => undefined)
    if (file !== undefined) await this.#confirm(file)
  }

  /** The digests of all texts that commits have merged, as far as the record goes back. */
  async mergedTexts(): Promise<ReadonlySet<string>> {
    const merged = new Set<string>()
    for (const name of await this.#segments()) {
      const file = await this.#files.access.read(join(this.#directory, name))
      const read = file && readHead(file.bytes)
      if (file === undefined || read === undefined || 'laterVersion' in read) continue
      for (const line of readLines(file.bytes.subarray(read.end)).lines) {
        if (isCommit(line)) for (const digest of line.edits) merged.add(digest)
      }
    }
    return merged
  }

  /**
   * Reads what has been committed since, by other servers or before this one started.
   *
   * @throws {StoreError} if a later version has written the record
   */
  async load(clock: Clock): Promise<void> {
    if (await this.#isAtEnd()) return
    const before = this.#state.current
    await this.#readTail(clock)
    for (const name of (await this.#segments()).toReversed()) {
      if (name === this.#state.segment?.name || (await this.#open(name, clock))) break
      await this.#setAside(name)
    }
    // The directory was replaced by an older one, or the record was deleted: this server knows more.
    const isOlder = this.#state.current.document.generation < before.document.generation
    if (isOlder || (this.#state.segment === undefined && before.document.generation > 0))
      await this.begin(before, clock)
  }

  /** Begins a new segment with a document that counts as committed from then on. Older segments go when they may. */
  async begin(current: Rendered, clock: Clock): Promise<void> {
    const name = `status.record-${current.document.generation}.jsonl`
    const line = await formatHead(current)
    await writeDurably(join(this.#directory, name), line)
    await syncDirectory(this.#directory)
    const { ino } = await stat(join(this.#directory, name))
    const segment = { name, inode: ino, headBytes: line.length, end: line.length }
    const isSame = current === this.#state.current
    this.#state = isSame ? { ...this.#state, segment } : stateAt(current, segment)
    await this.#removeOldSegments(clock)
  }

  /**
   * Appends a commit and waits until it is on disk: from then on it counts, whatever becomes of the file.
   *
   * @param edits digests of the texts that are merged in it
   */
  async append(next: Rendered, edits: readonly string[], clock: Clock): Promise<AppendedCommit> {
    const before = this.#state
    const { segment } = before
    if (segment === undefined) return this.#appendFirst(next, clock)
    const changes = changesBetween(before.current.document, next.document)
    const line = await formatCommit(changes, next.digest, edits)
    const file = await this.#openAtEnd(segment)
    let earlier: Earlier
    try {
      await file.appendFile(line)
      const synced = file.datasync()
      // Meanwhile there is nothing else to do.
      ;[earlier] = await Promise.all([earlierOf(before.current, next.document), synced])
    } catch (error) {
      await cut(file, segment.end).catch(() => undefined)
      throw error
    }
    const written = { ...segment, end: segment.end + line.length }
    this.#state = { ...advanced(before, next, [before.current.digest, ...edits], earlier), segment: written }
    let isConfirmed = false
    return {
      takeBack: async () => {
        const { segment: last = written } = this.#state
        this.#state = before
        await cut(isConfirmed ? await this.#openAtEnd(last) : file, segment.end)
      },
      confirm: async () => {
        isConfirmed = true
        await this.#confirm(file)
      },
    }
  }

  /** Begins a new segment if the present one has grown to some multiple of its document. */
  async compactIfDue(clock: Clock): Promise<void> {
    const { segment, current } = this.#state
    if (segment === undefined) return
    const { headBytes, end } = segment
    const max = Math.min(Math.max(headBytes * SEGMENT_DOCUMENTS, SEGMENT_BYTES_MIN), SEGMENT_BYTES_MAX)
    if (end - headBytes < max) return
    const file = await this.#openAtEnd(segment)
    try {
      await this.begin(current, clock)
    } finally {
      await closeQuietly(file)
    }
  }

  /**
   * The document of a generation: that generation's, or the last one before it, or the oldest that the record has.
   *
   * @param generation the last committed one if it is `undefined` or not in the record yet
   */
  async documentAt(generation: number | undefined, clock: Clock): Promise<Recorded> {
    const { earlier, current, segment } = this.#state
    if (generation === undefined || generation >= current.document.generation) return current
    if (this.#asked?.generation === generation && this.#asked.inode === segment?.inode) return this.#asked.recorded
    const known = await goBack(current.document, earlier, generation, clock, entryOf)
    const recorded = known ?? (await this.#replay(generation, clock))
    this.#asked = recorded && { generation, inode: segment?.inode, recorded }
    return recorded ?? current
  }

  /** The document of the last commit, without the lock and without a change of anything; `undefined` if there is none. */
  async readNewest(clock: Clock): Promise<Rendered | undefined> {
    const recorded = await this.#replay(Infinity, clock)
    return recorded && render(recorded.document)
  }

  async #appendFirst(next: Rendered, clock: Clock): Promise<AppendedCommit> {
    const before = this.#state
    await this.begin(next, clock)
    const { segment } = this.#state
    return {
      takeBack: async () => {
        this.#state = before
        if (segment !== undefined) await rm(join(this.#directory, segment.name), { force: true })
      },
      confirm: async () => undefined,
    }
  }

  async #confirm(file: FileHandle): Promise<void> {
    const { segment, current } = this.#state
    const line = formatPlaced(current.document.generation)
    this.#state = { ...this.#state, unplaced: new Set() }
    try {
      await file.appendFile(line)
      this.#state = { ...this.#state, segment: segment && { ...segment, end: segment.end + line.length } }
    } catch {
      // The next commit implies it.
    } finally {
      await closeQuietly(file)
    }
  }

  /**
   * Opens a segment to append to it. Locked itself, and not only by the lock of the directory: a file server gives that to
   * another server if this one was cut off for too long, and refuses what is written under a lock that it took back.
   *
   * @throws {StoreError} `no-lock` if the segment does not end where this server has read it to
   */
  async #openAtEnd({ name, end }: Segment): Promise<FileHandle> {
    // Opened each time: a file that is held open keeps its volume from being unmounted.
    const file = await open(join(this.#directory, name), 'a')
    try {
      await lockFile(file.fd, performance.now() + LOCK_WAIT_MS)
      const { size } = await file.stat()
      if (size === end) return file
      const detail = `the volume lost the lock of the directory: another server has written to ${name}`
      throw new StoreError('no-lock', detail)
    } catch (error) {
      await closeQuietly(file)
      throw error
    }
  }

  /** True if nothing was appended and no segment was begun since this server last read or wrote. */
  async #isAtEnd(): Promise<boolean> {
    const { segment } = this.#state
    if (segment !== undefined) await this.#files.access.refresh(join(this.#directory, segment.name))
    const [segments, isUpToDate] = await Promise.all([this.#segments(), this.isUpToDate()])
    return segments.at(-1) === this.#state.segment?.name && isUpToDate
  }

  /** Reads what was appended to the present segment; another file of its name is opened as if it were new. */
  async #readTail(clock: Clock): Promise<void> {
    const { segment } = this.#state
    if (segment === undefined) return
    const handle = await openIfPresent(join(this.#directory, segment.name))
    try {
      const found = await handle?.stat()
      if (handle === undefined || found?.ino !== segment.inode || found.size < segment.end) {
        this.#state = { ...this.#state, segment: undefined }
      } else {
        await this.#apply(await bytesFrom(handle, segment.end, found.size), segment, clock, entryOf)
      }
    } finally {
      await handle?.close()
    }
  }

  /** Opens a segment. Returns false if its head line cannot be read. */
  async #open(name: string, clock: Clock): Promise<boolean> {
    const path = join(this.#directory, name)
    await this.#files.access.refresh(path)
    const file = await this.#files.access.read(path)
    const read = file && readHead(file.bytes)
    if (file === undefined || read === undefined) return false
    if ('laterVersion' in read) {
      const detail = `${name} was written by a later version of this server (record version ${read.laterVersion})`
      throw new StoreError('unavailable', detail)
    }
    const { head, end } = read
    const found = await this.#stat(name)
    if (found === undefined) return false
    const segment = { name, inode: found.ino, headBytes: end, end }
    const { current } = this.#state
    // After a new segment of another server this server's own document is still the one in it.
    const isKnown = current.document.generation === head.generation && current.digest === head.digest
    const rendered = isKnown ? current : render(committedDocument(head.document, clock))
    this.#state = isKnown ? { ...this.#state, segment } : stateAt(rendered, segment)
    await this.#apply(file.bytes.subarray(end), segment, clock, committedEntryOf)
    return true
  }

  /** Applies what follows the present end of a segment. */
  async #apply(bytes: Buffer, segment: Segment, clock: Clock, makeEntry: MakeEntry): Promise<void> {
    const { lines, end, isDamaged } = readLines(bytes)
    this.#state = {
      ...(await followed(this.#state, lines, clock, makeEntry)),
      segment: { ...segment, end: segment.end + end },
    }
    const { current } = this.#state
    const last = lines.findLast(isCommit)
    if (isDamaged || (last !== undefined && last.digest !== current.digest)) {
      await this.#setAside(segment.name)
      await this.begin(current, clock)
    } else if (end < bytes.length) {
      // A line that a crash has torn was never acknowledged.
      const file = await this.#openAtEnd({ ...segment, end: segment.end + bytes.length })
      await cut(file, segment.end + end)
    }
  }

  /** Renames a damaged segment, so that no server reads it and people can inspect it. */
  async #setAside(name: string): Promise<void> {
    const file = `${name}.damaged`
    await rename(join(this.#directory, name), join(this.#directory, file))
    this.#log.error({ file }, 'record segment damaged; set aside')
  }

  /** Makes the document of a generation from the segments on disk. */
  async #replay(generation: number, clock: Clock): Promise<Recorded | undefined> {
    const names = await this.#segments()
    const name = names.findLast((each) => generationOf(each) <= generation) ?? names[0]
    const file = name === undefined ? undefined : await this.#files.access.read(join(this.#directory, name))
    const read = file && readHead(file.bytes)
    if (file === undefined || read === undefined || 'laterVersion' in read) return undefined
    const commits = readLines(file.bytes.subarray(read.end)).lines.filter(isCommit)
    const wanted = commits.filter((commit) => commit.generation <= generation)
    const document = committedDocument(read.head.document, clock)
    return {
      document: applyChanges(document, wanted.map(changesOf), clock, entryOf),
      digest: wanted.at(-1)?.digest ?? read.head.digest,
    }
  }

  /** Names of the segments, oldest first. */
  async #segments(): Promise<string[]> {
    const names = (await readdir(this.#directory)).filter((name) => SEGMENT.test(name))
    return names.toSorted((a, b) => generationOf(a) - generationOf(b))
  }

  async #removeOldSegments({ now }: Clock): Promise<void> {
    const names = await this.#segments()
    const files = await Promise.all(names.map(async (name) => ({ name, found: await this.#stat(name) })))
    let bytes = files.reduce((sum, { found }) => sum + (found?.size ?? 0), 0)
    for (const { name, found } of files.slice(0, -2)) {
      const isOld = (found?.mtimeMs ?? 0) < now - KEPT_MS
      if (!isOld && bytes <= KEPT_BYTES) break
      await rm(join(this.#directory, name), { force: true })
      bytes -= found?.size ?? 0
    }
  }

  async #stat(name: string): Promise<FileStats | undefined> {
    return this.#files.access.stat(join(this.#directory, name))
  }
}

function generationOf(name: string): number {
  return Number(SEGMENT.exec(name)?.[1])
}

async function bytesFrom(handle: FileHandle, from: number, to: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(to - from)
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, from)
  return buffer.subarray(0, bytesRead)
}

/** Cuts a segment and closes it. */
async function cut(file: FileHandle, size: number): Promise<void> {
  try {
    await file.truncate(size)
    await file.datasync()
  } finally {
    await closeQuietly(file)
  }
}
