import type { JSX } from 'preact'
import { Ago, Name } from './parts.tsx'
import { fileLines, setView } from './state.ts'
import { count } from './words.ts'

/** More lines would take long to draw; the filter finds the others. */
const LINES_MAX = 1000

/** What differs, a line for each name; a line opens the servers on which it does. */
export function FileList(): JSX.Element {
  const lines = fileLines.value
  if (lines.length === 0) return <p class="nothing">Nothing differs on the targets that match.</p>
  return (
    <>
      <table class="lines">
        <thead>
          <tr>
            <th scope="col">File</th>
            <th scope="col">Repository</th>
            <th scope="col">Servers</th>
            <th scope="col">Oldest</th>
            <th scope="col">Odd one out</th>
          </tr>
        </thead>
        <tbody>
          {lines.slice(0, LINES_MAX).map(({ key, name, repo, servers, since, odd }) => (
            <tr key={key}>
              <th scope="row">
                <button type="button" onClick={() => setView({ list: 'servers', query: name })}>
                  <Name>{name}</Name>
                </button>
              </th>
              <td>
                <Name>{repo}</Name>
              </td>
              <td>
                {count(servers.length, 'server')}
                {servers.length === 1 && (
                  <>
                    {': '}
                    <Name>{servers[0] ?? ''}</Name>
                  </>
                )}
              </td>
              <td>
                <Ago time={since} />
              </td>
              <td>{odd !== undefined && <Name>{odd}</Name>}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {lines.length > LINES_MAX && <p class="nothing">And {count(lines.length - LINES_MAX, 'file')} more.</p>}
    </>
  )
}
