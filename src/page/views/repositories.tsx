import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { repositoryLines } from '../listing.ts'
import { Marked } from '../parts/marked.tsx'
import { addressOf, follow } from '../address/navigation.ts'
import { Ago, StateIcon } from '../parts/parts.tsx'
import { term } from '../address/query.ts'
import { hasServer } from '../data/state.ts'
import { Strip } from '../parts/strip.tsx'
import { STRIP_MS, repositoryStrips, requestRepositoryStrips } from '../data/strips.ts'
import type { RepositorySum } from '../data/sums.ts'
import { statesIn, wordOf } from '../data/targets.ts'
import { count, visibleName } from '../words.ts'

/** A line for each repository; it opens its servers. */
export function RepositoryList(): JSX.Element {
  const lines = repositoryLines.value
  useEffect(() => void requestRepositoryStrips())
  if (lines.length === 0) return <p class="nothing">No repository matches.</p>
  return (
    <table class="lines">
      <thead>
        <tr>
          <th scope="col">Repository</th>
          <th scope="col">Targets</th>
          <th scope="col">States</th>
          {hasServer.value && <th scope="col">Worst state, last 7 days</th>}
          <th scope="col">Newest check</th>
        </tr>
      </thead>
      <tbody>
        {lines.map((line) => (
          <RepositoryLine key={line.repo} line={line} />
        ))}
      </tbody>
    </table>
  )
}

function RepositoryLine({ line }: { line: RepositorySum }): JSX.Element {
  const { repo, targets, counts, newestCheck, silent } = line
  const change = { list: 'servers', query: term('repo', repo) } as const
  return (
    <tr>
      <th scope="row">
        <a href={addressOf(change)} onClick={(event) => follow(event, change)}>
          <Marked>{repo}</Marked>
        </a>
      </th>
      <td class="number-of">{count(targets, 'target')}</td>
      <td>
        {statesIn(counts).map((state) => (
          <span key={state} class={`word ${state}`}>
            <StateIcon state={state} />
            {counts[state]} {wordOf(state)}
          </span>
        ))}
      </td>
      {hasServer.value && (
        <td class="with-strips">
          <Strip
            stretches={repositoryStrips.value.get(repo) ?? []}
            ms={STRIP_MS}
            label={`Worst state of ${visibleName(repo)} in the last 7 days`}
          />
        </td>
      )}
      <td>
        {silent && <b class="silent stale">no reports, last </b>}
        <Ago time={newestCheck} />
      </td>
    </tr>
  )
}
