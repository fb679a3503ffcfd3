import type { JSX } from 'preact'
import { Ago, Name } from './parts.tsx'
import type { DriftedFile, Target } from './targets.ts'
import { count, exact, visible, visibleName } from './words.ts'

const FILES_MAX = 200
const DIFF_LINES_MAX = 400
const DIFF_LENGTH_MAX = 64 * 1024

/** The details of a target: its drifted files with their times, and other properties of the snapshot. */
export function Details({ id, target }: { id: string; target: Target }): JSX.Element {
  const { files, commit, branch, lastCheck, since, drifted, state } = target
  return (
    <div id={id} class="details">
      {state === 'stale' && (
        <p>
          The last check said {drifted ? 'out of sync' : 'in sync'}. It is too old to be trusted: no newer one has come.
        </p>
      )}
      {files.length > 0 && (
        <ul class="files" role="list">
          {files.slice(0, FILES_MAX).map((file, index) => (
            <File key={`${index} ${file.name}`} file={file} />
          ))}
        </ul>
      )}
      {files.length > FILES_MAX && (
        <p>
          And {count(files.length - FILES_MAX, 'file')} more, in <a href="status.json">status.json</a>.
        </p>
      )}
      <dl>
        <Fact name="Last check">{lastCheck !== undefined && exact(lastCheck)}</Fact>
        <Fact name={drifted ? 'Out of sync since' : 'In sync since'}>{since !== undefined && exact(since)}</Fact>
        <Fact name="Commit">{commit !== undefined && <code>{visibleName(commit)}</code>}</Fact>
        <Fact name="Branch">{branch !== undefined && <Name>{branch}</Name>}</Fact>
      </dl>
    </div>
  )
}

function Fact({ name, children }: { name: string; children: JSX.Element | string | false }): JSX.Element | false {
  return (
    children !== false && (
      <div>
        <dt>{name}</dt>
        <dd>{children}</dd>
      </div>
    )
  )
}

function File({ file: { name, since, diff } }: { file: DriftedFile }): JSX.Element {
  return (
    <li>
      <div class="file">
        <code>
          <Name>{name}</Name>
        </code>
        {since !== undefined && (
          <span class="quiet">
            drifted <Ago time={since} />
          </span>
        )}
      </div>
      {diff !== undefined && (
        <details>
          <summary>Difference</summary>
          <Diff text={diff} label={`Difference of ${visibleName(name)}`} />
        </details>
      )}
    </li>
  )
}

function Diff({ text, label }: { text: string; label: string }): JSX.Element {
  const lines = text.trimEnd().slice(0, DIFF_LENGTH_MAX).split('\n', DIFF_LINES_MAX)
  const shown = lines.join('\n').length
  return (
    <>
      <pre tabIndex={0} role="region" aria-label={label}>
        {lines.map((line, index) => (
          <span key={index} class={classOf(line, index)}>
            {visible(line.replaceAll('\t', '    '))}
            {'\n'}
          </span>
        ))}
      </pre>
      {shown < text.trimEnd().length && (
        <p class="quiet">
          Cut here: {count(text.length - shown, 'character')} more, in <a href="status.json">status.json</a>.
        </p>
      )}
    </>
  )
}

/** The first two lines of a unified diff name the files. */
function classOf(line: string, index: number): string | undefined {
  if (line.startsWith('@@') || (index < 2 && /^(---|\+\+\+) /.test(line))) return 'hunk'
  if (line.startsWith('+')) return 'added'
  return line.startsWith('-') ? 'removed' : undefined
}
