import type { JSX } from 'preact'
import { NEW_MS } from '../../views/verdict.ts'
import { minute } from '../data/state.ts'
import { Details } from '../target/details.tsx'
import { STRIP_MS, stripOf } from '../data/strips.ts'
import { opened, query, toggleOpened, waiting } from '../listing.ts'
import { Marked } from '../parts/marked.tsx'
import { Ago, Name, PipelineLink, StateIcon, StateWord, TargetLink } from '../parts/parts.tsx'
import { findsName } from '../address/query.ts'
import { NameList } from '../parts/name-list.tsx'
import { sinceWhen } from '../parts/since.ts'
import { Strip } from '../parts/strip.tsx'
import { type Acceptance, type DriftedFile, type Target, wordOf } from '../data/targets.ts'
import { differences, exact, toTheMinute, visible, visibleName } from '../words.ts'

/** Characters of a reason in the row. The details have more. */
const REASON_LENGTH_MAX = 200

/** A target, with a button that opens its details. */
export function TargetRow({ target, id }: { target: Target; id: string }): JSX.Element {
  const { key, repo, server, state, stateBehind, verdict, files, note, lastCheck, failed, acceptance } = target
  const pipelineUrl = failed === undefined ? target.pipelineUrl : failed.pipelineUrl
  const open = opened.value.has(key)
  return (
    <div class={`row ${state}`} onClick={(event) => isOfRow(event) && toggleOpened(key)}>
      <button
        type="button"
        class="opener"
        aria-label={`${visibleName(server)}, repository ${visibleName(repo)}`}
        aria-expanded={open}
        aria-controls={`${id}-details`}
        aria-describedby={`${id}-state ${id}-since`}
        data-key={key}
        onClick={() => toggleOpened(key)}
      />
      <div class="state" id={`${id}-state`}>
        <StateWord state={state} />
        <News of={target} />
      </div>
      <div class="name">
        <TargetLink target={target} class="server">
          <Marked>{server}</Marked>
        </TargetLink>
        <span class="repo">
          <span class="visually-hidden">Repository </span>
          <Marked>{repo}</Marked>
        </span>
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
            <FileNames files={files} />
          </b>
        )}{' '}
        <span class="quiet">{sinceWhen(target)}</span>
        {isNew(target, minute.value) && <span class="fresh">new</span>}{' '}
        {stateBehind !== verdict && <LastVerdict target={target} />}
      </div>
      <Strip stretches={stripOf(target)} ms={STRIP_MS} label="Last 7 days" />
      <div class="check">
        <span>
          <span class="label">checked </span>
          <Ago time={lastCheck} />
        </span>
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

/** As the verdict counts it. */
function isNew({ state, since }: Target, time: number): boolean {
  return state === 'drift' && since !== undefined && time - since < NEW_MS
}

/** True if a click is meant for the row: not for something in it, and not the end of selecting text. */
function isOfRow({ target }: MouseEvent): boolean {
  const isOther = target instanceof Element && target.closest('a, button, input, summary, .details') !== null
  return !isOther && document.getSelection()?.isCollapsed !== false
}

/** The new state of a target, if the row shows an earlier one. */
function News({ of: target }: { of: Target }): JSX.Element | false {
  if (!waiting.value.has(target.key)) return false
  const present = waiting.value.get(target.key)
  if (present?.state === target.state) return <span class="news">has changed</span>
  return <span class="news">{present === undefined ? 'was removed' : `is now ${wordOf(present.state)}`}</span>
}

/** The names of the differences; those that the filter finds come first. */
function FileNames({ files }: { files: readonly DriftedFile[] }): JSX.Element {
  const [found, others] = [true, false].map((isFound) =>
    files.flatMap(({ name }) => (findsName(query.value, name) === isFound ? name : [])),
  )
  return <NameList names={[...(found ?? []), ...(others ?? [])]} />
}

/** The beginning of the reason of a failed check. */
function Reason({ children }: { children: string }): JSX.Element {
  const shown = oneLine(children)
  return (
    <p class="reason" title={visible(shown)}>
      <StateIcon state="failing" />
      <span class="visually-hidden">Why the check failed: </span>
      <Marked>{shown}</Marked>
    </p>
  )
}

/** The end and the reason of an acceptance. */
function Accepted({ acceptance: { until, reason } }: { acceptance: Acceptance }): JSX.Element {
  const shown = oneLine(reason)
  return (
    <p class="reason accepted" title={visible(shown)}>
      <StateIcon state="accepted" />
      until <time title={exact(until)}>{toTheMinute(until)}</time>: <Marked>{shown}</Marked>
    </p>
  )
}

function oneLine(reason: string): string {
  return reason.slice(0, REASON_LENGTH_MAX).replace(/\s+/g, ' ').trim()
}

/** The verdict of the last check, for a target with another state. */
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
