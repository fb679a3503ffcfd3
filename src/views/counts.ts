import type { FromSchema } from 'json-schema-to-ts'
import { STATES, type State, summarySchema, time } from '../status/schema.ts'
import { formatTime } from '../status/time.ts'
import { type TargetPeriods, stretches } from '../status/periods.ts'

const { drifted, failing, missing, stale, accepted, synced } = summarySchema.properties

/** The number of targets in each state at a time. */
export const countsRowSchema = {
  title: 'CountsRow',
  description: 'The number of targets in each state at a time.',
  type: 'object',
  required: ['time', ...STATES],
  properties: {
    time: { ...time, description: 'The time of the count.' },
    drifted,
    failing,
    missing,
    stale,
    accepted,
    synced,
  },
  additionalProperties: false,
} as const

export type CountsRow = FromSchema<typeof countsRowSchema>

/**
 * Counts the targets in each state at times that lie at equal distances, the first and the last of the range among them.
 *
 * @param from in ms since the epoch, as is `to`
 * @param points 2 or more
 */
export function countsRows(targets: readonly TargetPeriods[], from: number, to: number, points: number): CountsRow[] {
  const step = (to - from) / (points - 1)
  // The differences to the point before: a stretch changes two of them, however long it is.
  const changes = new Map(STATES.map((state) => [state, new Int32Array(points + 1)]))
  const firstAt = (at: number): number => (step === 0 ? 0 : Math.min(points, Math.ceil((at - from) / step)))
  for (const target of targets) {
    // The last point belongs to the stretch in which the range ends.
    for (const stretch of stretches(target, from, to + 1)) {
      const counts = changes.get(stretch.state)
      if (counts === undefined) continue
      const [begin, end] = [firstAt(stretch.from), stretch.to > to ? points : firstAt(stretch.to)]
      counts[begin] = (counts[begin] ?? 0) + 1
      counts[end] = (counts[end] ?? 0) - 1
    }
  }
  const counts: Record<State, number> = { drifted: 0, failing: 0, missing: 0, stale: 0, accepted: 0, synced: 0 }
  return Array.from({ length: points }, (_, point) => {
    for (const state of STATES) counts[state] += changes.get(state)?.[point] ?? 0
    return { time: formatTime(from + point * step), ...counts }
  })
}
