import { type Rules, rulesOf } from './rules.ts'
import {
  type SavedDocument,
  type SavedStatus,
  type Status,
  type Summary,
  documentSchema,
  summarySchema,
} from './schema.ts'
import { isOutdated, nextChangeOf } from './stamps.ts'
import { summaryOf } from './states.ts'
import { type Target, compareTargets } from './target.ts'
import { type Clock, formatTime, timeOf } from './time.ts'
import { validator } from './validation.ts'

/** The document at one generation. It is never changed; a `Draft` makes the next one. */
export interface StatusDocument {
  readonly generation: number
  /** UTC, whole seconds. */
  readonly updatedAt: string
  /** `undefined` in a document of a version that made none. */
  readonly summary: Summary | undefined
  readonly head: Head
  /** Sorted by repo, then server. */
  readonly entries: readonly Entry[]
  /** When something is due that no stamp says: a rule ends, or an expected target has no entry. In ms since the epoch. */
  readonly changesAt: number
}

/** The properties at the top of the document that people own, and `$schema`. */
export type Head = Readonly<Record<string, unknown>> & { readonly $schema: string }

/** A status in the document, with what would be expensive to compute again. Not its text, which is as large as the file. */
export interface Entry {
  readonly status: Status
  /** Length of its text in the file, in UTF-8. */
  readonly bytes: number
  /** When one of its stamps will next be wrong, in ms since the epoch. */
  readonly changesAt: number
}

/** The actor of a change, if known. */
export interface Actor {
  /** The name of the token. */
  readonly token?: string
  /** The client's address. */
  readonly address?: string
}

/** The document before the first snapshot. */
export const EMPTY_DOCUMENT: StatusDocument = {
  generation: 0,
  updatedAt: formatTime(0),
  summary: summaryOf([]),
  head: { $schema: './status.schema.json' },
  entries: [],
  changesAt: Infinity,
}

/** The properties at the top that the server owns, and the entries; every other property is part of the head. */
const SERVER_PROPERTIES: ReadonlySet<string> = new Set(documentSchema.required.filter((name) => name !== '$schema'))

const isSummary = validator<Summary>(summarySchema)

const dues = new WeakMap<readonly Entry[], number>()

/** When the first stamp of a document will be wrong, or something else in it is due, in ms since the epoch. */
export function dueOf({ entries, changesAt }: StatusDocument): number {
  let first = dues.get(entries)
  if (first === undefined) {
    first = entries.reduce((soonest, entry) => Math.min(soonest, entry.changesAt), Infinity)
    dues.set(entries, first)
  }
  return Math.min(first, changesAt)
}

/** The entry of a target; `undefined` if there is none. */
export function findEntry(document: StatusDocument, target: Target): Entry | undefined {
  const [at, found] = position(document.entries, target)
  return found ? document.entries[at] : undefined
}

/** The index of a target's entry, or the index at which to insert it, and whether it is there. */
export function position(entries: readonly Entry[], target: Target): [at: number, found: boolean] {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const entry = entries[middle]
    if (entry !== undefined && compareTargets(entry.status, target) < 0) low = middle + 1
    else high = middle
  }
  const entry = entries[low]
  return [low, entry !== undefined && compareTargets(entry.status, target) === 0]
}

/** Makes the entry of a status that this server or another one has just stamped. */
export function entryOf(status: Status, clock: Clock, rules: Rules): Entry {
  return { status, bytes: Buffer.byteLength(textOf(status)), changesAt: nextChangeOf(status, clock, rules) }
}

/** Makes the entry of a status that was committed before this server started: an outdated stamp is due at once. */
export function committedEntryOf(status: Status, clock: Clock, rules: Rules): Entry {
  const entry = entryOf(status, clock, rules)
  return isOutdated(status, clock, rules) ? { ...entry, changesAt: clock.now } : entry
}

/** The entries after the rules have changed: the same, but for when they change by themselves. */
export function entriesUnder(rules: Rules, entries: readonly Entry[], clock: Clock): Entry[] {
  return entries.map((entry) => {
    const changesAt = nextChangeOf(entry.status, clock, rules)
    return changesAt === entry.changesAt ? entry : { ...entry, changesAt }
  })
}

/** The time of the next change in a document that no stamp has. */
export function changeOfRules(rules: Rules, updatedAt: string, entries: readonly Entry[]): number {
  const isComplete = [...rules.expected.values()].every((target) => position(entries, target)[1])
  return isComplete ? rules.firstEndAfter(timeOf(updatedAt)) : -Infinity
}

