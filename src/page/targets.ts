/** The states of a target, in order of attention. URLs contain these names. */
export const STATES = ['drift', 'failing', 'missing', 'stale', 'in-sync'] as const
export type State = (typeof STATES)[number]
/** What a completed check said. */
export type Verdict = Extract<State, 'drift' | 'in-sync'>

/** Labels of the states. */
export const STATE_WORDS: Record<State, string> = {
  drift: 'Out of sync',
  failing: 'Check failing',
  missing: 'Never checked',
  stale: 'Stale',
  'in-sync': 'In sync',
}

/** The states by their names in `status.json` and in the history. */
const STATES_BY_NAME: ReadonlyMap<unknown, State> = new Map([
  ['drifted', 'drift'],
  ['failing', 'failing'],
  ['missing', 'missing'],
  ['stale', 'stale'],
  ['synced', 'in-sync'],
])

export interface DriftedFile {
  readonly name: string
  /** In ms since the epoch, as all times here. */
  readonly since: number | undefined
  readonly diff: string | undefined
}

/** The failed checks of a target since its last completed one. */
export interface FailedCheck {
  /** When the first of them was tried. */
  readonly since: number | undefined
  /** When the newest of them was tried. */
  readonly at: number | undefined
  readonly reason: string
  readonly pipelineUrl: string | undefined
}

export interface Target {
  /** See `keyOf`. */
  readonly key: string
  readonly repo: string
  readonly server: string
  readonly state: State
  /** The name of a state that this page does not know; the target is shown as stale. */
  readonly unknownState: string | undefined
  /** What the last check said, also if it can no longer be trusted; undefined if there was none. */
  readonly verdict: Verdict | undefined
  readonly failed: FailedCheck | undefined
  readonly files: readonly DriftedFile[]
  readonly since: number | undefined
  readonly lastCheck: number | undefined
  readonly note: string | undefined
  readonly branch: string | undefined
  readonly commit: string | undefined
  readonly pipelineUrl: string | undefined
  /** The text that the filter searches, in lower case. */
  readonly haystack: string
}

/** The parts of `status.json` that the page uses. */
export interface StatusDocument {
  readonly generation: number | undefined
  readonly targets: readonly Target[]
}

/**
 * Reads `status.json`. A static copy may be read while it is being edited, so invalid entries are skipped.
 *
 * @throws {TypeError} if it is not a status document
 */
export function readDocument(value: unknown): StatusDocument {
  if (!isRecord(value) || !Array.isArray(value['statuses'])) throw new TypeError('not a status document')
  const { generation, statuses } = value
  return {
    generation: typeof generation === 'number' ? generation : undefined,
    targets: statuses.flatMap((status: unknown) => readTarget(status) ?? []),
  }
}

function readTarget(value: unknown): Target | undefined {
  if (!isRecord(value)) return undefined
  const { repo, server, files, state } = value
  if (typeof repo !== 'string' || typeof server !== 'string') return undefined
  const driftedFiles = Array.isArray(files) ? files.flatMap((file: unknown) => readFile(file) ?? []) : []
  const note = value['note']
  return {
    key: keyOf(repo, server),
    repo,
    server,
    state: stateOf(value),
    unknownState: state === undefined || STATES_BY_NAME.has(state) ? undefined : textOf(state),
    verdict: verdictOf(value),
    failed: readFailedCheck(value['failed_check']),
    files: driftedFiles,
    since: timeOf(value['since']),
    lastCheck: timeOf(value['last_check']),
    note: note === undefined || note === null ? undefined : textOf(note),
    branch: stringOf(value['branch']),
    commit: stringOf(value['commit']),
    pipelineUrl: webAddressOf(value['pipeline_url']),
    haystack: [repo, server, ...driftedFiles.map(({ name }) => name)].join('\n').toLowerCase(),
  }
}

/** The state of an entry, or of a row of the history. */
export function stateOf(entry: Readonly<Record<string, unknown>>): State {
  const { state, stale } = entry
  // A state of a later version must not look in sync.
  if (state !== undefined) return STATES_BY_NAME.get(state) ?? 'stale'
  // Version 0.1 has no `state`.
  const verdict = verdictOf(entry)
  return verdict !== undefined && stale === true ? 'stale' : (verdict ?? 'missing')
}

function verdictOf({ sync_status: syncStatus }: Readonly<Record<string, unknown>>): Verdict | undefined {
  if (syncStatus === null) return undefined
  return syncStatus === 'SYNCED' ? 'in-sync' : 'drift'
}

function readFailedCheck(value: unknown): FailedCheck | undefined {
  if (!isRecord(value)) return undefined
  return {
    since: timeOf(value['since']),
    at: timeOf(value['at']),
    reason: stringOf(value['reason']) ?? 'no reason given',
    pipelineUrl: webAddressOf(value['pipeline_url']),
  }
}

function readFile(value: unknown): DriftedFile | undefined {
  if (!isRecord(value) || typeof value['name'] !== 'string') return undefined
  return { name: value['name'], since: timeOf(value['since']), diff: stringOf(value['diff']) }
}

/** A string that identifies a target. Names have no line breaks. */
export function keyOf(repo: string, server: string): string {
  return `${repo}\n${server}`
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

export function timeOf(value: unknown): number | undefined {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(time) ? undefined : time
}

/** A URL that is safe as a link, unlike `javascript:`. */
function webAddressOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || !URL.canParse(value)) return undefined
  return ['http:', 'https:'].includes(new URL(value).protocol) ? value : undefined
}

/** The number of targets in each state. */
export function countStates(targets: readonly Target[]): Record<State, number> {
  const counts = { drift: 0, failing: 0, missing: 0, stale: 0, 'in-sync': 0 }
  for (const { state } of targets) counts[state] += 1
  return counts
}

/** Sorts by attention: by state, those that have been in it for longest first, those in sync by name. */
export function byAttention(targets: readonly Target[]): Target[] {
  return targets.toSorted(
    (a, b) =>
      STATES.indexOf(a.state) - STATES.indexOf(b.state) ||
      urgency(a) - urgency(b) ||
      compare(a.repo, b.repo) ||
      compare(a.server, b.server),
  )
}

function urgency(target: Target): number {
  return target.state === 'in-sync' ? 0 : (beginOf(target) ?? 0)
}

/** When the state of a target began; undefined if it is not known. */
export function beginOf({ state, since, lastCheck, failed }: Target): number | undefined {
  if (state === 'failing') return failed?.since
  return state === 'stale' ? lastCheck : since
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}

/** The targets that contain every word of the query in repo, server or the name of a file, and have one of the states; no states: any. */
export function select(targets: readonly Target[], query: string, states: ReadonlySet<State>): Target[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  return targets.filter(
    ({ state, haystack }) => (states.size === 0 || states.has(state)) && words.every((word) => haystack.includes(word)),
  )
}

/** The targets of each repository; the repositories in the order of their first target. */
export function byRepo(targets: readonly Target[]): Map<string, Target[]> {
  return Map.groupBy(targets, ({ repo }) => repo)
}
