import { type Status, type Summary, summarySchema } from '../status/schema.ts'
import { summaryOf } from '../status/states.ts'
import { timeOf } from '../status/time.ts'
import { type At, ageAt, ageProperty, newestCheck } from './ages.ts'
import { type Judged, verdict, verdictText } from './verdict.ts'

/** A summary of some targets in one object. */
export const targetsSummarySchema = {
  title: 'TargetsSummary',
  type: 'object',
  description: 'The worst state of the matching targets, the number in each state, and a summary in words.',
  required: [...summarySchema.required, 'longest_drift_seconds', 'newest_check_seconds', 'verdict'],
  properties: {
    ...summarySchema.properties,
    longest_drift_seconds: ageProperty(
      'The age of the oldest since among the targets that are drifted; null if none is.',
    ),
    newest_check_seconds: ageProperty('The age of the newest last_check; null if there was no check.'),
    verdict: { type: 'string', description: 'The summary in words, for people.' },
  },
} as const

export interface TargetsSummary extends Summary {
  readonly longest_drift_seconds: number | null
  readonly newest_check_seconds: number | null
  readonly verdict: string
}

/**
 * Sums up some targets. Yields after each pass over them.
 *
 * @param now in ms since the epoch
 */
export function* summarize(
  statuses: readonly Pick<Status, 'repo' | 'state' | 'since' | 'last_check'>[],
  now: number,
): Generator<undefined, At<TargetsSummary>> {
  const summary = summaryOf(statuses)
  yield
  let oldestDrift = Infinity
  for (const { state, since } of statuses) {
    if (state === 'drifted') oldestDrift = Math.min(oldestDrift, timeOf(since))
  }
  yield
  const newest = newestCheck(statuses, now)
  yield
  const all = statuses.map((status) => judged(status))
  yield
  const sentences = verdict(all)
  return (asked) => ({
    ...summary,
    longest_drift_seconds: ageAt(asked, oldestDrift),
    newest_check_seconds: ageAt(asked, newest),
    verdict: verdictText(sentences(asked)),
  })
}

/** Only with the times that the verdict names: most targets are in sync. */
function judged({
  repo,
  state,
  since,
  last_check: lastCheck,
}: Pick<Status, 'repo' | 'state' | 'since' | 'last_check'>): Judged {
  return {
    repo,
    state,
    since: state === 'drifted' ? timeOf(since) : undefined,
    lastCheck: state === 'stale' && lastCheck !== null ? timeOf(lastCheck) : undefined,
  }
}
