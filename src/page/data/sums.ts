import { latest } from '../../views/latest.ts'
import { type DriftedFile, type State, type Target, countStates } from './targets.ts'

/** A difference of one name on some servers of a repository. */
export interface FileSum {
  readonly key: string
  readonly repo: string
  readonly name: string
  readonly kind: DriftedFile['kind']
  /** The servers that have the difference. */
  readonly servers: readonly string[]
  /** Since when it differs on the first of them. */
  readonly since: number | undefined
  /** The only server whose difference is not that of all the others. */
  readonly odd: string | undefined
}

/** The differences by repository and name: those of the most servers first, and of these the oldest. */
export function fileSums(
  targets: readonly Target[],
  isListed: (file: DriftedFile, target: Target) => boolean,
): FileSum[] {
  const places = targets.flatMap((target) =>
    target.files.filter((file) => isListed(file, target)).map((file) => ({ target, file })),
  )
  const groups = Map.groupBy(places, ({ target, file }) => `${target.repo}\n${file.name}`)
  return [...groups]
    .flatMap(([key, group]) => {
      const [first] = group
      if (first === undefined) return []
      const { target, file } = first
      const since = oldest(group.map((each) => each.file.since))
      const servers = group.map((each) => each.target.server)
      return [{ key, repo: target.repo, name: file.name, kind: file.kind, servers, since, odd: oddOneOut(group) }]
    })
    .toSorted((a, b) => b.servers.length - a.servers.length || (a.since ?? 0) - (b.since ?? 0))
}

interface Place {
  readonly target: Target
  readonly file: DriftedFile
}

/** Of two servers, neither is the odd one. */
function oddOneOut(places: readonly Place[]): string | undefined {
  if (places.length < 3) return undefined
  const groups = [...Map.groupBy(places, ({ file }) => file.diff).values()]
  const single = groups.find((group) => group.length === 1)
  return groups.length === 2 ? single?.[0]?.target.server : undefined
}

/** The targets of a repository. */
export interface RepositorySum {
  readonly repo: string
  readonly counts: Record<State, number>
  readonly targets: number
  readonly newestCheck: number | undefined
  /** Nothing is known of any of its targets by a check any more. */
  readonly silent: boolean
}

/** The repositories, in the order of their first target. */
export function repositorySums(targets: readonly Target[]): RepositorySum[] {
  return [...byRepo(targets)].map(([repo, group]) => {
    const counts = countStates(group)
    return {
      repo,
      counts,
      targets: group.length,
      newestCheck: latest(group.map(({ lastCheck }) => lastCheck)),
      silent: counts.stale > 0 && counts.stale + counts.missing === group.length,
    }
  })
}

/** The targets of each repository; the repositories in the order of their first target. */
export function byRepo(targets: readonly Target[]): Map<string, Target[]> {
  return Map.groupBy(targets, ({ repo }) => repo)
}

function oldest(times: readonly (number | undefined)[]): number | undefined {
  return times.reduce((one, other) => ((other ?? Infinity) < (one ?? Infinity) ? other : one), undefined)
}
