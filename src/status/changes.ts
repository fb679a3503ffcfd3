import {
  type Entry,
  type Head,
  type Replacement,
  type StatusDocument,
  changedEntries,
  entriesUnder,
  replaceEntries,
} from './document.ts'
import { type Target, keyOf } from './target.ts'
import { type Rules, rulesOf } from './rules.ts'
import type { Status, Summary } from './schema.ts'
import { type Clock, timeOf } from './time.ts'

/** The changes of one commit: the difference between two documents. */
export interface Changes {
  readonly generation: number
  /** UTC, whole seconds. */
  readonly updatedAt: string
  /** `undefined` in a commit of a version that made none. */
  readonly summary: Summary | undefined
  /** The new head, if it changed. */
  readonly head?: Head
  readonly changed: readonly Status[]
  readonly removed: readonly Target[]
}

/** The changes that make one document of another. */
export function changesBetween(before: StatusDocument, after: StatusDocument): Changes {
  const replacements = [...changedEntries(before.entries, after.entries)]
  return {
    generation: after.generation,
    updatedAt: after.updatedAt,
    summary: after.summary,
    ...(after.head === before.head ? {} : { head: after.head }),
    changed: replacements.flatMap(({ entry }) => entry?.status ?? []),
    removed: replacements.flatMap(({ target: { repo, server }, entry }) =>
      entry === undefined ? { repo, server } : [],
    ),
  }
}

/** Makes the entry of a status: `entryOf` or `committedEntryOf`. */
export type MakeEntry = (status: Status, clock: Clock, rules: Rules) => Entry

/** The document after some commits, in order. Costs as much as the changes, plus one pass over the entries. */
export function applyChanges(
  document: StatusDocument,
  commits: readonly Changes[],
  clock: Clock,
  makeEntry: MakeEntry,
): StatusDocument {
  const last = commits.at(-1)
  if (last === undefined) return document
  const head = commits.findLast((commit) => commit.head !== undefined)?.head ?? document.head
  const rules = rulesOf(head)
  const replacements = new Map<string, Replacement>()
  for (const { changed, removed } of commits) {
    for (const target of removed) replacements.set(keyOf(target), { target, entry: undefined })
    for (const status of changed) {
      replacements.set(keyOf(status), { target: status, entry: makeEntry(status, clock, rules) })
    }
  }
  const unchanged = rules === rulesOf(document.head) ? document.entries : entriesUnder(rules, document.entries, clock)
  const entries = replaceEntries(unchanged, replacements.values())
  const { generation, updatedAt, summary } = last
  return { generation, updatedAt, summary, head, entries, changesAt: rules.firstEndAfter(timeOf(updatedAt)) }
}
