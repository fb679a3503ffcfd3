import { signal } from '@preact/signals'
import { now } from './state.ts'
import { type State, type Target, isRecord, keyOf, stateOf, timeOf } from './targets.ts'

export const STRIP_MS = 7 * 24 * 3600 * 1000

/** A time during which a target was in one state. Times are in ms since the epoch. */
export interface Stretch {
  readonly from: number
  /** undefined if it has not ended. */
  readonly to: number | undefined
  readonly state: State
  readonly files: number
}

/** The states of the last seven days by key of target, for those that were fetched. */
export const strips = signal<ReadonlyMap<string, readonly Stretch[]>>(new Map())

/** Enough for a screen of targets, and within the limits of servers and proxies. */
const ADDRESS_LENGTH_MAX = 6000
const AGAIN_MS = 60_000
const TIMEOUT_MS = 10_000

/** The state of each target when its history was fetched. It is fetched again when the state changes. */
const fetched = new Map<string, string>()
let waiting = new Map<string, Target>()
let isFetching = false
let notBefore = 0

/** Fetches the history of targets that is not known yet. Beside a static copy there is none, and no strips are shown. */
export function requestStrips(targets: readonly Target[]): void {
  waiting = new Map(
    targets.filter((target) => fetched.get(target.key) !== markOf(target)).map((each) => [each.key, each]),
  )
  if (!isFetching) void fetchWaiting()
}

async function fetchWaiting(): Promise<void> {
  isFetching = true
  try {
    while (waiting.size > 0 && Date.now() >= notBefore) await fetchStrips(takeSome())
  } catch {
    notBefore = Date.now() + AGAIN_MS
  } finally {
    isFetching = false
  }
}

/** Takes as many of the waiting targets as fit into one URL. */
function takeSome(): Target[] {
  const some: Target[] = []
  let length = 0
  for (const [key, target] of waiting) {
    length += addressOf([target]).length
    if (some.length > 0 && length > ADDRESS_LENGTH_MAX) break
    some.push(target)
    waiting.delete(key)
  }
  return some
}

function addressOf(targets: readonly Target[]): string {
  const repos = new Set(targets.map(({ repo }) => repo))
  const servers = new Set(targets.map(({ server }) => server))
  const parameters = new URLSearchParams([
    ...[...repos].map((repo) => ['repo', repo]),
    ...[...servers].map((server) => ['server', server]),
  ])
  return `api/history?from=${Math.floor(now.value - STRIP_MS)}&${parameters}`
}

async function fetchStrips(targets: readonly Target[]): Promise<void> {
  const response = await fetch(addressOf(targets), { signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (!response.ok) throw new Error(`the server answered ${response.status}`)
  const rows: unknown = await response.json()
  const byTarget = Map.groupBy(Array.isArray(rows) ? rows.filter(isRecord) : [], ({ repo, server }) =>
    keyOf(String(repo), String(server)),
  )
  for (const target of targets) fetched.set(target.key, markOf(target))
  strips.value = new Map([
    ...strips.value,
    ...targets.map(({ key }) => [key, stretches(byTarget.get(key) ?? [])] as const),
  ])
}

function markOf({ state, verdict, since, files }: Target): string {
  return JSON.stringify([state, verdict, since, files.length])
}

/** Converts rows of the history, oldest first, into stretches. Successive rows with the same state and number of files are merged. */
function stretches(rows: readonly Readonly<Record<string, unknown>>[]): Stretch[] {
  const result: Stretch[] = []
  for (const row of rows) {
    const from = timeOf(row['time'])
    const state = isRemoval(row) ? undefined : stateOf(row)
    const files = Number(row['drift_count'])
    if (from === undefined) continue
    const last = result.at(-1)
    if (last !== undefined && last.to === undefined) {
      if (last.state === state && last.files === files) continue
      result[result.length - 1] = { ...last, to: from }
    }
    if (state !== undefined) result.push({ from, to: undefined, state, files })
  }
  return result
}

function isRemoval({ state, sync_status: syncStatus }: Readonly<Record<string, unknown>>): boolean {
  // Rows of version 0.1 have no `state`, and a `sync_status` of null only if the target was removed.
  return state === undefined ? syncStatus === null : state === null
}
