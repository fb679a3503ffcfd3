import { type Actor, CHECK_PROPERTIES, type Entry, type Provenance } from './document.ts'
import type { Draft, Unstamped } from './draft.ts'
import type { Snapshot, Status } from './schema.ts'
import { AHEAD_MAX_MS, timeOf } from './snapshot.ts'

/** What became of one posted snapshot. */
export interface Receipt {
  readonly result: 'created' | 'updated' | 'ignored'
  /** Why it was ignored. */
  readonly reason?: string
  /** The target's entry as it now stands. */
  readonly status: Status
}

/**
 * Merges a snapshot into its target's entry. The fields that it carries replace the entry's, the others stay.
 * A snapshot with an older `last_check` than the entry's is not applied: CI runs overlap and arrive late.
 */
export function mergeSnapshot(draft: Draft, snapshot: Snapshot, by?: Actor): Receipt {
  const entry = draft.get(snapshot)
  if (entry === undefined) {
    return {
      result: 'created',
      status: draft.put(merged(undefined, snapshot), provenance(undefined, snapshot, draft, by)),
    }
  }
  const { status } = entry
  const lastCheck = timeOf(status.last_check)
  // An edit can have set a time that no check will reach for years; it must not shut out every check till then.
  if (lastCheck > timeOf(snapshot.last_check) && lastCheck <= draft.terms.now + AHEAD_MAX_MS) {
    return { result: 'ignored', reason: `last_check is older than the entry's, ${status.last_check}`, status }
  }
  return { result: 'updated', status: draft.put(merged(status, snapshot), provenance(entry, snapshot, draft, by)) }
}

function merged(status: Status | undefined, snapshot: Snapshot): Unstamped {
  const { last_check: lastCheck } = snapshot
  const since = new Map(status?.files.map((file) => [file.name, file.since]))
  return {
    ...status,
    ...snapshot,
    since: status?.sync_status === snapshot.sync_status ? status.since : lastCheck,
    files: snapshot.files.map((file) => ({ ...file, since: since.get(file.name) ?? lastCheck })),
  }
}

function provenance(entry: Entry | undefined, snapshot: Snapshot, draft: Draft, by: Actor | undefined): Provenance {
  const extra = Object.keys(snapshot).filter((name) => !CHECK_PROPERTIES.has(name))
  const known = entry?.provenance.carried
  const carried = extra.every((name) => known?.has(name)) ? known : new Set([...(known ?? []), ...extra])
  return {
    ...entry?.provenance,
    postedAt: draft.generation,
    postedBy: by,
    ...(carried === undefined ? {} : { carried }),
  }
}