/** Makes the document of a `status.json` that a server has written, exactly as it was written. */
export function committedDocument(saved: SavedDocument, clock: Clock): StatusDocument {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a server has stamped every status
  const statuses = saved.statuses.toSorted(compareTargets) as Status[]
  const head = headOf(saved)
  const rules = rulesOf(head)
  const entries = statuses.map((status) => committedEntryOf(status, clock, rules))
  const updatedAt = saved.updated_at ?? EMPTY_DOCUMENT.updatedAt
  return {
    generation: saved.generation ?? 0,
    updatedAt,
    summary: summaryIn(saved),
    head,
    entries,
    changesAt: changeOfRules(rules, updatedAt, entries),
  }
}

/** The summary that a server has written at the top of a document. */
function summaryIn(saved: SavedDocument): Summary | undefined {
  return isSummary(saved['summary']) ? saved['summary'] : undefined
}

/** The text of an entry in the file, indented to its depth there. */
export function textOf(status: object): string {
  // In two arrays, it is indented by four spaces.
  return JSON.stringify([[status]], null, 2).slice('[\n  [\n'.length, -'\n  ]\n]'.length)
}

/** The head of a document as it was parsed. */
export function headOf(document: Readonly<Record<string, unknown>>): Head {
  const { $schema, ...others } = Object.fromEntries(
    Object.entries(document).filter(([name]) => !SERVER_PROPERTIES.has(name)),
  )
  return { $schema: typeof $schema === 'string' ? $schema : EMPTY_DOCUMENT.head.$schema, ...others }
}

/** The status of a target that was never checked. */
export function neverChecked({ repo, server }: Target): SavedStatus {
  return { repo, server, sync_status: null, drift_count: 0, files: [], last_check: null }
}

/** The new entry of a target; `undefined` removes it. */
export interface Replacement {
  readonly target: Target
  readonly entry: Entry | undefined
}

/** The entries with some of them replaced. At most one replacement for a target. */
export function replaceEntries(entries: readonly Entry[], replacements: Iterable<Replacement>): Entry[] {
  const result: Entry[] = []
  let next = 0
  const keepUpTo = (to: number): void => {
    for (; next < to; next += 1) {
      const entry = entries[next]
      if (entry !== undefined) result.push(entry)
    }
  }
  for (const { target, entry } of [...replacements].toSorted((a, b) => compareTargets(a.target, b.target))) {
    const [at, found] = position(entries, target)
    keepUpTo(at)
    if (entry !== undefined) result.push(entry)
    if (found) next = at + 1
  }
  keepUpTo(entries.length)
  return result
}

/** A run of entries that two documents share: its index in each, and its length. */
interface Run {
  readonly from: number
  readonly to: number
  readonly length: number
}

/** The entries that two documents share, with the same objects as statuses, in order. Costs little more than one look at each entry. */
export function* sharedRuns(before: readonly Entry[], after: readonly Entry[]): Generator<Run> {
  let from = 0
  let to = 0
  for (;;) {
    const [old, next] = [before[from], after[to]]
    if (old === undefined || next === undefined) return
    if (old.status === next.status) {
      let length = 1
      while (from + length < before.length && before[from + length]?.status === after[to + length]?.status) length += 1
      yield { from, to, length }
      from += length
      to += length
    } else {
      const order = compareTargets(old.status, next.status)
      if (order <= 0) from += 1
      if (order >= 0) to += 1
    }
  }
}

/** The entries that differ between two documents: what each changed target has become, sorted. */
export function* changedEntries(before: readonly Entry[], after: readonly Entry[]): Generator<Replacement> {
  let [from, to] = [0, 0]
  for (;;) {
    while (from < before.length && before[from] === after[to]) {
      from += 1
      to += 1
    }
    const [old, next] = [before[from]?.status, after[to]?.status]
    if (old === undefined && next === undefined) return
    const order = orderOf(old, next)
    if (old !== undefined && order < 0) yield { target: old, entry: undefined }
    if (next !== undefined && old !== next && order >= 0) yield { target: next, entry: after[to] }
    if (order <= 0) from += 1
    if (order >= 0) to += 1
  }
}

/** Which of two statuses is first in a document; one that is missing is behind all others. */
function orderOf(old: Status | undefined, next: Status | undefined): number {
  if (old === next) return 0
  if (old === undefined) return 1
  return next === undefined ? -1 : compareTargets(old, next)
}
