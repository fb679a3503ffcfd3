import { isDeepStrictEqual } from 'node:util'
import {
  type Change,
  type Edits,
  type Entry,
  type Head,
  type Provenance,
  type StatusDocument,
  type Target,
  compareTargets,
  findEntry,
  keyOf,
  position,
  textOf,
} from './document.ts'
import { type DriftedFile, GENERATION_MAX, type SavedStatus, type Status } from './schema.ts'
import { flipsAt, isStale } from './staleness.ts'
import { formatTime } from './time.ts'

/** How many removals are remembered against old copies of the file. */
const REMOVALS_MAX = 10_000

/** The moment and the terms under which a document changes. */
export interface Terms {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Seconds, for statuses without their own `stale_after`. */
  readonly staleAfter: number
}

/** What the server alone says of a status at each commit. */
export type Stamps = Pick<Status, 'stale' | 'generation'>

/** A status before the server has stamped it; stamps in it do not count. */
export type Unstamped = SavedStatus & Pick<Status, 'since' | 'files'>

/** The next document in the making: changes laid over a document that stays as it is. */
export class Draft {
  readonly terms: Terms
  /** The generation that this draft will be. */
  readonly generation: number
  readonly #base: StatusDocument
  readonly #changes = new Map<string, Replacement>()
  readonly #removals = new Map<string, Change>()
  #head: Head
  #headEdited: Edits | undefined
  #size: number
  #bytes: number
  #undo: (() => void)[] = []

  constructor(base: StatusDocument, terms: Terms, generation = base.generation + 1) {
    this.terms = terms
    // A number typed by hand may be the largest there is; a document beyond it could not be read back.
    this.generation = Math.min(generation, GENERATION_MAX)
    this.#base = base
    this.#head = base.head
    this.#headEdited = base.headEdited
    this.#size = base.entries.length
    this.#bytes = base.entries.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Whether there is anything to commit. */
  get changed(): boolean {
    return this.#changes.size > 0 || this.#head !== this.#base.head
  }

  /** How many targets there are. */
  get size(): number {
    return this.#size
  }

  /** How many bytes the entries' texts have. */
  get bytes(): number {
    return this.#bytes
  }

  /** The statuses as they stand in the draft, in no order. */
  *statuses(): Iterable<Status> {
    for (const { status } of this.#base.entries) if (!this.#changes.has(keyOf(status))) yield status
    for (const { entry } of this.#changes.values()) if (entry !== undefined) yield entry.status
  }

  get(target: Target): Entry | undefined {
    const change = this.#changes.get(keyOf(target))
    return change === undefined ? findEntry(this.#base, target) : change.entry
  }

  /**
   * Sets the status of a target. A status that says what the entry says already changes nothing.
   *
   * @param stamps stamps that another server has made; without them this draft makes its own
   * @returns the status as it will stand
   */
  put(status: Unstamped, provenance: Provenance, stamps: Partial<Stamps> = {}): Status {
    const { now, staleAfter } = this.terms
    const old = this.get(status)
    const stale = stamps.stale ?? isStale(status, now, staleAfter)
    const same = arrange(status, { stale, generation: stamps.generation ?? old?.status.generation ?? this.generation })
    if (old !== undefined && textOf(same) === old.text) return old.status

    const stamped = { ...same, generation: stamps.generation ?? this.generation }
    const text = textOf(stamped)
    const bytes = Buffer.byteLength(text)
    // What has become stale while nobody looked is due at once.
    const due = old === undefined && stale !== isStale(status, now, staleAfter)
    const flips = due ? now : flipsAt(status, now, staleAfter)
    this.#replace(stamped, { status: stamped, text, bytes, flipsAt: flips, provenance })
    return stamped
  }

  /** Removes a target; `from` is the generation of the copy where an edit removed it, `by` who did otherwise. */
  remove(target: Target, origin: Pick<Change, 'from' | 'by'> = {}): void {
    const key = keyOf(target)
    this.#replace(target, undefined)
    this.#removals.set(key, { at: this.generation, ...origin })
    this.#undo.push(() => this.#removals.delete(key))
  }

  /** Sets what stands at the top of the document. */
  putHead(head: Head, edited: Edits | undefined): void {
    if (isDeepStrictEqual(head, this.#head)) return
    this.#head = head
    this.#headEdited = edited
  }

  /** Flips `stale` wherever its time has come. */
  flipStale(): void {
    for (const { status, flipsAt: due, provenance } of this.#base.entries) {
      if (due <= this.terms.now && !this.#changes.has(keyOf(status))) this.put(status, provenance)
    }
  }

  /** Runs some changes; where they throw, none of them is made and the error goes on. */
  attempt<T>(changes: () => T): T {
    const [size, bytes] = [this.#size, this.#bytes]
    this.#undo = []
    try {
      return changes()
    } catch (error) {
      for (const undo of this.#undo.toReversed()) undo()
      this.#size = size
      this.#bytes = bytes
      throw error
    } finally {
      this.#undo = []
    }
  }

  /** The document that the draft has become. */
  finish(generation = this.generation, updatedAt = formatTime(this.terms.now)): StatusDocument {
    const removals =
      this.#removals.size === 0
        ? this.#base.removals
        : new Map([...this.#base.removals, ...this.#removals].slice(-REMOVALS_MAX))
    const head = { head: this.#head, headEdited: this.#headEdited }
    return { generation, updatedAt, ...head, entries: this.#merged(), removals }
  }

  #merged(): Entry[] {
    const { entries } = this.#base
    const merged: Entry[] = []
    let next = 0
    const keepUpTo = (to: number): void => {
      for (const entry of entries.slice(next, to)) merged.push(entry)
    }
    const changes = [...this.#changes.values()].toSorted((a, b) => compareTargets(a.target, b.target))
    for (const { target, entry } of changes) {
      const [at, found] = position(entries, target)
      keepUpTo(at)
      if (entry !== undefined) merged.push(entry)
      next = found ? at + 1 : at
    }
    keepUpTo(entries.length)
    return merged
  }

  #replace(target: Target, entry: Entry | undefined): void {
    const key = keyOf(target)
    const before = this.#changes.get(key)
    const old = this.get(target)
    this.#size += (entry === undefined ? 0 : 1) - (old === undefined ? 0 : 1)
    this.#bytes += (entry?.bytes ?? 0) - (old?.bytes ?? 0)
    this.#changes.set(key, { target, entry })
    this.#undo.push(() => {
      if (before === undefined) this.#changes.delete(key)
      else this.#changes.set(key, before)
    })
  }
}

/** What stands in place of a target's entry; nothing, where it is removed. */
interface Replacement {
  readonly target: Target
  readonly entry: Entry | undefined
}

/** The order in which properties stand in the file: the contract's, the stamps, then the rest as it came. */
function arrange(status: Unstamped, stamps: Stamps): Status {
  const {
    repo,
    server,
    sync_status,
    drift_count,
    files,
    last_check,
    since,
    stale: _stale,
    generation: _generation,
    ...rest
  } = status
  return {
    repo,
    server,
    sync_status,
    drift_count,
    files: files.map(arrangeFile),
    last_check,
    since,
    ...stamps,
    ...rest,
  }
}

function arrangeFile(file: DriftedFile): DriftedFile {
  const { name, since, ...rest } = file
  return { name, since, ...rest }
}
