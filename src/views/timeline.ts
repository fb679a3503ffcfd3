import type { FromSchema } from 'json-schema-to-ts'
import { STATES, targetProperties, time } from '../status/schema.ts'
import { formatTime } from '../status/time.ts'
import { type Stretch, type TargetPeriods, stretches } from '../status/periods.ts'
import { STATE_WORDS } from './words.ts'

/** A time during which a target was in one state. */
export const timelineRowSchema = {
  title: 'TimelineRow',
  description: 'A time during which a target was in one state.',
  type: 'object',
  required: ['target', 'repo', 'server', 'state', 'status', 'from', 'to', 'seconds'],
  properties: {
    target: { type: 'string', description: 'The repository and the server.' },
    ...targetProperties,
    state: { type: 'string', enum: STATES, description: 'The state.' },
    status: { type: 'string', description: 'The state in words.' },
    from: { ...time, description: 'When it began, or the range.' },
    to: { ...time, description: 'When it ended, or the range.' },
    seconds: { type: 'integer', minimum: 0, description: 'How long it lasted, within the range.' },
  },
  additionalProperties: false,
} as const

export type TimelineRow = FromSchema<typeof timelineRowSchema>

interface Shown {
  readonly target: TargetPeriods
  readonly parts: readonly Stretch[]
  /** The place of its state at the end, the worst first; the last is that of a target that is not there then. */
  readonly rank: number
  /** When the last state began, in ms since the epoch. */
  readonly changed: number
}

/**
 * What states targets were in: those that are not in sync at the end of the range first, the worst of them first, then
 * those that changed last.
 *
 * @param limit the largest number of targets
 */
export function timelineRows(
  targets: readonly TargetPeriods[],
  from: number,
  to: number,
  limit: number,
): TimelineRow[] {
  const shown = targets.flatMap((target): Shown[] => {
    const parts = joined(stretches(target, from, to))
    const last = parts.at(-1)
    if (last === undefined) return []
    return [{ target, parts, rank: last.to >= to ? STATES.indexOf(last.state) : STATES.length, changed: last.from }]
  })
  return shown
    .toSorted((one, other) => one.rank - other.rank || other.changed - one.changed)
    .slice(0, limit)
    .flatMap(({ target: { repo, server }, parts }) =>
      parts.map((part) => ({
        target: `${repo} / ${server}`,
        repo,
        server,
        state: part.state,
        status: STATE_WORDS.get(part.state) ?? part.state,
        from: formatTime(part.from),
        to: formatTime(part.to),
        seconds: Math.floor((part.to - part.from) / 1000),
      })),
    )
}

/** Joins stretches of one state that follow one another: between them something else has changed. */
function joined(parts: readonly Stretch[]): Stretch[] {
  const result: Stretch[] = []
  for (const part of parts) {
    const before = result.at(-1)
    if (before?.state === part.state && before.to === part.from) result[result.length - 1] = { ...before, to: part.to }
    else result.push(part)
  }
  return result
}
