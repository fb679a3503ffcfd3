import { computed, effect, signal, untracked } from '@preact/signals'
import { setView, view } from './address/navigation.ts'
import { parseQuery, select } from './address/query.ts'
import { targets, targetsByKey } from './data/state.ts'
import { byRepo, fileSums, repositorySums } from './data/sums.ts'
import {
  type DriftedFile,
  type State,
  type Target,
  byAttention,
  byName,
  byNewest,
  countStates,
} from './data/targets.ts'
import type { Order } from './address/view.ts'

const IN_ORDER: Readonly<Record<Order, (targets: readonly Target[]) => Target[]>> = {
  worst: byAttention,
  newest: byNewest,
  name: byName,
}

/** Keys of the targets that are open in the list. */
export const opened = signal<ReadonlySet<string>>(new Set())
/** True if text of the list is selected. */
export const isSelecting = signal(false)

export const query = computed(() => parseQuery(view.value.query))
const ordered = computed(() => IN_ORDER[view.value.order](targets.value ?? []))
/** The targets that the filter finds, in order. */
export const selected = computed(() => select(ordered.value, query.value, view.value.states))

/** The selection at the start of reading; undefined if the list is not being read. Listed targets then keep their places. */
const held = signal<readonly Target[] | undefined>(undefined)

export const isHeld = computed(() => held.value !== undefined)

/** True if a list of targets is being read: one of them is open, or text is selected. */
function isRead(some: readonly Target[]): boolean {
  const { list, target, kiosk } = view.peek()
  if (list !== 'servers' || target !== undefined || kiosk) return false
  return isSelecting.value || (opened.value.size > 0 && some.some(({ key }) => opened.value.has(key)))
}

effect(() => {
  const before = held.peek() ?? selected.peek()
  held.value = isRead(before) ? before : undefined
})

/** Shows what waits. */
export function takeNews(): void {
  held.value = isRead(selected.peek()) ? selected.peek() : undefined
}

/** The choices of the reader; a change of them ends the reading. */
const asked = computed(() => {
  const { target, list, order, query: text, states, grouped, kiosk } = view.value
  return JSON.stringify([target, list, order, text, [...states], grouped, kiosk])
})

effect(() => {
  void asked.value
  untracked(takeNews)
})

const NOTHING: ReadonlyMap<string, undefined> = new Map()

/** The targets of which there is news that waits: what each is now, undefined if it is no longer there. */
export const waiting = computed<ReadonlyMap<string, Target | undefined>>(() => {
  if (held.value === undefined) return NOTHING
  const before = new Set(held.value.map(({ key }) => key))
  const changed = held.value.filter((target) => {
    const now = targetsByKey.value.get(target.key)
    return now === undefined || isNews(target, now)
  })
  const added = selected.value.filter(({ key }) => !before.has(key))
  return new Map([...changed, ...added].map(({ key }) => [key, targetsByKey.value.get(key)]))
})

/** The targets to list; while the list is being read, the previous ones, each updated if that is not news. */
export const listedTargets = computed<readonly Target[]>(() => {
  if (held.value === undefined) return selected.value
  return held.value.map((target) =>
    waiting.value.has(target.key) ? target : (targetsByKey.value.get(target.key) ?? target),
  )
})

/** True if more has changed than the time of the last check. */
function isNews(before: Target, now: Target): boolean {
  if (before === now) return false
  return (
    before.state !== now.state ||
    before.since !== now.since ||
    before.verdict !== now.verdict ||
    before.note !== now.note ||
    before.failed?.reason !== now.failed?.reason ||
    before.acceptance?.reason !== now.acceptance?.reason ||
    before.acceptance?.until !== now.acceptance?.until ||
    before.files.length !== now.files.length ||
    before.files.some((file, index) => !isSameFile(file, now.files[index]))
  )
}

function isSameFile(one: DriftedFile, other: DriftedFile | undefined): boolean {
  return one.name === other?.name && one.kind === other.kind && one.diff === other.diff
}

/** A line of the list of servers. */
export type Item =
  | { readonly kind: 'repo'; readonly key: string; readonly repo: string; readonly counts: Record<State, number> }
  | { readonly kind: 'target'; readonly key: string; readonly target: Target; readonly position: number }

/** The lines of the list of servers, in order. */
export const items = computed<readonly Item[]>(() => {
  let position = 0
  const lines = (some: readonly Target[]): Item[] =>
    some.map((target) => ({ kind: 'target', key: target.key, target, position: (position += 1) }))
  if (!view.value.grouped) return lines(listedTargets.value)
  return [...byRepo(listedTargets.value)].flatMap(([repo, some]) => [
    { kind: 'repo', key: repo, repo, counts: countStates(some) },
    ...lines(some),
  ])
})

/** A line for each name that differs. The filter finds names, and all that differs on a target that it finds otherwise. */
export const fileLines = computed(() => {
  const { words, file: exact } = query.value
  return fileSums(listedTargets.value, (file, { repo, server, labels, failed, acceptance }) => {
    const others = [repo, server, ...labels, failed?.reason ?? '', acceptance?.reason ?? '']
    const text = [file.name, ...others].join('\n').toLowerCase()
    return (exact === undefined || file.name === exact) && words.every((word) => text.includes(word))
  })
})

export const repositoryLines = computed(() => repositorySums(listedTargets.value))

/** Number of lines in the list. Only the list that is shown is computed. */
export const listed = computed(() => {
  const { list } = view.value
  return list === 'activity'
    ? 0
    : { servers: listedTargets, files: fileLines, repositories: repositoryLines }[list].value.length
})

/** Adds a state to the filter, or removes it. */
export function toggleState(state: State): void {
  setView({ states: view.value.states.symmetricDifference(new Set([state])) })
}

export function toggleOpened(key: string): void {
  opened.value = opened.value.symmetricDifference(new Set([key]))
}
