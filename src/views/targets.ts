import type { FromSchema } from 'json-schema-to-ts'
import type { Status } from '../status/schema.ts'
import { STATES, targetProperties, time } from '../status/schema.ts'
import { freshSpan } from '../status/states.ts'
import { type Clock, formatTime, timeOf } from '../status/time.ts'
import { type At, ageAt, ageProperty } from './ages.ts'
import { STATE_WORDS, differencesByName } from './words.ts'

const text = { type: 'string' } as const
const optionalText = { type: ['string', 'null'] } as const

/** A target as a row of a table. */
export const targetRowSchema = {
  title: 'TargetRow',
  description: 'A target in one line, without its differences.',
  type: 'object',
  required: [
    'repo',
    'server',
    'state',
    'status',
    'since',
    'since_seconds',
    'differences',
    'what',
    'last_check',
    'last_check_seconds',
    'reason',
    'accepted_until',
    'commit',
    'branch',
    'pipeline_url',
    'labels',
  ],
  additionalProperties: false,
  properties: {
    ...targetProperties,
    state: { type: 'string', enum: STATES, description: 'The state.' },
    status: { ...text, description: 'The state in words.' },
    since: {
      type: ['string', 'null'],
      format: 'date-time',
      description: 'The start of this state; null if the target was never checked.',
    },
    since_seconds: ageProperty('The age of since.'),
    differences: { type: 'integer', minimum: 0, description: 'Number of differences that the last check found.' },
    what: { ...text, description: 'The names of the first three differences, and the number of the others.' },
    last_check: { type: ['string', 'null'], format: time.format, description: 'The time of the last check.' },
    last_check_seconds: ageProperty('The age of last_check.'),
    reason: { ...optionalText, description: 'The reason of the failed check or of the acceptance.' },
    accepted_until: { type: ['string', 'null'], format: time.format, description: 'The end of the acceptance.' },
    commit: { ...optionalText, description: 'The commit that was checked against.' },
    branch: { ...optionalText, description: 'The branch of the commit.' },
    pipeline_url: {
      ...optionalText,
      description: 'The page of the CI run of the newest check, also if it failed.',
    },
    labels: { ...text, description: 'Labels, such as env=prod,owner=team-a.' },
  },
} as const

export type TargetRow = FromSchema<typeof targetRowSchema>

export const TARGET_ORDERS = ['worst', 'longest', 'name'] as const

/**
 * Targets as rows, the first `limit` of them in an order: the worst state first, and in it the longest; the longest in its
 * state first; or by name.
 *
 * @param statuses by name, as the document has them
 * @param order one of TARGET_ORDERS
 */
export function targetRows(
  statuses: readonly Status[],
  order: string,
  limit: number,
  clock: Pick<Clock, 'staleAfter'>,
): At<TargetRow[]> {
  const ranked = statuses.map((status) => ({
    status,
    rank: order === 'worst' ? STATES.indexOf(status.state) : 0,
    since: stateSince(status, clock),
  }))
  if (order !== 'name')
    ranked.sort((one, other) => one.rank - other.rank || beginning(one.since) - beginning(other.since))
  const shown = ranked.slice(0, limit)
  return (now) => shown.map(({ status, since }) => targetRow(status, since, now))
}

/** Never checked is longer than any time. */
function beginning(since = -Number.MAX_VALUE): number {
  return since
}

/** The start of the current state of a target, in ms since the epoch; `undefined` if it was never checked. */
export function stateSince(status: Status, { staleAfter }: Pick<Clock, 'staleAfter'>): number | undefined {
  if (status.state === 'missing') return undefined
  if (status.state === 'failing') return status.failed_check && timeOf(status.failed_check.since)
  // A last check in an impossible future has no end that could have passed.
  if (status.state === 'stale' && status.last_check !== null) return freshSpan(status, staleAfter).until
  return timeOf(status.since)
}

function targetRow(status: Status, since: number | undefined, now: number): TargetRow {
  const { failed_check: failed, last_check: lastCheck } = status
  const isFailing = status.state === 'failing'
  return {
    repo: status.repo,
    server: status.server,
    state: status.state,
    status: STATE_WORDS.get(status.state) ?? status.state,
    since: since === undefined ? null : formatTime(since),
    since_seconds: since === undefined ? null : ageAt(now, since),
    differences: status.files.length,
    what: differencesByName(status.files),
    last_check: lastCheck,
    last_check_seconds: lastCheck === null ? null : ageAt(now, timeOf(lastCheck)),
    reason: (isFailing ? failed?.reason : status.accepted_reason) ?? null,
    accepted_until: status.accepted_until ?? null,
    commit: status.commit ?? null,
    branch: status.branch ?? null,
    pipeline_url: (isFailing ? failed?.pipeline_url : status.pipeline_url) ?? null,
    labels: labelsInWords(status.labels),
  }
}

/** `env=prod,owner=team-a` */
function labelsInWords(labels: Readonly<Record<string, string>> = {}): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',')
}
