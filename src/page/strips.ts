import { signal } from '@preact/signals'
import { now } from './state.ts'
import { type State, type Target, isRecord, keyOf, timeOf } from './targets.ts'

export const STRIP_MS = 7 * 24 * 3600 * 1000

/** What a target was, from one moment to the next. */
export interface Stretch {
  readonly from: number
  /** undefined: still. */
  readonly to: number | undefined
  readonly state: State
  readonly files: number
}

/** What the targets were in the last seven days, by their keys, as far as it was asked for. */
export const strips = signal<ReadonlyMap<string, readonly Stretch[]>>(new Map())

/** Long enough for a screen of targets, and short enough for any server and proxy between. */
const ADDRESS_LENGTH_MAX = 6000
const AGAIN_MS = 60_000
const TIMEOUT_MS = 10_000

/** For each target the state in which it stood when its history was asked for: it is asked for again when it is another. */
const asked = new Map<string, string>()
let waiting = new Map<string, Target>()
let asking = false
let notBefore = 0

/** Asks for the history of targets that are seen, where it is not known yet. A static copy has none; nothing is shown then. */
export function wantStrips(targets: readonly Target[]): void {
  waiting = new Map(
    targets.filter((target) => asked.get(target.key) !== markOf(target)).map((each) => [each.key, each]),
  )
  if (!asking) void ask()
}

async function ask(): Promise<void> {
  asking = true
  try {
    while (waiting.size > 0 && Date.now() >= notBefore) await askFor(takeSome())
  } catch {
    notBefore = Date.now() + AGAIN_MS
  } finally {
    asking = false
  }
}

/** As many of the waiting targets as one address takes. */
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

async function askFor(targets: readonly Target[]): Promise<void> {
  const response = await fetch(addressOf(targets), { signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (!response.ok) throw new Error(`the server answered ${response.status}`)
  const rows: unknown = await response.json()
  const byTarget = Map.groupBy(Array.isArray(rows) ? rows.filter(isRecord) : [], ({ repo, server }) =>
    keyOf(String(repo), String(server)),
  )
  for (const target of targets) asked.set(target.key, markOf(target))
  strips.value = new Map([
    ...strips.value,
    ...targets.map(({ key }) => [key, stretches(byTarget.get(key) ?? [])] as const),
  ])
}

function markOf({ state, drifted, since, files }: Target): string {
  return JSON.stringify([state, drifted, since, files.length])
}

/** Rows of the history, oldest first, as stretches; rows that differ in nothing that is shown are one. */
function stretches(rows: readonly Readonly<Record<string, unknown>>[]): Stretch[] {
  const result: Stretch[] = []
  for (const row of rows) {
    const from = timeOf(row['time'])
    const state = stateOf(row)
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

/** undefined: the target was removed. */
function stateOf(row: Readonly<Record<string, unknown>>): State | undefined {
  if (row['sync_status'] === null) return undefined
  if (row['stale'] === true) return 'stale'
  return row['sync_status'] === 'SYNCED' ? 'in-sync' : 'drift'
}
