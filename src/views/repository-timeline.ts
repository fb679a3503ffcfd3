import type { FromSchema } from 'json-schema-to-ts'
import { type Stretch, type TargetPeriods, stretches } from '../status/periods.ts'
import { STATES, targetProperties } from '../status/schema.ts'
import { groupsBy } from './groups.ts'
import { joined, stretchProperties, stretchRow, worstFirst } from './stretch-rows.ts'

/** A time during which a repository was in one state. */
export const repositoryTimelineRowSchema = {
  title: 'RepositoryTimelineRow',
  description:
    'A period in which a repository was in one state, the worst of its targets. There is no row while it has no target.',
  type: 'object',
  required: ['repo', 'state', 'status', 'from', 'to', 'seconds', 'worst'],
  properties: {
    repo: targetProperties.repo,
    ...stretchProperties,
    worst: {
      type: 'integer',
      minimum: 1,
      description: 'The largest number of its targets in that state at the same time.',
    },
  },
  additionalProperties: false,
} as const

export type RepositoryTimelineRow = FromSchema<typeof repositoryTimelineRowSchema>

/** A stretch of a repository, with the largest number of its targets that were in that state at once. */
interface WorstStretch extends Stretch {
  readonly worst: number
}

/**
 * What states repositories were in, each the worst of any of its targets: those that are not in sync at the end of the
 * range first, the worst of them first, then those that changed last.
 *
 * @param from in ms since the epoch, as is `to`
 * @param limit the largest number of repositories
 */
export function repositoryTimelineRows(
  targets: readonly TargetPeriods[],
  from: number,
  to: number,
  limit: number,
): RepositoryTimelineRow[] {
  const courses = [...groupsBy(targets, ({ repo }) => repo)].map(([repo, group]) => ({
    repo,
    parts: joined(worstStretches(group, from, to), (one, other) => ({
      ...one,
      worst: Math.max(one.worst, other.worst),
    })),
  }))
  return worstFirst(courses, to, limit).flatMap(({ repo, parts }) =>
    parts.map((part) => ({ repo, ...stretchRow(part), worst: part.worst })),
  )
}

/**
 * The worst state of some targets from each time at which one of them changed until the next, in the order of time; nothing
 * while none of them is there.
 *
 * @param from in ms since the epoch, as is `to`
 */
function* worstStretches(targets: readonly TargetPeriods[], from: number, to: number): Generator<WorstStretch> {
  const changes = changesOf(targets, from, to)
  const times = [...changes.keys()].toSorted((one, other) => one - other)
  const counts = STATES.map(() => 0)
  for (const [index, at] of times.entries()) {
    for (const [rank, change] of (changes.get(at) ?? []).entries()) counts[rank] = (counts[rank] ?? 0) + change
    const rank = counts.findIndex((count) => count > 0)
    const [state, worst, next] = [STATES[rank], counts[rank], times[index + 1]]
    if (state !== undefined && worst !== undefined && next !== undefined) yield { from: at, to: next, state, worst }
  }
}

/** By how many the targets in each state become more, in the order of `STATES`, at each time at which one changes. */
function changesOf(targets: readonly TargetPeriods[], from: number, to: number): Map<number, number[]> {
  const changes = new Map<number, number[]>()
  const change = (at: number, rank: number, by: number): void => {
    const counts = changes.get(at) ?? STATES.map(() => 0)
    counts[rank] = (counts[rank] ?? 0) + by
    changes.set(at, counts)
  }
  for (const target of targets) {
    for (const stretch of stretches(target, from, to)) {
      const rank = STATES.indexOf(stretch.state)
      change(stretch.from, rank, 1)
      change(stretch.to, rank, -1)
    }
  }
  return changes
}
