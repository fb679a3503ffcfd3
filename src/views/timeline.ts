import type { FromSchema } from 'json-schema-to-ts'
import { targetProperties } from '../status/schema.ts'
import { type TargetPeriods, stretches } from '../status/periods.ts'
import { joined, stretchProperties, stretchRow, worstFirst } from './stretch-rows.ts'

/** A period in which a target was in one state. */
export const timelineRowSchema = {
  title: 'TimelineRow',
  description: 'A period in which a target was in one state.',
  type: 'object',
  required: ['target', 'repo', 'server', 'state', 'status', 'from', 'to', 'seconds'],
  properties: {
    target: { type: 'string', description: 'The repository and the server.' },
    ...targetProperties,
    ...stretchProperties,
  },
  additionalProperties: false,
} as const

export type TimelineRow = FromSchema<typeof timelineRowSchema>

/**
 * What states targets were in: those that are not in sync at the end of the range first, the worst of them first, then
 * those that changed last.
 *
 * @param from in ms since the epoch, as is `to`
 * @param limit the largest number of targets
 */
export function timelineRows(
  targets: readonly TargetPeriods[],
  from: number,
  to: number,
  limit: number,
): TimelineRow[] {
  const courses = targets.map((target) => ({ target, parts: joined(stretches(target, from, to)) }))
  return worstFirst(courses, to, limit).flatMap(({ target: { repo, server }, parts }) =>
    parts.map((part) => ({ target: `${repo} / ${server}`, repo, server, ...stretchRow(part) })),
  )
}
