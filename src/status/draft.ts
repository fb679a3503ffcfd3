import { isDeepStrictEqual } from 'node:util'
import type { Steps } from '../steps.ts'
import {
  type Actor,
  type Entry,
  type Head,
  type Replacement,
  type StatusDocument,
  dueOf,
  entriesUnder,
  entryOf,
  findEntry,
  neverChecked,
  replaceEntries,
} from './document.ts'
import { type Target, keyOf } from './target.ts'
import { type AcceptedRule, type Status, TARGETS_MAX } from './schema.ts'
import { type Origin, type Unstamped, stamped } from './stamps.ts'
import { type Rules, rulesOf } from './rules.ts'
import { summaryOf } from './states.ts'
import { type Clock, formatTime, timeOf } from './time.ts'

/** The cause and the actor of a change of a target; the history records them. */
export interface Cause {
  readonly origin: Origin
  readonly by?: Actor | undefined
}

/** The changes of a restore. */
export interface Restoration {
  /** The older document, as far as it says what it is. */
  readonly from: { readonly generation: number | undefined; readonly updatedAt: string | undefined }
  /** Targets that were removed since. */
  readonly returned: readonly Status[]
  /** Targets that have become different, by a verdict or by anything else. */
  readonly changed: readonly StatusChange[]
  /** Targets that were checked since; their newer verdicts stay. */
  readonly newer: readonly Target[]
  /** Number of targets that the older document does not have. */
  readonly others: number
  /** Names of the properties at the top of the document that have become different. */
  readonly head: readonly string[]
}

/** True if going back has left everything as it was. */
export function changesNothing({ returned, changed, head }: Restoration): boolean {
  return returned.length + changed.length + head.length === 0
}

/** A rule that covers nothing any more, and who has ended it, if it was not time. */
export interface EndedRule {
  readonly rule: AcceptedRule
  readonly by?: Actor | undefined
}

export interface StatusChange {
  readonly before: Status
  readonly after: Status
}

/** The next document while it is being made: changes on top of a document that itself stays as it is. */
export class Draft {
  readonly base: StatusDocument
  readonly clock: Clock
  /** The generation that the next document gets. */
  readonly generation: number
  readonly #changes = new Map<string, Replacement & { readonly cause: Cause }>()
  readonly #restorations: Restoration[] = []
  readonly #ended: EndedRule[] = []
  #head: Head
  #size: number
  #bytes: number
  #undo: (() => void)[] = []

  constructor(base: StatusDocument, clock: Clock, generation = base.generation + 1) {
    this.base = base
    this.clock = clock
    this.generation = generation
    this.#head = base.head
    this.#size = base.entries.length
    this.#bytes = base.entries.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  get changed(): boolean {
    return this.#changes.size > 0 || this.#head !== this.base.head || this.ended.length > 0
  }

