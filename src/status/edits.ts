import { isDeepStrictEqual } from 'node:util'
import type { Steps } from '../steps.ts'
import { type Head, type StatusDocument, findEntry, headOf, textOf } from './document.ts'
import { type Target, keyOf } from './target.ts'
import type { Cause, Draft, Restoration, StatusChange } from './draft.ts'
import { hasFailedSince, isNewerCheck, isReportedSince, withFailure } from './merge.ts'
import { type SavedDocument, type SavedStatus, type Status, VERDICT_PROPERTIES } from './schema.ts'
import { EDITABLE_STAMPS, STAMP_NAMES } from './stamps.ts'
import { type Properties, mergeProperties, valueOf } from './three-way.ts'

/** A saved document, and the one that it was made from. */
export interface Edit {
  readonly saved: SavedDocument
  /** The document of the generation that the saved text names, or the last committed one. */
  readonly origin: StatusDocument
  /** True if the text is the older document itself, to the byte: the person wants to go back to it. */
  readonly isRestore: boolean
}

const EDIT: Cause = { origin: 'edit' }
const RESTORE: Cause = { origin: 'restore' }

/** Lists at the top that several people and programs add to. */
const HEAD_LISTS: ReadonlySet<string> = new Set(['accepted', 'expected', 'servers'])

/** The outcome of a check, with the stamps that a person may set. It is taken from one side as a whole. */
const VERDICT: ReadonlySet<string> = new Set([...VERDICT_PROPERTIES, ...EDITABLE_STAMPS])

/**
 * Merges an edit into the draft, as Git merges: what the person changed is the difference between the saved document and
 * its origin, and that difference is applied to the draft. What the person did not touch stays as it is in the draft,
 * however old the copy is. If both sides changed something:
 *
 * - the verdict of a newer check stays,
 * - any other property is as the person saved it,
 * - a removed target stays removed, unless a newer check found it.
 *
 * Yields after each target that differs.
 */
export function* mergeEdit(draft: Draft, { saved, origin, isRestore }: Edit): Steps<void> {
  if (isRestore) draft.noteRestoration(yield* restore(draft, saved))
  else yield* mergeDifference(draft, saved, origin)
}

function* mergeDifference(draft: Draft, saved: SavedDocument, origin: StatusDocument): Steps<void> {
  draft.putHead(mergeHead(draft.head, headOf(saved), origin.head), EDIT)
  // What the person has left alone is mostly the very object in the origin: `readEdit` sees to that.
  const others = new Set<SavedStatus>(origin.entries.map(({ status }) => status))
  const copies = new Map<string, SavedStatus>()
  for (const status of saved.statuses) if (!others.delete(status)) copies.set(keyOf(status), status)
  for (const before of others) {
    const now = draft.get(before)?.status
    if (!copies.has(keyOf(before)) && now !== undefined && !isReportedSince(now, before, draft.clock.now)) {
      draft.remove(before, EDIT)
    }
    yield
  }
  for (const copy of copies.values()) {
    const entry = findEntry(origin, copy)
    if (entry === undefined || textOf(copy) !== textOf(entry.status)) mergeStatus(draft, copy, entry?.status)
    yield
  }
}

function mergeStatus(draft: Draft, copy: SavedStatus, before: Status | undefined): void {
  const now = draft.get(copy)?.status
  if (now === undefined) {
    // A target that was removed meanwhile stays removed; one that the person added is new.
    if (before === undefined) draft.put(copy, EDIT)
    return
  }
  const isTouched = [...VERDICT].some((name) => !isDeepStrictEqual(valueOf(copy, name), valueOf(before, name)))
  const isCheckedSince = isNewerCheck(now, before ?? copy, draft.clock.now)
  const others = mergeProperties(now, copy, before ?? {})
  const verdict = isTouched && !isCheckedSince ? withOwnStamps(copy, before) : now
  const isOwn = !isDeepStrictEqual(copy.failed_check, before?.failed_check) && !hasFailedSince(now, before ?? copy)
  const failed = isOwn ? copy.failed_check : now.failed_check
  draft.put(withFailure(withVerdictOf(verdict, others), failed), EDIT)
}

/** A saved status with only those stamps that the person has set: the others are those of an older document. */
function withOwnStamps(copy: SavedStatus, before: Status | undefined): SavedStatus {
  const own = { ...copy }
  for (const name of EDITABLE_STAMPS) if (valueOf(copy, name) === valueOf(before, name)) delete own[name]
  return own
}

/**
 * Goes back to an older document: everything is as in it, and targets that were removed since are back. The verdicts of
 * newer checks stay, and so do targets that the older document does not have: their verdicts were acknowledged. Yields
 * after each target.
 *
 * @returns what that changes in the draft
 */
export function* restore(draft: Draft, older: SavedDocument): Steps<Restoration> {
  const head = headOf(older)
  const headChanges = differences(draft.head, head)
  draft.putHead(head, RESTORE)
  const returned: Status[] = []
  const changed: StatusChange[] = []
  const newer: Target[] = []
  let present = 0
  const { size } = draft
  for (const status of older.statuses) {
    yield
    const before = draft.get(status)?.status
    if (before === undefined) {
      returned.push(draft.put(status, RESTORE))
      continue
    }
    present += 1
    const isCheckedSince = isNewerCheck(before, status, draft.clock.now)
    if (isCheckedSince) newer.push(status)
    const failed = hasFailedSince(before, status) ? before.failed_check : status.failed_check
    const verdict = withVerdictOf(isCheckedSince ? before : status, status)
    const after = draft.put(withFailure(verdict, failed), RESTORE)
    if (after !== before) changed.push({ before, after })
  }
  const { generation, updated_at: updatedAt } = older
  return { from: { generation, updatedAt }, returned, changed, newer, others: size - present, head: headChanges }
}

/** The names of the properties that differ between two objects. */
export function differences(before: Properties, after: Properties): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return names.filter((name) => !isDeepStrictEqual(valueOf(before, name), valueOf(after, name)))
}

/** The verdict of one status and every other property of another. */
function withVerdictOf(verdict: SavedStatus, others: Properties): SavedStatus {
  const { repo, server, sync_status, drift_count, files, last_check } = verdict
  const names = [...new Set([...Object.keys(others), ...Object.keys(verdict)])].filter(
    (name) => !STAMP_NAMES.has(name) || VERDICT.has(name),
  )
  const properties = names.flatMap((name) => {
    const side = VERDICT.has(name) ? verdict : others
    return Object.hasOwn(side, name) ? [[name, side[name]] as const] : []
  })
  return { repo, server, sync_status, drift_count, files, last_check, ...Object.fromEntries(properties) }
}

function mergeHead(now: Head, copy: Head, before: Head): Head {
  return { $schema: now.$schema, ...mergeProperties(now, copy, before, HEAD_LISTS) }
}
