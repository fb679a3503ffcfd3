import { addressed } from './addressed.ts'
import { isRecord, stateOf, timeOf, webAddressOf } from './read-target.ts'
import { type State, type Target, keyOf } from './targets.ts'

const TIMEOUT_MS = 10_000
/** The clocks of the browser and the server are as good as the same. */
const CLOCKS_MS = 5000
/** Within the limits of servers and proxies. */
const ADDRESS_LENGTH_MAX = 6000

/** The name of a target. */
export type Named = Pick<Target, 'repo' | 'server'>

/** A time during which a target, or a repository, was in one state. Times are in ms since the epoch. */
export interface Stretch {
  readonly from: number
  /** undefined if it has not ended. */
  readonly to: number | undefined
  readonly state: State
  /** The number of differences. */
  readonly files: number
}

/** A change of a target. */
export interface Change {
  readonly time: number
  readonly generation: number
  readonly repo: string
  readonly server: string
  /** The state from then on; undefined if the target was removed. */
  readonly state: State | undefined
  readonly files: readonly string[]
  /** The number of differences. */
  readonly differences: number
  /** The changes; empty if the row gives the state at the start of the range. */
  readonly changes: readonly string[]
  readonly cause: string
  /** The name of the token. */
  readonly token: string | undefined
  readonly commit: string | undefined
  readonly pipelineUrl: string | undefined
}

/** The parts of some time, from 0 to 1. */
export interface Shares {
  readonly synced: number
  readonly drifted: number
  readonly accepted: number
  readonly unknown: number
}

/** The changes of some targets since a time, oldest first, and before them what each was at that time; by key of target. */
export async function changesOf(targets: readonly Named[], from: number): Promise<ReadonlyMap<string, Change[]>> {
  const changes: Change[] = []
  for (const part of parts(targets)) changes.push(...(await askHistory(from, namesOf(part))))
  return Map.groupBy(
    // A clock may have been set back; generations never are.
    changes.toSorted((a, b) => a.generation - b.generation || a.time - b.time),
    ({ repo, server }) => keyOf(repo, server),
  )
}

/** The targets in parts, each of which an address can name. */
function parts(targets: readonly Named[]): Named[][] {
  const result: Named[][] = []
  let length = Infinity
  for (const target of targets) {
    const more = namesOf([target]).length
    length += more
    if (length > ADDRESS_LENGTH_MAX) {
      result.push([])
      length = more
    }
    result.at(-1)?.push(target)
  }
  return result
}

/** All changes since a time, newest first; at most `limit`. */
export async function newestChanges(from: number, limit: number): Promise<Change[]> {
  return (await askHistory(from, `order=newest&limit=${limit}`)).toSorted((a, b) => b.time - a.time)
}

/** The shares of a range that a target was in sync, drifted, accepted and unknown. */
export async function sharesOf(
  { repo, server, key }: Named & { key: string },
  from: number,
  to: number,
): Promise<Shares | undefined> {
  const rows = await ask(`api/report?from=${Math.floor(from)}&to=${Math.floor(to)}&${namesOf([{ repo, server }])}`)
  const row = rows.find((each) => keyOf(String(each['repo']), String(each['server'])) === key)
  if (row === undefined) return undefined
  const share = (name: string): unknown => row[`${name}_share`]
  const shares = [share('synced'), share('drifted'), share('accepted'), share('unknown')]
  if (!shares.every((each) => typeof each === 'number' && each >= 0 && each <= 1)) return undefined
  const [synced, drifted, accepted, unknown] = shares.map(Number)
  return { synced: synced ?? 0, drifted: drifted ?? 0, accepted: accepted ?? 0, unknown: unknown ?? 1 }
}

/** The worst state of each repository since a time, by its name. */
export async function repositoryStretches(from: number, to: number): Promise<ReadonlyMap<string, Stretch[]>> {
  const address = `api/timeline?by=repository&limit=1000&from=${Math.floor(from)}&to=${Math.floor(to)}`
  const rows = (await ask(address)).flatMap((row) => {
    const [begin, end] = [timeOf(row['from']), timeOf(row['to'])]
    if (begin === undefined || end === undefined) return []
    // A period that lasts until the requested end has not ended.
    const isNow = end >= to - CLOCKS_MS
    return [{ repo: String(row['repo']), from: begin, to: isNow ? undefined : end, state: stateOf(row), files: 0 }]
  })
  return Map.groupBy(rows, ({ repo }) => repo)
}

/** The query that names targets: each of the repositories with each of the servers. */
function namesOf(targets: readonly Named[]): string {
  const repos = new Set(targets.map(({ repo }) => repo))
  const servers = new Set(targets.map(({ server }) => server))
  const parameters = [
    ...[...repos].map((repo) => ['repo', exactly(repo)]),
    ...[...servers].map((server) => ['server', exactly(server)]),
  ]
  return new URLSearchParams(parameters).toString()
}

/** A pattern that matches the name. Braces would list alternatives. */
function exactly(name: string): string {
  return name.replaceAll(/[{},]/g, '?')
}

/** Converts changes, oldest first, into stretches. Successive ones with the same state and number of files are merged. */
export function stretchesOf(changes: readonly Change[]): Stretch[] {
  const result: Stretch[] = []
  for (const { time, state, differences: files } of changes) {
    const last = result.at(-1)
    const from = Math.max(time, last?.from ?? 0)
    if (last !== undefined && last.to === undefined) {
      if (last.state === state && last.files === files) continue
      result[result.length - 1] = { ...last, to: from }
    }
    if (state !== undefined) result.push({ from, to: undefined, state, files })
  }
  return result
}

/** Not always in the order of time: that a check had become too old may be written down later. */
async function askHistory(from: number, query: string): Promise<Change[]> {
  const rows = await ask(`api/history?from=${Math.floor(from)}&${query}`)
  return rows.flatMap((row) => readChange(row) ?? [])
}

async function ask(address: string): Promise<Readonly<Record<string, unknown>>[]> {
  const response = await fetch(addressed(address), { signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (!response.ok) throw new Error(`the server answered ${response.status}`)
  const rows: unknown = await response.json()
  // An answer that is not a list is an error: it must not look like a list without changes.
  if (!Array.isArray(rows)) throw new TypeError('not a list')
  return rows.filter(isRecord)
}

function readChange(row: Readonly<Record<string, unknown>>): Change | undefined {
  // A check is found to be too old after it has become so.
  const time = timeOf(row['since']) ?? timeOf(row['time'])
  if (time === undefined) return undefined
  return {
    time,
    generation: Number(row['generation']) || 0,
    repo: String(row['repo']),
    server: String(row['server']),
    state: isRemoval(row) ? undefined : stateOf(row),
    files: textsOf(row['files']),
    differences: Number(row['drift_count']) || 0,
    changes: textsOf(row['changes']),
    cause: String(row['cause']),
    token: textOf(row['token']),
    commit: textOf(row['commit']),
    pipelineUrl: webAddressOf(row['pipeline_url']),
  }
}

function isRemoval({ state, sync_status: syncStatus }: Readonly<Record<string, unknown>>): boolean {
  // Rows of version 0.1 have no `state`, and a `sync_status` of null only if the target was removed.
  return state === undefined ? syncStatus === null : state === null
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
