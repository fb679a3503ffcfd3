import type { JSX } from 'preact'
import { fileLines } from '../listing.ts'
import { Marked } from '../parts/marked.tsx'
import { addressOf, follow } from '../address/navigation.ts'
import { Ago, Name } from '../parts/parts.tsx'
import { term } from '../address/query.ts'
import type { FileSum } from '../data/sums.ts'
import { count } from '../words.ts'

/** More lines would take long to draw; the filter finds the others. */
const LINES_MAX = 1000

/** A line for each name that differs; it opens the servers that have the difference. */
export function FileList(): JSX.Element {
  const lines = fileLines.value
  if (lines.length === 0) return <p class="nothing">The matching targets have no differences.</p>
  return (
    <>
      <table class="lines">
        <thead>
          <tr>
            <th scope="col">File</th>
            <th scope="col">Repository</th>
            <th scope="col">Servers</th>
            <th scope="col">Differs since</th>
            <th scope="col">Odd one out</th>
          </tr>
        </thead>
        <tbody>
          {lines.slice(0, LINES_MAX).map((line) => (
            <FileLine key={line.key} line={line} />
          ))}
        </tbody>
      </table>
      {lines.length > LINES_MAX && <p class="nothing">And {count(lines.length - LINES_MAX, 'file')} more.</p>}
    </>
  )
}

function FileLine({ line: { name, repo, servers, since, odd } }: { line: FileSum }): JSX.Element {
  const change = { list: 'servers', query: `${term('repo', repo)} ${term('file', name)}` } as const
  return (
    <tr>
      <th scope="row">
        <a href={addressOf(change)} onClick={(event) => follow(event, change)}>
          <Marked>{name}</Marked>
        </a>
      </th>
      <td>
        <Marked>{repo}</Marked>
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
  )
}
