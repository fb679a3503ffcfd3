import { type LinkTemplates, linkTemplatesFor } from '../views/links.ts'
import { STATE_WORDS } from '../views/words.ts'
import { sentence } from './words.ts'

/** The states of a target, in order of attention. URLs contain these names. */
export const STATES = ['drift', 'failing', 'missing', 'stale', 'accepted', 'in-sync'] as const
export type State = (typeof STATES)[number]
/** What a completed check said. */
export type Verdict = Extract<State, 'drift' | 'in-sync'>

/** The names of the states in `status.json` and in the history. */
const NAMES = {
  drift: 'drifted',
  failing: 'failing',
  missing: 'missing',
  stale: 'stale',
  accepted: 'accepted',
  'in-sync': 'synced',
} as const satisfies Record<State, string>

const STATES_BY_NAME: ReadonlyMap<unknown, State> = new Map(STATES.map((state) => [NAMES[state], state]))

/** The name of a state in `status.json`. */
export function nameOf(state: State): (typeof NAMES)[State] {
  return NAMES[state]
}

/** The state by its name in `status.json`. */
export function stateNamed(name: string): State | undefined {
  return STATES_BY_NAME.get(name)
}

/** What people read for a state: `out of sync`. */
export function wordOf(state: State): string {
  return STATE_WORDS.get(NAMES[state]) ?? state
}

/** The same at the beginning of a line: `Out of sync`. */
export function titleOf(state: State): string {
  return sentence(wordOf(state))
}

