import type { FromSchema } from 'json-schema-to-ts'
import { type State, targetProperties, time } from '../status/schema.ts'
import { formatTime } from '../status/time.ts'
import { type TargetPeriods, stretches } from '../status/periods.ts'

const seconds = { type: 'integer', minimum: 0 } as const
const share = { type: 'number', minimum: 0, maximum: 1 } as const

/** The time of a target in each state, within a range. */
export const reportRowSchema = {
  title: 'ReportRow',
  description:
    'The time of a target in each state within a range. Unknown is the rest of the range: the check failed or was too old, the target was never checked, or it did not exist. It never counts as in sync.',
  type: 'object',
  required: [
    'repo',
    'server',
    'from',
    'to',
    'seconds',
    'synced_seconds',
    'drifted_seconds',
    'accepted_seconds',
    'unknown_seconds',
    'synced_share',
    'drifted_share',
    'accepted_share',
    'unknown_share',
  ],
  properties: {
    ...targetProperties,
    from: { ...time, description: 'The beginning of the range.' },
    to: { ...time, description: 'The end of the range.' },
    seconds: { ...seconds, description: 'The length of the range.' },
    synced_seconds: { ...seconds, description: 'The time in sync.' },
    drifted_seconds: { ...seconds, description: 'The time drifted.' },
    accepted_seconds: { ...seconds, description: 'The time accepted.' },
    unknown_seconds: { ...seconds, description: 'The rest of the time.' },
    synced_share: { ...share, description: 'synced_seconds / seconds, to four places, rounded down.' },
    drifted_share: { ...share, description: 'drifted_seconds / seconds.' },
    accepted_share: { ...share, description: 'accepted_seconds / seconds.' },
    unknown_share: { ...share, description: 'unknown_seconds / seconds.' },
  },
  additionalProperties: false,
} as const

export type ReportRow = FromSchema<typeof reportRowSchema>

const KNOWN = ['synced', 'drifted', 'accepted'] as const satisfies readonly State[]

/** How long each target was in which state from a time to another, in ms since the epoch; in the order of the targets. */
export function reportRows(targets: readonly TargetPeriods[], from: number, to: number, limit: number): ReportRow[] {
  const all = Math.max(0, Math.floor((to - from) / 1000))
  return targets.slice(0, limit).map((target) => {
    const lasted: Record<string, number> = {}
    for (const part of stretches(target, from, to)) {
      lasted[part.state] = (lasted[part.state] ?? 0) + part.to - part.from
    }
    const [synced = 0, drifted = 0, accepted = 0] = KNOWN.map((state) => Math.floor((lasted[state] ?? 0) / 1000))
    const unknown = all - synced - drifted - accepted
    return {
      repo: target.repo,
      server: target.server,
      from: formatTime(from),
      to: formatTime(to),
      seconds: all,
      synced_seconds: synced,
      drifted_seconds: drifted,
      accepted_seconds: accepted,
      unknown_seconds: unknown,
      synced_share: shareOf(synced, all),
      drifted_share: shareOf(drifted, all),
      accepted_share: shareOf(accepted, all),
      unknown_share: shareOf(unknown, all),
    }
  })
}

/** Rounded down: 99.999 % in sync is not all of the time. */
function shareOf(part: number, all: number): number {
  return all === 0 ? 0 : Math.floor((part / all) * 10_000) / 10_000
}
