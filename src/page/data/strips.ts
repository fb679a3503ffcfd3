import { signal } from '@preact/signals'
import { type Stretch, changesOf, repositoryStretches, stretchesOf } from './history.ts'
import { hasServer, now } from './state.ts'
import type { Target } from './targets.ts'

export const STRIP_MS = 7 * 24 * 3600 * 1000

interface Fetched {
  /** The state of the target when its history was fetched. If it changes, the history is fetched again. */
  readonly mark: string
  readonly stretches: readonly Stretch[]
}

/** The states of the last seven days by key of target, for those that were fetched. */
const strips = signal<ReadonlyMap<string, Fetched>>(new Map())

/** The states of a target in the last seven days; none while the server has not said what was before a change. */
export function stripOf(target: Target): readonly Stretch[] {
  const known = strips.value.get(target.key)
  return known?.mark === markOf(target) ? known.stretches : []
}

/** The worst states of the last seven days by repository. */
export const repositoryStrips = signal<ReadonlyMap<string, readonly Stretch[]>>(new Map())

/** About a screen of targets. */
const TARGETS_AT_ONCE = 60
const AGAIN_MS = 60_000

let waiting = new Map<string, Target>()
let isFetching = false
let notBefore = 0

/** Fetches the history of targets that is not known yet. Beside a static copy there is none, and no strips are shown. */
export function requestStrips(targets: readonly Target[]): void {
  if (!hasServer.peek()) return
  waiting = new Map(
    targets.filter((target) => strips.peek().get(target.key)?.mark !== markOf(target)).map((each) => [each.key, each]),
  )
  if (!isFetching) void fetchWaiting()
}

async function fetchWaiting(): Promise<void> {
  isFetching = true
  try {
    while (waiting.size > 0 && Date.now() >= notBefore) {
      const some = [...waiting.values()].slice(0, TARGETS_AT_ONCE)
      for (const { key } of some) waiting.delete(key)
      const changes = await changesOf(some, now.peek() - STRIP_MS)
      strips.value = new Map([
        ...strips.value,
        ...some.map((target) => {
          const stretches = stretchesOf(changes.get(target.key) ?? [])
          return [target.key, { mark: markOf(target), stretches }] as const
        }),
      ])
    }
  } catch {
    notBefore = Date.now() + AGAIN_MS
  } finally {
    isFetching = false
  }
}

function markOf({ state, verdict, since, files }: Target): string {
  return JSON.stringify([state, verdict, since, files.length])
}

let repositoriesNotBefore = 0

/** Fetches the history of the repositories, at most once a minute. */
export async function requestRepositoryStrips(): Promise<void> {
  if (!hasServer.peek() || Date.now() < repositoriesNotBefore) return
  repositoriesNotBefore = Date.now() + AGAIN_MS
  try {
    repositoryStrips.value = await repositoryStretches(now.peek() - STRIP_MS, now.peek())
  } catch {
    // The next minute may bring them. Old ones would say that nothing has changed until now.
    repositoryStrips.value = new Map()
  }
}
