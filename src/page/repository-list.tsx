import type { JSX } from 'preact'
import { Ago, Name, StateIcon } from './parts.tsx'
import { repositoryLines, setView } from './state.ts'
import { STATES, wordOf } from './targets.ts'

/** A line for each repository; it opens its servers. */
export function RepositoryList(): JSX.Element {
  const lines = repositoryLines.value
  if (lines.length === 0) return <p class="nothing">No repository matches.</p>
  return (
    <table class="lines">
      <thead>
        <tr>
          <th scope="col">Repository</th>
          <th scope="col">Targets</th>
          <th scope="col">States</th>
          <th scope="col">Newest check</th>
        </tr>
      </thead>
      <tbody>
        {lines.map(({ repo, targets, counts, newestCheck, silent }) => (
          <tr key={repo}>
            <th scope="row">
              <button type="button" onClick={() => setView({ list: 'servers', query: repo })}>
                <Name>{repo}</Name>
              </button>
            </th>
            <td>{targets}</td>
            <td>
              {STATES.filter((state) => counts[state] > 0).map((state) => (
                <span key={state} class={`word ${state}`}>
                  <StateIcon state={state} />
                  {counts[state]} {wordOf(state)}
                </span>
              ))}
            </td>
            <td class={silent ? 'word stale' : ''}>
              <Ago time={newestCheck} />
              {silent && ', silent since'}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
