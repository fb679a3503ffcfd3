import type { Acceptance, Rules } from './rules.ts'
import type { SavedStatus, State, Status, Summary } from './schema.ts'
import { STATES } from './schema.ts'
import type { Target } from './target.ts'
import { AHEAD_MAX_MS, type Clock, timeOf } from './time.ts'

/** A time span in ms since the epoch, both ends included. */
interface Span {
  readonly from: number
  readonly until: number
}

const NEVER: Span = { from: -Infinity, until: -Infinity }

/**
 * True if a status can no longer be trusted: its last check is older than it should be, or lies in a future in which no
 * check can have run, or there was none.
 */
export function isStale(status: Checked, { now, staleAfter }: Clock): boolean {
  return !isWithin(freshSpan(status, staleAfter), now)
}

/** The time in which the last check of a status counts. */
export function freshSpan({ last_check: lastCheck, stale_after: own }: Checked, staleAfter: number): Span {
  return lastCheck === null ? NEVER : spanFrom(lastCheck, own ?? staleAfter)
}

/** The time in which the newest failed check of a status counts. */
export function failingSpan({ failed_check: failed, stale_after: own }: Failed, staleAfter: number): Span {
  return failed === undefined ? NEVER : spanFrom(failed.at, own ?? staleAfter)
}

/** The known facts about a target at a time, without acceptance rules. */
interface Known {
  readonly isFailing: boolean
  readonly isStale: boolean
  /** In ms since the epoch. */
  readonly now: number
}

/** The verdict on a target, and the rule that covers what is wrong, if the state is `accepted`. */
export interface Verdict {
  readonly state: State
  readonly accepted?: Acceptance
}

/** The verdict on a target now. */
export function verdictOf(status: Judged & Checked & Failed, clock: Clock, rules: Rules): Verdict {
  const { now, staleAfter } = clock
  const isFailing = isWithin(failingSpan(status, staleAfter), now)
  return verdictWhen(status, { isFailing, isStale: isStale(status, clock), now }, rules.about(status))
}

/**
 * The verdict on a target: the first state that applies, in the order of the design. It is `accepted` if rules cover all
 * that is wrong, and else what it would be without rules.
 */
export function verdictWhen(status: Judged, known: Known, about: readonly Acceptance[]): Verdict {
  const state = unacceptedState(status, known)
  if (about.length === 0 || state === 'missing' || state === 'synced') return { state }
  const inForce = about.filter(({ from, until }) => from <= known.now && known.now < until)
  const covering = status.files.map(({ name }) => lastToEnd(inForce.filter(({ matchesFile }) => matchesFile(name))))
  if (state !== 'drifted') covering.push(lastToEnd(inForce.filter(({ rule }) => rule.stale === true)))
  const accepted = firstToEnd(covering)
  return accepted === undefined ? { state } : { state: 'accepted', accepted }
}

function unacceptedState({ sync_status: syncStatus }: Judged, { isFailing, isStale: isOld }: Known): State {
  if (isFailing) return 'failing'
  if (syncStatus === null) return 'missing'
  if (isOld) return 'stale'
  return syncStatus === 'SYNCED' ? 'synced' : 'drifted'
}

/** The times at which a rule about a target begins or ends, after a time. In order, in ms since the epoch. */
export function boundariesAfter(now: number, about: readonly Acceptance[]): number[] {
  const times = about.flatMap(({ from, until }) => [from, until]).filter((time) => time > now)
  return [...new Set(times)].toSorted((one, other) => one - other)
}

/** The rule that ends last: what it covers is accepted until then. */
function lastToEnd(rules: readonly Acceptance[]): Acceptance | undefined {
  const [first, ...others] = rules
  return first && others.reduce((last, each) => (each.until > last.until ? each : last), first)
}

/** The rule whose end is felt first; `undefined` if there is no rule for something. */
function firstToEnd(rules: readonly (Acceptance | undefined)[]): Acceptance | undefined {
  const [first, ...others] = rules
  return others.reduce((soonest, each) => {
    if (soonest === undefined || each === undefined) return undefined
    return each.until < soonest.until ? each : soonest
  }, first)
}

/** The number of targets in each state, and the worst of them. */
export function summaryOf(statuses: Iterable<Pick<Status, 'state'>>): Summary {
  const counts = { drifted: 0, failing: 0, missing: 0, stale: 0, accepted: 0, synced: 0 }
  let targets = 0
  for (const { state } of statuses) {
    counts[state] += 1
    targets += 1
  }
  return { state: STATES.find((state) => counts[state] > 0) ?? 'empty', targets, ...counts }
}

type Judged = Target & Pick<SavedStatus, 'sync_status'> & { readonly files: readonly { readonly name: string }[] }
type Checked = Pick<SavedStatus, 'last_check' | 'stale_after'>
type Failed = Pick<SavedStatus, 'failed_check' | 'stale_after'>

function spanFrom(time: string, seconds: number): Span {
  const at = timeOf(time)
  return { from: at - AHEAD_MAX_MS, until: at + seconds * 1000 }
}

export function isWithin({ from, until }: Span, now: number): boolean {
  return now >= from && now <= until
}
