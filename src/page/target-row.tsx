import type { JSX } from 'preact'
import { Details } from './files.tsx'
import { Ago, Name, PipelineLink, StateIcon, StateWord } from './parts.tsx'
import { now, opened, toggleOpened } from './state.ts'
import { Strip } from './strip.tsx'
import { type Acceptance, type Target, beginOf, wordOf } from './targets.ts'
import { differences, differencesByName, duration, exact, toTheMinute, visible } from './words.ts'

/** Characters of a reason in the row. The details have more. */
const REASON_LENGTH_MAX = 200

/** A target, with a button that opens its details. */
export function TargetRow({ target, id }: { target: Target; id: string }): JSX.Element {
  const { key, repo, server, state, stateBehind, verdict, files, note, lastCheck, failed, acceptance } = target
  const pipelineUrl = failed === undefined ? target.pipelineUrl : failed.pipelineUrl
  const open = opened.value.has(key)
  return (
    <div class={`row ${state}`}>
      <div class="state" id={`${id}-state`}>
        <StateWord state={state} />
      </div>
      <div class="name">
        <button
          type="button"
          aria-expanded={open}
          aria-controls={`${id}-details`}
          aria-describedby={`${id}-state ${id}-since`}
          data-key={key}
          onClick={() => toggleOpened(key)}
        >
          <span class="server">
            <Name>{server}</Name>
          </span>
          <span class="repo">
            <span class="visually-hidden">, repository </span>
            <Name>{repo}</Name>
          </span>
        </button>
        {failed !== undefined && <Reason>{failed.reason}</Reason>}
        {acceptance !== undefined && <Accepted acceptance={acceptance} />}
        {note !== undefined && (
          <p class="note" title={note}>
            <Name>{note}</Name>
          </p>
        )}
      </div>
      <div class="since" id={`${id}-since`}>
        {stateBehind === verdict && files.length > 0 && (
          <b>
            <Name>{differencesByName(files)}</Name>
          </b>
        )}{' '}
        <span class="quiet">{sinceWhen(target)}</span> {stateBehind !== verdict && <LastVerdict target={target} />}
      </div>
      <Strip target={target} />
      <div class="check">
        <span class="visually-hidden">Last check </span>
        <Ago time={lastCheck} />
        {pipelineUrl !== undefined && (
          <PipelineLink url={pipelineUrl} of={server}>
            {failed === undefined ? 'Pipeline' : 'Failed pipeline'}
          </PipelineLink>
        )}
      </div>
      {open && <Details id={`${id}-details`} target={target} />}
    </div>
  )
}

/** The beginning of the reason of a failed check. */
function Reason({ children }: { children: string }): JSX.Element {
  const shown = oneLine(children)
  return (
    <p class="reason" title={visible(shown)}>
      <StateIcon state="failing" />
      <span class="visually-hidden">Why the check failed: </span>
      <Name>{shown}</Name>
    </p>
  )
}

/** Until when and why a target is accepted. */
function Accepted({ acceptance: { until, reason } }: { acceptance: Acceptance }): JSX.Element {
  const shown = oneLine(reason)
  return (
    <p class="reason accepted" title={visible(shown)}>
      <StateIcon state="accepted" />
      until <time title={exact(until)}>{toTheMinute(until)}</time>: <Name>{shown}</Name>
    </p>
  )
}

function oneLine(reason: string): string {
  return reason.slice(0, REASON_LENGTH_MAX).replace(/\s+/g, ' ').trim()
}

/** What the last check said of a target whose state is something else. */
function LastVerdict({ target: { stateBehind: state, verdict, files } }: { target: Target }): JSX.Element | false {
  if (verdict === undefined) return state !== 'missing' && <span class="said">never checked</span>
  return (
    <span class="said">
      last check: {wordOf(verdict)}
      {files.length > 0 && (
        <>
          , <Name>{differences(files).replace(/^(\d+) /, '$1\u00A0')}</Name>
        </>
      )}
    </span>
  )
}

function sinceWhen(target: Target): string {
  const { stateBehind, unknownState } = target
  const begin = beginOf(target)
  if (unknownState !== undefined) return 'in a state that this page does not know'
  if (begin === undefined) return ''
  const long = duration(now.value - begin)
  return {
    drift: `drifted for ${long}`,
    failing: `failing for ${long}`,
    missing: `known for ${long}`,
    stale: `no check for ${long}`,
    'in-sync': `in sync for ${long}`,
  }[stateBehind]
}
