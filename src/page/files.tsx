import type { JSX } from 'preact'
import { linkTo } from '../views/links.ts'
import { Ago, Name, OtherSite, PipelineLink } from './parts.tsx'
import { type Acceptance, type DriftedFile, type FailedCheck, type Target, titleOf, wordOf } from './targets.ts'
import { count, differences, exact, visible, visibleName } from './words.ts'

const FILES_MAX = 200
const DIFF_LINES_MAX = 400
const DIFF_LENGTH_MAX = 64 * 1024
const REASON_LENGTH_MAX = 4096
const STATE_LENGTH_MAX = 100

/** The details of a target: what differs since when, and other properties of the snapshot. */
export function Details({ id, target }: { id: string; target: Target }): JSX.Element {
  const { files, commit, branch, lastCheck, since, verdict, failed, acceptance, server, pipelineUrl, labels } = target
  return (
    <div id={id} class="details">
      {acceptance !== undefined && <Accepted acceptance={acceptance} server={server} />}
      {failed !== undefined && <Failure failed={failed} server={server} />}
      <Doubt target={target} />
      {files.length > 0 && (
        <ul class="files" role="list">
          {files.slice(0, FILES_MAX).map((file, index) => (
            <File key={`${index} ${file.name}`} file={file} url={fileLink(target, file)} />
          ))}
        </ul>
      )}
      {files.length > FILES_MAX && (
        <p>
          And <Name>{differences(files.slice(FILES_MAX))}</Name> more, in <a href="status.json">status.json</a>.
        </p>
      )}
      <dl>
        <Fact name="Last check">{lastCheck !== undefined && exact(lastCheck)}</Fact>
        <Fact name={verdict === undefined ? 'Known since' : `${titleOf(verdict)} since`}>
          {since !== undefined && exact(since)}
        </Fact>
        <Fact name="Commit">
          {commit !== undefined && (
            <OtherSite url={commitLink(target)}>
              <code>{visibleName(commit)}</code>
            </OtherSite>
          )}
        </Fact>
        <Fact name="Branch">{branch !== undefined && <Name>{branch}</Name>}</Fact>
        <Fact name="Labels">
          {labels.length > 0 && (
            <ul class="labels" role="list">
              {labels.map((label) => (
                <li key={label}>
                  <Name>{label}</Name>
                </li>
              ))}
            </ul>
          )}
        </Fact>
        <Fact name="Pipeline of the last check">
          {failed !== undefined && pipelineUrl !== undefined && (
            <PipelineLink url={pipelineUrl} of={server}>
              Pipeline
            </PipelineLink>
          )}
        </Fact>
      </dl>
    </div>
  )
}

function commitLink({ links, repo, server, branch, commit }: Target): string | undefined {
  return links?.commit === undefined ? undefined : linkTo(links.commit, { repo, server, branch, commit })
}

/** The page of a file. */
function fileLink({ links, repo, server, branch, commit }: Target, { name }: DriftedFile): string | undefined {
  if (links?.file === undefined) return undefined
  return linkTo(links.file, { repo, server, branch, commit, file: name })
}

/** What somebody has accepted. */
function Accepted({ acceptance: { until, reason }, server }: { acceptance: Acceptance; server: string }): JSX.Element {
  return (
    <>
      <p>Accepted until {exact(until)}:</p>
      <Why label={`Why ${visibleName(server)} is accepted`}>{reason}</Why>
    </>
  )
}

/** The failed checks of a target. */
function Failure({ failed, server }: { failed: FailedCheck; server: string }): JSX.Element {
  const { since, at, reason } = failed
  return (
    <>
      {at !== undefined && (
        <p>
          {since === undefined || since === at
            ? `The check failed at ${exact(at)}:`
            : `The check has failed since ${exact(since)}, most recently at ${exact(at)}:`}
        </p>
      )}
      <Why label={`Why the check of ${visibleName(server)} failed`}>{reason}</Why>
    </>
  )
}

/** A reason with its lines. */
function Why({ label, children: reason }: { label: string; children: string }): JSX.Element {
  const lines = reason.slice(0, REASON_LENGTH_MAX).trim().split(/\r?\n/)
  const text = lines.map((line) => visible(line.replaceAll('\t', '    '))).join('\n')
  return (
    <>
      <pre class="why" tabIndex={0} role="region" aria-label={label}>
        <bdi>{text}</bdi>
      </pre>
      {reason.length > REASON_LENGTH_MAX && (
        <p class="quiet">
          Cut here: {count(reason.length - REASON_LENGTH_MAX, 'character')} more, in{' '}
          <a href="status.json">status.json</a>.
        </p>
      )}
    </>
  )
}

/** What the last check said, if that is not the state. */
function Doubt({ target: { stateBehind: state, verdict, unknownState } }: { target: Target }): JSX.Element | false {
  if (state === verdict) return false
  return (
    <p>
      {unknownState !== undefined && (
        <>
          The server calls the state <Name>{unknownState.slice(0, STATE_LENGTH_MAX)}</Name>, which this page does not
          know.{' '}
        </>
      )}
      {verdict === undefined
        ? 'No check of this target was ever completed.'
        : `The last check said ${wordOf(verdict)}.`}
      {verdict !== undefined && state === 'failing' && ' Whether that is still so is not known.'}
      {verdict !== undefined &&
        state === 'stale' &&
        unknownState === undefined &&
        ' It is too old to be trusted: no newer one has come.'}
    </p>
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

function File({ file: { name, kind, since, diff }, url }: { file: DriftedFile; url: string | undefined }): JSX.Element {
  return (
    <li>
      <div class="file">
        {kind === 'other' ? (
          <span class="other">
            <Name>{name}</Name>
          </span>
        ) : (
          <OtherSite url={url}>
            <code>
              <Name>{name}</Name>
            </code>
          </OtherSite>
        )}
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
      <p class="sides">
        <span class="removed">− on the server</span> <span class="added">+ in Git</span>
      </p>
      <pre class="difference" tabIndex={0} role="region" aria-label={`${label}: - on the server, + in Git`}>
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
