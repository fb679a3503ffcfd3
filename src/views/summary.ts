import type { Steps } from '../steps.ts'
import { type Status, type Summary, summarySchema } from '../status/schema.ts'
import { summaryOf } from '../status/states.ts'
import { timeOf } from '../status/time.ts'
import { type At, ageAt, ageProperty, checkedAt } from './ages.ts'
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

/** To ask after each target whether others wait would take a fifth of the time. */
const STEP = 100

type Summed = Pick<Status, 'repo' | 'state' | 'since' | 'last_check'>

/**
 * Sums up some targets. Yields after some of them: to touch 100,000 objects takes some time.
 *
 * @param now in ms since the epoch
 */
export function* summarize(statuses: Iterable<Summed>, now: number): Steps<At<TargetsSummary>> {
  const all: Judged[] = []
  let oldestDrift = Infinity
  let newest = -Infinity
  for (const status of statuses) {
    const last = all.at(-1)
    const { repo, state } = status
    // Most targets are in sync: the verdict names no time of them, so that one object does for all of a repository.
    all.push(last?.repo === repo && last.state === state && !isDated(state) ? last : judged(status))
    if (state === 'drifted') oldestDrift = Math.min(oldestDrift, timeOf(status.since))
    newest = Math.max(newest, checkedAt(status, now))
    if (all.length % STEP === 0) yield
  }
  const summary = summaryOf(all)
  const sentences = verdict(all)
  return (asked) => ({
    ...summary,
    longest_drift_seconds: ageAt(asked, oldestDrift),
    newest_check_seconds: ageAt(asked, newest),
    verdict: verdictText(sentences(asked)),
  })
}

/** True if the verdict names a time of a target in this state. */
function isDated(state: Status['state']): boolean {
  return state === 'drifted' || state === 'stale'
}

function judged({ repo, state, since, last_check: lastCheck }: Summed): Judged {
  if (!isDated(state)) return { repo, state, since: undefined, lastCheck: undefined }
  return { repo, state, since: timeOf(since), lastCheck: lastCheck === null ? undefined : timeOf(lastCheck) }
}