  /** The rules in the head. */
  get rules(): Rules {
    return rulesOf(this.#head)
  }

  /** The rules that have ended since the base was made, or that were ended by a request or an edit. */
  get ended(): readonly EndedRule[] {
    const byTime = this.rules.endedBetween(timeOf(this.base.updatedAt), this.clock.now)
    return [...byTime.map((rule) => ({ rule })), ...this.#ended]
  }

  /** Number of targets. */
  get size(): number {
    return this.#size
  }

  /** Bytes of all entries' texts. */
  get bytes(): number {
    return this.#bytes
  }

  get head(): Head {
    return this.#head
  }

  /** The causes of the changes so far, by the target's key. */
  get causes(): ReadonlyMap<string, Cause> {
    return new Map([...this.#changes].map(([key, { cause }]) => [key, cause]))
  }

  /** The targets that are changed. */
  get targets(): readonly Target[] {
    return [...this.#changes.values()].map(({ target }) => target)
  }

  /** The older documents to which the draft has gone back, in order. */
  get restorations(): readonly Restoration[] {
    return this.#restorations
  }

  /** The statuses as they are in the draft, in no particular order. */
  *statuses(): Iterable<Status> {
    for (const { status } of this.base.entries) if (!this.#changes.has(keyOf(status))) yield status
    for (const { entry } of this.#changes.values()) if (entry !== undefined) yield entry.status
  }

  get(target: Target): Entry | undefined {
    const change = this.#changes.get(keyOf(target))
    return change === undefined ? findEntry(this.base, target) : change.entry
  }

  /**
   * Sets the status of a target. A status that says the same as the entry changes nothing.
   *
   * @returns the status as it will be in the document
   */
  put(status: Unstamped, cause: Cause): Status {
    const { clock, generation, rules } = this
    const old = this.get(status)
    const next = stamped({ status, before: old?.status, origin: cause.origin, clock, rules, generation })
    if (old !== undefined && isDeepStrictEqual({ ...next, generation: old.status.generation }, old.status)) {
      return old.status
    }
    this.#replace(next, entryOf(next, clock, rules), cause)
    return next
  }

  /** Removes a target. One that is expected becomes one that was never checked. */
  remove(target: Target, cause: Cause): void {
    if (this.get(target) === undefined) return
    if (this.rules.expects(target)) this.put(neverChecked(target), cause)
    else this.#replace(target, undefined, cause)
  }

  /** Sets the properties at the top that people own, and applies the rules among them. */
  putHead(head: Head, cause: Cause): void {
    if (isDeepStrictEqual(head, this.#head)) return
    const before = this.#head
    this.#head = head
    this.#undo.push(() => {
      this.#head = before
    })
    this.#applyRules(rulesOf(before), rulesOf(head), cause)
  }

  /** Notes that a rule was ended: the history records it. */
  noteEnded(ended: EndedRule): void {
    this.#ended.push(ended)
    this.#undo.push(() => this.#ended.pop())
  }

  /** Notes what going back to an older document has changed, if it has changed anything: the history records it. */
  noteRestoration(restoration: Restoration): void {
    if (changesNothing(restoration)) return
    this.#restorations.push(restoration)
    this.#undo.push(() => this.#restorations.pop())
  }

  /**
   * Stamps anew every entry of which a stamp has changed by itself, and adds those that are expected and not there. Yields
   * after each.
   */
  *passTime(): Steps<void> {
    if (dueOf(this.base) > this.clock.now) return
    if (this.base.changesAt <= this.clock.now) {
      for (const target of this.rules.expected.values()) {
        if (this.#size < TARGETS_MAX) this.#expect(target, { origin: 'time' })
        yield
      }
    }
    for (const { status, changesAt } of this.base.entries) {
      if (changesAt > this.clock.now || this.#changes.has(keyOf(status))) continue
      this.put(status, { origin: 'time' })
      yield
    }
  }

  /** Makes some changes; if they throw, none of them is made and the error is rethrown. */
  attempt<T>(changes: () => T): T {
    const undo = this.#begin()
    try {
      return changes()
    } catch (error) {
      undo()
      throw error
    }
  }

  /** The same, step by step. Meanwhile nothing else may change the draft. */
  *attemptSteps<T>(changes: Steps<T>): Steps<T> {
    const undo = this.#begin()
    try {
      return yield* changes
    } catch (error) {
      undo()
      throw error
    }
  }

  /** The next document. */
  finish(): StatusDocument {
    const { base, clock, rules } = this
    const updatedAt = formatTime(clock.now)
    const replaced = replaceEntries(base.entries, this.#changes.values())
    const entries = rules === rulesOf(base.head) ? replaced : entriesUnder(rules, replaced, clock)
    return {
      generation: this.generation,
      updatedAt,
      summary: summaryOf(entries.map(({ status }) => status)),
      head: this.#head,
      entries,
      changesAt: rules.firstEndAfter(timeOf(updatedAt)),
    }
  }

  /** Begins changes. Returns what takes them back. */
  #begin(): () => void {
    const [size, bytes] = [this.#size, this.#bytes]
    this.#undo = []
    return () => {
      for (const undo of this.#undo.toReversed()) undo()
      this.#size = size
      this.#bytes = bytes
    }
  }

  /** Adds and removes what is expected now and what no longer is, and stamps every entry that a changed rule is about. */
  #applyRules(before: Rules, after: Rules, cause: Cause): void {
    for (const target of before.expected.values()) {
      if (!after.expects(target) && isUnreported(this.get(target)?.status)) this.#replace(target, undefined, cause)
    }
    for (const target of after.expected.values()) this.#expect(target, cause)
    const changed = after.changesFrom(before)
    if (changed.accepted.length === 0) return
    const touched = [...this.statuses()].filter((status) => changed.about(status).length > 0)
    for (const status of touched) this.put(status, cause)
  }

  #expect(target: Target, cause: Cause): void {
    if (this.get(target) === undefined) this.put(neverChecked(target), cause)
  }

  #replace(target: Target, entry: Entry | undefined, cause: Cause): void {
    const key = keyOf(target)
    const before = this.#changes.get(key)
    const old = this.get(target)
    this.#size += (entry === undefined ? 0 : 1) - (old === undefined ? 0 : 1)
    this.#bytes += (entry?.bytes ?? 0) - (old?.bytes ?? 0)
    this.#changes.set(key, { target, entry, cause })
    this.#undo.push(() => {
      if (before === undefined) this.#changes.delete(key)
      else this.#changes.set(key, before)
    })
  }
}

/** True if nothing was ever posted for a target. */
function isUnreported(status: Status | undefined): boolean {
  return status !== undefined && status.sync_status === null && status.failed_check === undefined
}
