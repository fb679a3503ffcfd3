import { computed, signal } from '@preact/signals'
import { latest } from '../views/latest.ts'
import { verdict } from '../views/verdict.ts'
import {
  type State,
  type StatusDocument,
  type Target,
  byAttention,
  byName,
  byNewest,
  byRepo,
  countStates,
  nameOf,
  select,
  targetAt,
} from './targets.ts'
import { fileSums, repositorySums } from './sums.ts'
import { type Order, type View, readView, writeView } from './view.ts'

/** Whether the page shows the server's present data. Times are those of the server's clock. */
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

const IN_ORDER: Readonly<Record<Order, (targets: readonly Target[]) => Target[]>> = {
  worst: byAttention,
  newest: byNewest,
  name: byName,
}

/** The last document that the server sent; kept when the connection is lost. */
export const statusDocument = signal<StatusDocument | undefined>(undefined)
export const connection = signal<Connection>({ kind: 'connecting' })
/** undefined if there is no `/readyz`: the page stands beside a static copy of the file. */
export const troubles = signal<readonly Trouble[] | undefined>(undefined)
/** The time of the server's clock, in ms; the browser's may be wrong. */
export const now = signal(Date.now())
export const view = signal<View>(readView(location.search))
/** Keys of the targets whose details are open. */
export const opened = signal<ReadonlySet<string>>(new Set())

/** The newest end of an acceptance that has passed. */
const lastEnd = computed(() =>
  latest(
    (statusDocument.value?.targets ?? []).flatMap(({ acceptance }) =>
      acceptance !== undefined && acceptance.until <= now.value ? acceptance.until : [],
    ),
  ),
)

/**
 * The targets of the document; undefined before there is one. An acceptance ends here also if no server says so: in a
 * static copy, or when the connection is lost.
 */
export const targets = computed(() => {
  const all = statusDocument.value?.targets
  const end = lastEnd.value
  return end === undefined ? all : all?.map((target) => targetAt(target, end))
})

const ordered = computed(() => IN_ORDER[view.value.order](targets.value ?? []))
const selected = computed(() => select(ordered.value, view.value.query, view.value.states))

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
export const newestCheck = computed(() => latest((targets.value ?? []).map((each) => each.lastCheck)))

/** The default of STALE_AFTER, in ms. */
const STALE_AFTER_MS = 600_000

/**
 * The time of the newest check, completed or not, of a static copy in which it is too long ago; else undefined.
 * No server updates the states in a copy, so they cannot be trusted then.
 */
export const outdatedCopy = computed(() => {
  if (connection.value.kind !== 'live' || troubles.value !== undefined) return undefined
  const { drift, failing, accepted, 'in-sync': inSync } = counts.value
  const at = latest((targets.value ?? []).flatMap(({ lastCheck, failed }) => [lastCheck, failed?.at]))
  const isOld = at !== undefined && now.value - at >= STALE_AFTER_MS
  return isOld && drift + failing + accepted + inSync > 0 ? at : undefined
})

/** A line of the list. */
export type Item =
  | { readonly kind: 'repo'; readonly key: string; readonly repo: string; readonly counts: Record<State, number> }
  | { readonly kind: 'target'; readonly key: string; readonly target: Target; readonly position: number }

/** The lines of the list, in order. */
export const items = computed<readonly Item[]>(() => {
  let position = 0
  const lines = (some: readonly Target[]): Item[] =>
    some.map((target) => ({ kind: 'target', key: target.key, target, position: (position += 1) }))
  if (!view.value.grouped) return lines(selected.value)
  return [...byRepo(selected.value)].flatMap(([repo, some]) => [
    { kind: 'repo', key: repo, repo, counts: countStates(some) },
    ...lines(some),
  ])
})

/** What differs, a line for each name. The filter finds names, and all that differs on a target that it finds otherwise. */
export const fileLines = computed(() => {
  const words = view.value.query.toLowerCase().split(/\s+/).filter(Boolean)
  const all = fileSums(selected.value)
  const named = all.filter(({ name }) => words.every((word) => name.toLowerCase().includes(word)))
  return named.length > 0 ? named : all
})

export const repositoryLines = computed(() => repositorySums(selected.value))

/** Number of lines in the list. */
export const listed = computed(
  () =>
    ({ servers: selected.value, files: fileLines.value, repositories: repositoryLines.value })[view.value.list].length,
)

/** Changes the view and the URL, which contains it. */
export function setView(change: Partial<View>): void {
  view.value = { ...view.value, ...change }
  history.replaceState(null, '', `${location.pathname}${writeView(view.value)}`)
}

/** Adds a state to the filter, or removes it. */
export function toggleState(state: State): void {
  setView({ states: view.value.states.symmetricDifference(new Set([state])) })
}

export function toggleOpened(key: string): void {
  opened.value = opened.value.symmetricDifference(new Set([key]))
}
