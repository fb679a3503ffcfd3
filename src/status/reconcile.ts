import { isDeepStrictEqual } from 'node:util'
import {
  CHECK_PROPERTIES,
  type Change,
  type Edits,
  type Entry,
  type Head,
  type Provenance,
  type StatusDocument,
  EMPTY_DOCUMENT,
  findEntry,
  keyOf,
  textOf,
} from './document.ts'
import { Draft, type Terms, type Unstamped } from './draft.ts'
import type { SavedDocument, SavedStatus, Status } from './schema.ts'
import { formatTime } from './time.ts'

/**
 * Brings a file that somebody else saved together with the document as it stands.
 *
 * The copy's `generation` tells when it was opened; a copy without one counts as opened just now. What has not changed
 * since then is as saved: values, additions, removals. What has changed since then stays: a newer snapshot's outcome, a
 * target that was posted or removed, a property that somebody saved from another copy. Saving the same copy twice is no
 * conflict with oneself. A copy of a later generation is another server's commit (or a first start) and stands as it is.
 */
export function reconcile(current: StatusDocument, saved: SavedDocument, terms: Terms): Draft {
  const openedAt = saved.generation ?? current.generation
  const draft = new Draft(current, terms, Math.max(current.generation, openedAt) + 1)
  putHead(draft, current, headOf(saved), openedAt)

  const copies = new Map(saved.statuses.map((status) => [keyOf(status), status]))
  for (const entry of current.entries) {
    if (!copies.has(keyOf(entry.status)) && keptNames(entry, openedAt).size === 0)
      draft.remove(entry.status, { from: openedAt })
  }
  for (const [key, copy] of copies) {
    const entry = findEntry(current, copy)
    if (entry !== undefined && (copy === entry.status || textOf(copy) === entry.text)) continue
    const removal = current.removals.get(key)
    if (entry !== undefined || removal === undefined || !changedSince(removal, openedAt)) {
      putCopy(draft, entry, copy, openedAt > current.generation, openedAt)
    }
  }
  return draft
}

function putCopy(draft: Draft, entry: Entry | undefined, copy: SavedStatus, adopted: boolean, openedAt: number): void {
  const status = together(draft, entry, copy, openedAt)
  if (adopted && copy.generation !== undefined && copy.generation <= openedAt) {
    if (copy.since !== undefined) status.since = copy.since
    // With the other's `stale`: servers with other clocks or settings would flip it back and forth between them.
    const stamps = { generation: copy.generation, ...(copy.stale === undefined ? {} : { stale: copy.stale }) }
    draft.put(status, { postedAt: copy.generation }, stamps)
  } else {
    draft.put(status, editedProvenance(draft, entry, status, openedAt))
  }
}

function putHead(draft: Draft, current: StatusDocument, copy: Head, openedAt: number): void {
  const { head, headEdited } = current
  const kept = editedSince(headEdited, openedAt)
  const next = { ...copy, ...standing(head, kept) }
  for (const name of kept) if (!Object.hasOwn(head, name)) delete (next as Record<string, unknown>)[name]
  draft.putHead(next, edit(draft, head, next, headEdited, openedAt))
}

/** The status that an entry and a saved copy of it make together. */
function together(draft: Draft, entry: Entry | undefined, copy: SavedStatus, openedAt: number): Unstamped {
  const kept = entry === undefined ? new Set<string>() : keptNames(entry, openedAt)
  const status: SavedStatus = { ...copy, ...standing(entry?.status ?? {}, kept) }
  for (const name of kept) if (entry !== undefined && !Object.hasOwn(entry.status, name)) delete status[name]

  const fileSince = new Map(entry?.status.files.map((file) => [file.name, file.since]))
  return {
    ...status,
    since: sinceOf(draft, entry?.status, status),
    files: status.files.map((file) => ({
      ...file,
      since: file.since ?? fileSince.get(file.name) ?? status.last_check,
    })),
  }
}

/** A person who flips `sync_status` by hand seldom thinks of `since`; then it began with the edit. */
function sinceOf(draft: Draft, before: Status | undefined, status: SavedStatus): string {
  if (before === undefined) return status.since ?? status.last_check
  if (status.sync_status === before.sync_status) return status.since ?? before.since
  return status.since === undefined || status.since === before.since ? formatTime(draft.terms.now) : status.since
}

/** The properties of an entry that have changed since a copy was opened, other than by saving that very copy. */
function keptNames({ provenance }: Entry, openedAt: number): ReadonlySet<string> {
  const { postedAt, carried, edited } = provenance
  const names = new Set(editedSince(edited, openedAt))
  const outcome = [...names].some((name) => CHECK_PROPERTIES.has(name))
  if (outcome || postedAt > openedAt) for (const name of CHECK_PROPERTIES) names.add(name)
  if (postedAt > openedAt) for (const name of carried ?? []) names.add(name)
  return names
}

/** What others have changed by hand since a copy was opened. */
function editedSince(edits: Edits | undefined, openedAt: number): ReadonlySet<string> {
  const since = [...(edits ?? [])].filter(([, change]) => changedSince(change, openedAt))
  return new Set(since.map(([name]) => name))
}

function changedSince(change: Change, openedAt: number): boolean {
  return change.at > openedAt && change.from !== openedAt
}

function editedProvenance(draft: Draft, entry: Entry | undefined, status: Unstamped, openedAt: number): Provenance {
  const edited = edit(draft, entry?.status ?? {}, status, entry?.provenance.edited, openedAt)
  return { postedAt: 0, ...entry?.provenance, edited }
}

/** The edits so far, with the one that has made `after` of `before`. */
function edit(
  draft: Draft,
  before: Properties,
  after: Properties,
  earlier: Edits | undefined,
  openedAt: number,
): Edits {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => name !== 'stale' && name !== 'generation' && !isDeepStrictEqual(before[name], after[name]),
  )
  const change = { at: draft.generation, from: openedAt }
  return new Map([...(earlier ?? []), ...names.map((name) => [name, change] as const)])
}

type Properties = Readonly<Record<string, unknown>>

function standing(properties: Properties, kept: ReadonlySet<string>): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => kept.has(name)))
}

function headOf(saved: SavedDocument): Head {
  const { $schema = EMPTY_DOCUMENT.head.$schema, generation: _g, updated_at: _u, statuses: _s, ...others } = saved
  return { $schema, ...others }
}
