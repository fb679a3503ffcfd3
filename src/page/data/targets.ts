import type { LinkTemplates } from '../../views/links.ts'
import { STATE_WORDS } from '../../views/words.ts'
import { sentence } from '../words.ts'

/** The states of a target, in order of attention. URLs contain these names. */
export const STATES = ['drift', 'failing', 'missing', 'stale', 'accepted', 'in-sync'] as const
export type State = (typeof STATES)[number]
/** The verdict of a completed check. */
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
export function stateNamed(name: unknown): State | undefined {
  return STATES_BY_NAME.get(name)
}

/** The words for a state: `out of sync`. */
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
  /** The time of the first of them. */
  readonly since: number | undefined
  /** The time of the newest of them. */
  readonly at: number | undefined
  readonly reason: string
  readonly pipelineUrl: string | undefined
}

/** The end and the reason of an acceptance. */
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
  /** The verdict of the last check, even if it is too old; undefined if there was no check. */
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
  /** The number of entries that cannot be read. */
  readonly unread: number
}

/** The target at a time, as far as the document says it in advance: when an acceptance ends, what is behind it shows. */
export function targetAt(target: Target, time: number): Target {
  const { acceptance, stateBehind: state } = target
  return acceptance === undefined || time < acceptance.until ? target : { ...target, state, acceptance: undefined }
}

/** A string that identifies a target. Names have no line breaks. */
export function keyOf(repo: string, server: string): string {
  return `${repo}\n${server}`
}

/** The number of targets in each state. */
export function countStates(targets: readonly Target[]): Record<State, number> {
  const counts = { drift: 0, failing: 0, missing: 0, stale: 0, accepted: 0, 'in-sync': 0 }
  for (const { state } of targets) counts[state] += 1
  return counts
}

/** The states in which some targets are, the worst first. */
export function statesIn(counts: Readonly<Record<State, number>>): State[] {
  return STATES.filter((state) => counts[state] > 0)
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

/** The start of the state of a target, or of the accepted one; undefined if it is not known. */
export function beginOf({ stateBehind: state, since, lastCheck, failed }: Target): number | undefined {
  if (state === 'failing') return failed?.since
  return state === 'stale' ? lastCheck : since
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}
