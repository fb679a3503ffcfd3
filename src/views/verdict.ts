import { STATES, type State } from '../status/schema.ts'
import type { At } from './ages.ts'
import { ago, shortDuration } from './durations.ts'
import { groupsBy } from './groups.ts'
import { latest } from './latest.ts'

/** The properties of a target that the verdict needs. */
export interface Judged {
  readonly repo: string
  readonly state: State
  /** The start of the state, in ms since the epoch, as `lastCheck`; undefined if it is not known. */
  readonly since: number | undefined
  readonly lastCheck: number | undefined
}

/** A sentence of the verdict, and the state that it is about. */
export interface VerdictSentence {
  readonly state: State | 'empty'
  readonly text: string
}

/** The time that a drift counts as new, in ms. */
export const NEW_MS = 60 * 60_000

/** The largest number of repositories that are named; more are counted. */
const NAMED_MAX = 2

/**
 * The verdict on some targets, the worst first: drift and its age, failing checks, repositories without reports. It is good
 * only if all targets are in sync.
 */
export function verdict(targets: readonly Judged[]): At<readonly VerdictSentence[]> {
  if (targets.length === 0) return () => [{ state: 'empty', text: 'There are no targets.' }]
  const byState = groupsBy(targets, ({ state }) => state)
  const of = (state: State): readonly Judged[] => byState.get(state) ?? []
  if (of('synced').length === targets.length) {
    return () => [
      { state: 'synced', text: targets.length === 1 ? '1 target is in sync.' : `All ${count(targets)} are in sync.` },
    ]
  }
  const silent = of('stale').length === 0 ? new Set<string>() : silentRepositories(targets)
  return (now) =>
    STATES.flatMap((state) => {
      const some = of(state)
      return some.length === 0 ? [] : SENTENCES[state](some, now, silent).map((text) => ({ state, text }))
    })
}

/** The sentences in one text. */
export function verdictText(sentences: readonly VerdictSentence[]): string {
  return sentences.map(({ text }) => text).join(' ')
}

type Sentences = (targets: readonly Judged[], now: number, silent: ReadonlySet<string>) => string[]

const SENTENCES: Readonly<Record<State, Sentences>> = {
  drifted: (targets, now) => {
    const fresh = targets.filter(({ since }) => since !== undefined && now - since < NEW_MS)
    const newest = latest(targets.map(({ since }) => since))
    const age = newest === undefined ? '' : ago(now - newest)
    const news = fresh.length === 0 ? `newest ${age}` : `${fresh.length} new, ${age}`
    return [`${count(targets)} ${are(targets)} out of sync${age === '' ? '' : ` (${news})`}.`]
  },
  failing: (targets) => {
    return [
      `${targets.length === 1 ? 'The check of 1 target fails' : `The checks of ${count(targets)} fail`} (${repositories(targets)}).`,
    ]
  },
  missing: (targets) => [
    `${count(targets)} ${targets.length === 1 ? 'was' : 'were'} never checked (${repositories(targets)}).`,
  ],
  stale: (targets, now, silent) => {
    const quiet = [...groupsBy(targets, ({ repo }) => repo)].filter(([repo]) => silent.has(repo))
    const others = targets.filter(({ repo }) => !silent.has(repo))
    const named = quiet.slice(0, quiet.length > NAMED_MAX ? 0 : NAMED_MAX).map(([repo, some]) => {
      return `${repo} has not reported for ${silence(some, now)}: ${count(some)}.`
    })
    const all = quiet.flatMap(([, some]) => some)
    const counted =
      named.length > 0 || quiet.length === 0
        ? []
        : [`${quiet.length} repositories have not reported for ${silence(all, now)}: ${count(all)}.`]
    return [...named, ...counted, ...(others.length === 0 ? [] : [`${count(others)} ${are(others)} stale.`])]
  },
  accepted: (targets) => [`${count(targets)} ${are(targets)} accepted.`],
  synced: (targets) => [`${count(targets)} ${are(targets)} in sync.`],
}

/** The repositories whose targets are all stale or missing. */
function silentRepositories(targets: readonly Judged[]): ReadonlySet<string> {
  const silent = new Set(targets.map(({ repo }) => repo))
  for (const { repo, state } of targets) if (state !== 'stale' && state !== 'missing') silent.delete(repo)
  return silent
}

function silence(targets: readonly Judged[], now: number): string {
  const newest = latest(targets.map(({ lastCheck }) => lastCheck))
  return newest === undefined ? 'ever' : shortDuration(now - newest)
}

function repositories(targets: readonly Judged[]): string {
  const names = [...new Set(targets.map(({ repo }) => repo))]
  return names.length > NAMED_MAX ? `${names.length} repositories` : names.join(', ')
}

const count = ({ length }: readonly unknown[]): string =>
  `${length.toLocaleString('en')} ${length === 1 ? 'target' : 'targets'}`
const are = ({ length }: readonly unknown[]): string => (length === 1 ? 'is' : 'are')