/** A difference between a server and Git. */
export interface DriftedFile {
  readonly name: string
  /** `other`: not a file; the name says what. */
  readonly kind: 'file' | 'other'
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

/** Until when, and why, somebody has accepted what is wrong. */
export interface Acceptance {
  readonly until: number
  readonly reason: string
}

export interface Target {
  /** See `keyOf`. */
  readonly key: string
  readonly repo: string
  readonly server: string
  readonly state: State
  /** The state without anybody's acceptance: what the acceptance covers, if the state is `accepted`. */
  readonly stateBehind: Exclude<State, 'accepted'>
  /** Only of a target whose state is `accepted`. */
  readonly acceptance: Acceptance | undefined
  /** The name of a state that this page does not know; the target is shown as stale. */
  readonly unknownState: string | undefined
  /** What the last check said, also if it can no longer be trusted; undefined if there was none. */
  readonly verdict: Verdict | undefined
  readonly failed: FailedCheck | undefined
  readonly files: readonly DriftedFile[]
  readonly since: number | undefined
  readonly lastCheck: number | undefined
  readonly note: string | undefined
  /** `env=prod` */
  readonly labels: readonly string[]
  readonly links: LinkTemplates | undefined
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
  const linksOf = linksReader(value['links'])
  return {
    generation: typeof generation === 'number' ? generation : undefined,
    targets: statuses.flatMap((status: unknown) => readTarget(status, linksOf) ?? []),
  }
}

type LinksReader = (repo: string) => LinkTemplates | undefined

/** Finds the link templates of a repository. */
function linksReader(value: unknown): LinksReader {
  const links = Object.fromEntries(
    Object.entries(isRecord(value) ? value : {}).map(([pattern, templates]) => [pattern, readTemplates(templates)]),
  )
  const found = new Map<string, LinkTemplates | undefined>()
  return (repo) => {
    if (!found.has(repo)) found.set(repo, linkTemplatesFor(repo, links))
    return found.get(repo)
  }
}

function readTemplates(value: unknown): LinkTemplates {
  return isRecord(value) ? { commit: stringOf(value['commit']), file: stringOf(value['file']) } : {}
}

function readTarget(value: unknown, linksOf: LinksReader): Target | undefined {
  if (!isRecord(value)) return undefined
  const { repo, server, files, state } = value
  if (typeof repo !== 'string' || typeof server !== 'string') return undefined
  const driftedFiles = Array.isArray(files) ? files.flatMap((file: unknown) => readFile(file) ?? []) : []
  const note = value['note']
  const labels = readLabels(value['labels'])
  const failed = readFailedCheck(value['failed_check'])
  const acceptance = state === NAMES.accepted ? readAcceptance(value) : undefined
  const behind = stateBehind(value)
  const found = [repo, server, ...driftedFiles.map(({ name }) => name), ...labels]
  const reasons = [failed?.reason, acceptance?.reason].filter((reason) => reason !== undefined)
  return {
    key: keyOf(repo, server),
    repo,
    server,
    state: acceptance === undefined ? behind : 'accepted',
    stateBehind: behind,
    acceptance,
    unknownState: state === undefined || STATES_BY_NAME.has(state) ? undefined : textOf(state),
    verdict: verdictOf(value),
    failed,
    files: driftedFiles,
    since: timeOf(value['since']),
    lastCheck: timeOf(value['last_check']),
    note: note === undefined || note === null ? undefined : textOf(note),
    labels,
    links: linksOf(repo),
    branch: stringOf(value['branch']),
    commit: stringOf(value['commit']),
    pipelineUrl: webAddressOf(value['pipeline_url']),
    haystack: [...found, ...reasons].join('\n').toLowerCase(),
  }
}

/** The state of an entry, or of a row of the history. */
export function stateOf(entry: Readonly<Record<string, unknown>>): State {
  const { state } = entry
  // A state of a later version must not look in sync.
  if (state !== undefined) return STATES_BY_NAME.get(state) ?? 'stale'
  // Version 0.1 has no `state`.
  return stateOfStamps(entry)
}

function stateBehind(entry: Readonly<Record<string, unknown>>): Exclude<State, 'accepted'> {
  const state = stateOf(entry)
  if (state !== 'accepted') return state
  return entry['failed_check'] === undefined ? stateOfStamps(entry) : 'failing'
}

function stateOfStamps(entry: Readonly<Record<string, unknown>>): Verdict | 'stale' | 'missing' {
  const verdict = verdictOf(entry)
  return verdict !== undefined && entry['stale'] === true ? 'stale' : (verdict ?? 'missing')
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

/** An acceptance without an end is none. */
function readAcceptance(entry: Readonly<Record<string, unknown>>): Acceptance | undefined {
  const until = timeOf(entry['accepted_until'])
  return until === undefined ? undefined : { until, reason: stringOf(entry['accepted_reason']) ?? 'no reason given' }
}

/** The target at a time, as far as the document says it in advance: when an acceptance ends, what is behind it shows. */
export function targetAt(target: Target, time: number): Target {
  const { acceptance, stateBehind: state } = target
  return acceptance === undefined || time < acceptance.until ? target : { ...target, state, acceptance: undefined }
}

function readLabels(value: unknown): string[] {
  return Object.entries(isRecord(value) ? value : {}).flatMap(([name, text]) =>
    typeof text === 'string' ? `${name}=${text}` : [],
  )
}

function readFile(value: unknown): DriftedFile | undefined {
  if (!isRecord(value) || typeof value['name'] !== 'string') return undefined
  return {
    name: value['name'],
    kind: value['kind'] === 'other' ? 'other' : 'file',
    since: timeOf(value['since']),
    diff: stringOf(value['diff']),
  }
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
  const counts = { drift: 0, failing: 0, missing: 0, stale: 0, accepted: 0, 'in-sync': 0 }
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

/** Sorts by news: what is not in sync first, and of that what has begun last. */
export function byNewest(targets: readonly Target[]): Target[] {
  return targets.toSorted(
    (a, b) =>
      Number(a.state === 'in-sync') - Number(b.state === 'in-sync') ||
      (beginOf(b) ?? 0) - (beginOf(a) ?? 0) ||
      compareNames(a, b),
  )
}

export function byName(targets: readonly Target[]): Target[] {
  return targets.toSorted(compareNames)
}

function compareNames(a: Target, b: Target): number {
  return compare(a.server, b.server) || compare(a.repo, b.repo)
}

function urgency(target: Target): number {
  return target.state === 'in-sync' ? 0 : (beginOf(target) ?? 0)
}

/** When the state of a target began, or what was accepted; undefined if it is not known. */
export function beginOf({ stateBehind: state, since, lastCheck, failed }: Target): number | undefined {
  if (state === 'failing') return failed?.since
  return state === 'stale' ? lastCheck : since
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}

/**
 * The targets that contain every word of the query in repo, server, a file, a label or a reason, and have one of the
 * states; no states: any.
 */
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
