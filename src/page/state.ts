import { computed, signal } from '@preact/signals'
import { type State, type StatusDocument, type Target, byAttention, byRepo, countStates, select } from './targets.ts'
import { type View, readView, writeView } from './view.ts'

/** Whether what is shown is what the server says. Times are the server's. */
export type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  /** `since`: when the page last knew; undefined, where it never did. */
  | { readonly kind: 'lost'; readonly since: number | undefined; readonly reason: string }

/** Something that is wrong with the server, as `/readyz` tells it. */
export interface Trouble {
  readonly kind: string
  readonly detail: string
  /** The file with the rejected text. */
  readonly file: string | undefined
  readonly faults: readonly { readonly place: string; readonly detail: string }[]
}

/** What the server last said; it stays when the connection is lost. */
export const picture = signal<StatusDocument | undefined>(undefined)
export const connection = signal<Connection>({ kind: 'connecting' })
/** undefined: nobody answers for the file, as where a web server serves a copy. */
export const troubles = signal<readonly Trouble[] | undefined>(undefined)
/** The server's time: the clock of who looks may be wrong. */
export const now = signal(Date.now())
export const view = signal<View>(readView(location.search))
/** The keys of the targets that are opened. */
export const opened = signal<ReadonlySet<string>>(new Set())

const ordered = computed(() => byAttention(picture.value?.targets ?? []))
const selected = computed(() => select(ordered.value, view.value.query, view.value.states))

export const counts = computed(() => countStates(picture.value?.targets ?? []))

export const newestCheck = computed(() =>
  (picture.value?.targets ?? []).reduce<number | undefined>(
    (newest, { lastCheck = 0 }) => (lastCheck > (newest ?? 0) ? lastCheck : newest),
    undefined,
  ),
)

/** A line of the list. */
export type Item =
  | { readonly kind: 'repo'; readonly key: string; readonly repo: string; readonly counts: Record<State, number> }
  | { readonly kind: 'target'; readonly key: string; readonly target: Target; readonly position: number }

/** The lines of the list, in order. */
export const items = computed<readonly Item[]>(() => {
  let position = 0
  const lines = (targets: readonly Target[]): Item[] =>
    targets.map((target) => ({ kind: 'target', key: target.key, target, position: (position += 1) }))
  if (!view.value.grouped) return lines(selected.value)
  return [...byRepo(selected.value)].flatMap(([repo, targets]) => [
    { kind: 'repo', key: repo, repo, counts: countStates(targets) },
    ...lines(targets),
  ])
})

/** How many targets are listed. */
export const listed = computed(() => selected.value.length)

/** Changes the view, and the address with it. */
export function look(change: Partial<View>): void {
  view.value = { ...view.value, ...change }
  history.replaceState(null, '', `${location.pathname}${writeView(view.value)}`)
}

/** Lists the targets of one state more, or of one less. */
export function toggleState(state: State): void {
  look({ states: view.value.states.symmetricDifference(new Set([state])) })
}

export function toggleOpened(key: string): void {
  opened.value = opened.value.symmetricDifference(new Set([key]))
}
