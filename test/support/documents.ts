import { type StatusDocument, findEntry } from '../../src/status/document.ts'
import { Draft } from '../../src/status/draft.ts'
import { mergeEdit } from '../../src/status/edits.ts'
import { type Receipt, mergePosted } from '../../src/status/merge.ts'
import type { SavedDocument, SavedStatus, Snapshot, Status } from '../../src/status/schema.ts'
import { readPosted } from '../../src/status/snapshot.ts'
import type { Clock } from '../../src/status/time.ts'
import { atOnce } from '../../src/steps.ts'
import { toBytes } from '../../src/store/render.ts'

export const NOW = Date.parse('2026-04-21T10:32:16Z')
export const CLOCK: Clock = { now: NOW, staleAfter: 600 }

interface Posted {
  readonly draft: Draft
  readonly receipts: readonly Receipt[]
  readonly document: StatusDocument
}

/** The document after some snapshots, posted together. */
export function posted(document: StatusDocument, ...snapshots: readonly object[]): Posted {
  const draft = new Draft(document, CLOCK)
  if (snapshots.length === 0) return { draft, receipts: [], document: draft.finish() }
  const outcome = readPosted(snapshots, NOW + 3_600_000)
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults))
  const receipts = outcome.value.map((snapshot) => mergePosted(draft, snapshot))
  return { draft, receipts, document: draft.finish() }
}

/** The document after an edit that was made from `origin`, or from the document itself. */
export function merged(
  document: StatusDocument,
  copy: SavedDocument,
  origin = document,
  isRestore = false,
): StatusDocument {
  const draft = new Draft(document, CLOCK)
  atOnce(mergeEdit(draft, { saved: copy, origin, isRestore }))
  return draft.changed ? draft.finish() : document
}

/** The document as an editor has it. */
export function saved(document: StatusDocument): SavedDocument {
  return JSON.parse(toBytes(document).toString()) as SavedDocument
}

/** An entry of a saved copy; index 0 is not the target of the example if there is another one. */
export function entryIn(copy: SavedDocument, index = 0): SavedStatus {
  const sorted = copy.statuses.toSorted(
    (a, b) => (a.server === 'rsyslog-lab' ? 1 : 0) - (b.server === 'rsyslog-lab' ? 1 : 0),
  )
  const status = sorted[index]
  if (status === undefined) throw new Error('no such entry')
  return status
}

/** The status of a target, by default the target of the example. */
export function statusOf(document: StatusDocument, target = { repo: 'rsyslog', server: 'rsyslog-lab' }): Status {
  const entry = findEntry(document, target)
  if (entry === undefined) throw new Error('no such target')
  return entry.status
}

/** The properties of a status that a snapshot has. */
export function carried(status: Status | undefined, snapshot: Snapshot): unknown {
  const names = new Set(Object.keys(snapshot))
  const part = Object.fromEntries(Object.entries(status ?? {}).filter(([name]) => names.has(name)))
  return { ...part, files: status?.files.map(({ since: _since, ...file }) => file) }
}

/** A time on the day of the example. */
export function at(time: string): string {
  return `2026-04-21T${time}Z`
}
