import type { State, Summary } from '../status/schema.ts'

/** The words for a state, the worst first. */
export const STATE_WORDS: ReadonlyMap<State, string> = new Map([
  ['drifted', 'out of sync'],
  ['failing', 'check failing'],
  ['missing', 'never checked'],
  ['stale', 'stale'],
  ['accepted', 'accepted'],
  ['synced', 'in sync'],
])

interface Difference {
  readonly name: string
  readonly kind?: 'file' | 'other'
}

/** The largest number of other differences that are named; more are counted. */
const NAMED_MAX = 2

/** The differences in a few words: `2 files, service rsyslog`. Empty without differences. */
export function differencesInWords(differences: readonly Difference[]): string {
  const others = differences.filter(({ kind }) => kind === 'other')
  const files = differences.length - others.length
  const counted = files === 0 ? [] : [`${files} ${files === 1 ? 'file' : 'files'}`]
  const named = others.length <= NAMED_MAX ? others.map(({ name }) => name) : [`${others.length} other differences`]
  return [...counted, ...named].join(', ')
}

/** The largest number of differences that are listed by name; more are counted. */
const LISTED_MAX = 3

/** The differences by name: `rsyslog.conf, service rsyslog and 2 more`. Empty without differences. */
export function differencesByName(differences: readonly Difference[]): string {
  const more = differences.length - LISTED_MAX
  const names = differences.slice(0, LISTED_MAX).map(({ name }) => name)
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** The number of targets in each state, as a sentence. */
export function countsInWords(summary: Summary): string {
  const { targets } = summary
  if (targets === 0) return 'There are no targets.'
  const noun = targets === 1 ? '1 target' : `${targets} targets`
  if (summary.synced === targets) return targets === 1 ? '1 target is in sync.' : `All ${noun} are in sync.`
  const counts = [...STATE_WORDS].flatMap(([state, word]) => (summary[state] === 0 ? [] : `${summary[state]} ${word}`))
  return `${noun}: ${counts.join(', ')}.`
}
