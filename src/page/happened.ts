import { computed, signal } from '@preact/signals'
import { latest } from '../views/latest.ts'
import { view } from './address/navigation.ts'
import type { Days } from './address/view.ts'
import { useAnswer } from './data/answer.ts'
import { type Change, type Stretch, changesOf, newestChanges, stretchesOf } from './data/history.ts'
import { counts, hasServer, now, targetNamed, targets, tenMinutes } from './data/state.ts'
import { keyOf } from './data/targets.ts'
import { query } from './listing.ts'

export const DAY_MS = 24 * 3600 * 1000
/** The number of changes that are requested, the newest. */
export const CHANGES_MAX = 2000
/** For so many targets, those that changed last, the server is asked for all states in the time. */
export const DRAWN_MAX = 40

interface Known {
  readonly days: Days
  readonly changes: readonly Change[]
}

/** The changes of a time, the newest first; `failed`: the server has not answered. */
export const known = signal<Known | 'failed' | undefined>(undefined)
/** The states in that time, by key of target. */
export const past = signal<
  { readonly days: Days; readonly stretches: ReadonlyMap<string, readonly Stretch[]> } | undefined
>(undefined)

/** The changes that the filter finds, by name, file, and the state that they led to. */
export const found = computed(() => {
  if (known.value === undefined || known.value === 'failed') return []
  const begin = now.value - known.value.days * DAY_MS
  return known.value.changes.filter((change) => change.time >= begin && isFound(change))
})

function isFound({ repo, server, files, state }: Change): boolean {
  const { words, ...names } = query.value
  const { states } = view.value
  const target = targetNamed(repo, server)
  const text = [repo, server, ...files].join('\n').toLowerCase()
  return (
    (states.size === 0 || (state !== undefined && states.has(state))) &&
    (names.repo === undefined || names.repo === repo) &&
    (names.file === undefined || files.includes(names.file)) &&
    words.every((word) => text.includes(word) || target?.haystack.includes(word) === true)
  )
}

/** The targets that changed, the one that changed last first. */
export const changed = computed(() => {
  const named = found.value.map(({ repo, server }) => ({ key: keyOf(repo, server), repo, server }))
  return [...new Map(named.map((target) => [target.key, target])).values()]
})

/** Another one: something has changed. Each document has newer checks. */
const mark = computed(() => {
  const times = (targets.value ?? []).flatMap(({ since, failed, files }) => [
    since,
    failed?.since,
    ...files.map((file) => file.since),
  ])
  return JSON.stringify([latest(times), counts.value, tenMinutes.value])
})

/** Asks for the changes, again when there are more. */
export function useChanges(days: Days): void {
  useAnswer(
    hasServer.value ? async () => newestChanges(now.peek() - days * DAY_MS, CHANGES_MAX) : undefined,
    (changes) => (known.value = changes === undefined ? 'failed' : { days, changes }),
    [days, mark.value],
  )
}

/** Asks for the states of the targets that are drawn. */
export function usePast(days: Days): void {
  const drawn = changed.value.slice(0, DRAWN_MAX)
  const answer = known.value
  const isKnown = answer !== undefined && answer !== 'failed' && answer.days === days
  useAnswer(
    isKnown && drawn.length > 0 ? async () => changesOf(drawn, now.peek() - days * DAY_MS) : undefined,
    (changes) => {
      // Without an answer, only the list of changes is shown.
      past.value = changes && { days, stretches: new Map([...changes].map(([key, some]) => [key, stretchesOf(some)])) }
    },
    [days, answer, drawn.map(({ key }) => key).join('\n')],
  )
}
