import type { LinkTemplates } from '../../views/links.ts'
import {
  type Acceptance,
  type DriftedFile,
  type FailedCheck,
  type State,
  type Target,
  type Verdict,
  keyOf,
  nameOf,
  stateNamed,
} from './targets.ts'

/** Finds the link templates of a repository. */
export type LinksReader = (repo: string) => LinkTemplates | undefined

/** Reads an entry of `status.json`; undefined if it is none. */
export function readTarget(value: unknown, linksOf: LinksReader): Target | undefined {
  if (!isRecord(value)) return undefined
  const { repo, server, files, state } = value
  if (typeof repo !== 'string' || typeof server !== 'string') return undefined
  const driftedFiles = Array.isArray(files) ? files.flatMap((file: unknown) => readFile(file) ?? []) : []
  const note = value['note']
  const labels = readLabels(value['labels'])
  const failed = readFailedCheck(value['failed_check'])
  const acceptance = state === nameOf('accepted') ? readAcceptance(value) : undefined
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
    unknownState: state === undefined || stateNamed(state) !== undefined ? undefined : textOf(state),
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
  if (state !== undefined) return stateNamed(state) ?? 'stale'
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

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

export function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

export function timeOf(value: unknown): number | undefined {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(time) ? undefined : time
}

/** A URL that is safe as a link, unlike `javascript:`. */
export function webAddressOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || !URL.canParse(value)) return undefined
  return ['http:', 'https:'].includes(new URL(value).protocol) ? value : undefined
}
