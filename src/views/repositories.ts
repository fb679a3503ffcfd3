import type { FromSchema } from 'json-schema-to-ts'
import { type Status, type Summary, summarySchema, targetProperties, time } from '../status/schema.ts'
import { summaryOf } from '../status/states.ts'
import { formatTime, timeOf } from '../status/time.ts'
import { groupsBy } from './groups.ts'
import { type At, ageAt, ageProperty, newestCheck } from './ages.ts'

/** A repository as a row of a table. */
export const repositoryRowSchema = {
  title: 'RepositoryRow',
  description: 'The number of targets of a repository in each state.',
  type: 'object',
  required: ['repo', ...summarySchema.required, 'newest_check', 'newest_check_seconds', 'newest_reason'],
  properties: {
    repo: targetProperties.repo,
    ...summarySchema.properties,
    newest_check: { type: ['string', 'null'], format: time.format, description: 'The newest last_check.' },
    newest_check_seconds: ageProperty('The age of newest_check.'),
    newest_reason: { type: ['string', 'null'], description: 'The reason of the newest failed check.' },
  },
  additionalProperties: false,
} as const

export type RepositoryRow = FromSchema<typeof repositoryRowSchema>

/** The repositories of some targets, the one with the most targets that are not in sync first, then by name. */
export function repositoryRows(statuses: readonly Status[], limit: number, now: number): At<RepositoryRow[]> {
  const shown = [...groupsBy(statuses, ({ repo }) => repo)]
    .map(([repo, group]) => repositoryOf(repo, group, now))
    .toSorted((one, other) => notInSync(other) - notInSync(one))
    .slice(0, limit)
  return (asked) => shown.map(({ newest, ...row }) => ({ ...row, newest_check_seconds: ageAt(asked, newest) }))
}

/**
 * The number of targets of each repository in each state, by name, one repository at a time.
 *
 * @param entries sorted by repository, as in a document
 */
export function* repositorySummaries(
  entries: Iterable<{ readonly status: Status }>,
): Generator<Summary & Pick<Status, 'repo'>> {
  let group: Status[] = []
  for (const { status } of entries) {
    const [first] = group
    if (first !== undefined && first.repo !== status.repo) {
      yield { repo: first.repo, ...summaryOf(group) }
      group = []
    }
    group.push(status)
  }
  const [first] = group
  if (first !== undefined) yield { repo: first.repo, ...summaryOf(group) }
}

type Repository = Omit<RepositoryRow, 'newest_check_seconds'> & { readonly newest: number }

function repositoryOf(repo: string, statuses: readonly Status[], now: number): Repository {
  const newest = newestCheck(statuses, now)
  const failures = statuses.flatMap(({ state, failed_check: failed }) => (state === 'failing' && failed ? failed : []))
  const failure = failures.toSorted((one, other) => timeOf(other.at) - timeOf(one.at))[0]
  return {
    repo,
    ...summaryOf(statuses),
    newest_check: Number.isFinite(newest) ? formatTime(newest) : null,
    newest_reason: failure?.reason ?? null,
    newest,
  }
}

const notInSync = ({ targets, synced }: Repository): number => targets - synced
