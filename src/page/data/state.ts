import { computed, signal } from '@preact/signals'
import { latest } from '../../views/latest.ts'
import { verdict } from '../../views/verdict.ts'
import { type StatusDocument, type Target, countStates, keyOf, nameOf, targetAt } from './targets.ts'

/** The state of the connection. Times are those of the server's clock. */
export type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  /** `since`: when the server last answered; undefined if it never did. */
  | { readonly kind: 'lost'; readonly since: number | undefined; readonly reason: string }

/** An entry of `problems` in `/readyz`. */
export interface Trouble {
  readonly kind: string
  readonly detail: string
  /** The file in the data directory that holds a rejected text. */
  readonly file: string | undefined
  readonly faults: readonly { readonly place: string; readonly detail: string }[]
}

/** The last document that the server sent; kept when the connection is lost. */
export const statusDocument = signal<StatusDocument | undefined>(undefined)
export const connection = signal<Connection>({ kind: 'connecting' })
/** undefined if there is no `/readyz`: the page is served beside a static copy of the file. */
export const troubles = signal<readonly Trouble[] | undefined>(undefined)
/** True if there is a server that has a history. */
export const hasServer = computed(() => troubles.value !== undefined)
/** The time of the server's clock, in ms; the browser's may be wrong. */
export const now = signal(Date.now())
/**
 * The same, as often as ages are drawn again: they are given to the minute, and there may be 1,000 rows of them. Nothing
 * looks fresher by it than it is.
 */
export const minute = computed(() => {
  // While the connection is lost nothing is known of the time since.
  const known = connection.value.kind === 'lost' ? (connection.value.since ?? now.value) : now.value
  return Math.ceil(known / 15_000) * 15_000
})

/** Changes every ten minutes: percentages, and what is within a range, change with time alone. */
export const tenMinutes = computed(() => Math.floor(now.value / 600_000))

/** The ends of all acceptances. */
const ends = computed(() => (statusDocument.value?.targets ?? []).flatMap(({ acceptance }) => acceptance?.until ?? []))

/** The newest of them that has passed. */
const lastEnd = computed(() => latest(ends.value.filter((end) => end <= now.value)))

/**
 * The targets of the document; undefined before there is one. An acceptance ends here also if no server says so: in a
 * static copy, or when the connection is lost.
 */
export const targets = computed(() => {
  const all = statusDocument.value?.targets
  const end = lastEnd.value
  return end === undefined ? all : all?.map((target) => targetAt(target, end))
})

/** The targets by key. */
export const targetsByKey = computed(() => new Map((targets.value ?? []).map((target) => [target.key, target])))

/** A target; undefined if it is not there now. */
export function targetNamed(repo: string, server: string): Target | undefined {
  return targetsByKey.value.get(keyOf(repo, server))
}

/** The sentences of the verdict, at a time of the server's clock. */
const verdictAt = computed(() =>
  verdict(
    (targets.value ?? []).map(({ repo, state, since, lastCheck }) => ({
      repo,
      state: nameOf(state),
      since,
      lastCheck,
    })),
  ),
)
export const sentences = computed(() => verdictAt.value(now.value))

export const counts = computed(() => countStates(targets.value ?? []))

/** The time of the newest completed check. */
export const newestCheck = computed(() => latestPast((targets.value ?? []).map((each) => each.lastCheck)))

/** The latest of some times that are not in an impossible future. */
function latestPast(times: readonly (number | undefined)[]): number | undefined {
  return latest(times.filter((time) => time !== undefined && time <= now.value + AHEAD_MAX_MS))
}

/** Clocks of servers that check may be ahead, in ms. */
const AHEAD_MAX_MS = 5 * 60_000

/** The default of STALE_AFTER, in ms. */
const STALE_AFTER_MS = 600_000

/**
 * The time of the newest check, completed or not, of a static copy in which it is too long ago; else undefined.
 * No server updates the states in a copy, so they cannot be trusted then.
 */
export const outdatedCopy = computed(() => {
  if (connection.value.kind !== 'live' || troubles.value !== undefined) return undefined
  const { drift, failing, accepted, 'in-sync': inSync } = counts.value
  const at = latestPast((targets.value ?? []).flatMap(({ lastCheck, failed }) => [lastCheck, failed?.at]))
  const isOld = at !== undefined && now.value - at >= STALE_AFTER_MS
  return isOld && drift + failing + accepted + inSync > 0 ? at : undefined
})
