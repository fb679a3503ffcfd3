import type { JSX } from 'preact'
import { commitLink } from '../parts/links.ts'
import { Differences } from './differences.tsx'
import { Name, OtherSite, PipelineLink, TargetLink } from '../parts/parts.tsx'
import { type Acceptance, type FailedCheck, type Target, titleOf, wordOf } from '../data/targets.ts'
import { count, exact, visible, visibleName } from '../words.ts'

const REASON_LENGTH_MAX = 4096
const STATE_LENGTH_MAX = 100
/** More differences are folded. */
const UNFOLDED_MAX = 3

/** The content of an opened row: the reason of the state, the differences, and other properties of the snapshot. */
export function Details({ id, target }: { id: string; target: Target }): JSX.Element {
  return (
    <div id={id} class="details">
      <Reasons target={target} />
      <Differences target={target} isFolded={target.files.length > UNFOLDED_MAX} />
      <Facts target={target} />
      <p>
        <TargetLink target={target}>
          History, changes and commands<span class="visually-hidden"> of {visibleName(target.server)}</span>
        </TargetLink>
      </p>
    </div>
  )
}

/** The reason of the state. */
export function Reasons({ target }: { target: Target }): JSX.Element {
  const { acceptance, failed, server } = target
  return (
    <>
      {acceptance !== undefined && <Accepted acceptance={acceptance} server={server} />}
      {failed !== undefined && <Failure failed={failed} server={server} />}
      <Doubt target={target} />
    </>
  )
}

/** Times, commit, branch, labels and pipeline. */
export function Facts({ target }: { target: Target }): JSX.Element {
  const { commit, branch, lastCheck, since, verdict, failed, server, pipelineUrl, labels } = target
  return (
    <dl>
      <Fact name={failed === undefined ? 'Last check' : 'Last completed check'}>
        {lastCheck !== undefined && exact(lastCheck)}
      </Fact>
      <Fact name={verdict === undefined ? 'Known since' : `${titleOf(verdict)} since`}>
        {since !== undefined && exact(since)}
      </Fact>
      <Fact name="Commit">
        {commit !== undefined && (
          <OtherSite url={commitLink(target, commit)}>
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
        {pipelineUrl !== undefined && (
          <PipelineLink url={pipelineUrl} of={server}>
            Pipeline
          </PipelineLink>
        )}
      </Fact>
    </dl>
  )
}

/** The acceptance of a target. */
function Accepted({ acceptance: { until, reason }, server }: { acceptance: Acceptance; server: string }): JSX.Element {
  return (
    <>
      <p>Accepted until {exact(until)}:</p>
      <Why label={`Reason for the acceptance of ${visibleName(server)}`}>{reason}</Why>
    </>
  )
}

/** The failed checks of a target. */
function Failure({ failed, server }: { failed: FailedCheck; server: string }): JSX.Element {
  const { since, at, reason, pipelineUrl } = failed
  return (
    <>
      {at !== undefined && (
        <p>
          {since === undefined || since === at
            ? `The check failed at ${exact(at)}:`
            : `The check has failed since ${exact(since)}, most recently at ${exact(at)}:`}
        </p>
      )}
      <Why label={`Reason of the failed check of ${visibleName(server)}`}>{reason}</Why>
      {pipelineUrl !== undefined && (
        <p>
          <PipelineLink url={pipelineUrl} of={server}>
            Failed pipeline
          </PipelineLink>
        </p>
      )}
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
          {count(reason.length - REASON_LENGTH_MAX, 'character')} more in <a href="status.json">status.json</a>.
        </p>
      )}
    </>
  )
}

/** The verdict of the last check, if it differs from the state. */
function Doubt({ target: { stateBehind: state, verdict, unknownState } }: { target: Target }): JSX.Element | false {
  if (state === verdict) return false
  return (
    <p>
      {unknownState !== undefined && (
        <>
          This page does not know the state <Name>{unknownState.slice(0, STATE_LENGTH_MAX)}</Name>.{' '}
        </>
      )}
      {verdict === undefined
        ? 'No check of this target has been completed.'
        : `The last check said ${wordOf(verdict)}.`}
      {verdict !== undefined && state === 'failing' && ' This may have changed.'}
      {verdict !== undefined &&
        state === 'stale' &&
        unknownState === undefined &&
        ' It is too old: the server has not received a newer one.'}
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
