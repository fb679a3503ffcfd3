import type { JSX } from 'preact'
import type { Change } from '../data/history.ts'
import { Name, OtherSite, PipelineLink, StateWord, TargetLink } from './parts.tsx'
import { commitLink } from './links.ts'
import { targetNamed } from '../data/state.ts'
import { Marked } from './marked.tsx'
import { NameList } from './name-list.tsx'
import { short, exact, visibleName } from '../words.ts'

/** The words for a cause. */
const CAUSES: ReadonlyMap<string, string> = new Map([
  ['snapshot', 'check'],
  ['edit', 'edit'],
  ['restore', 'restore'],
  ['delete', 'removed by a request'],
  ['accept', 'acceptance changed by a request'],
  ['time', 'time passed'],
  ['recovery', 'found at start'],
])
/** The words for a change that the state does not show. */
const CHANGES: ReadonlyMap<string, string> = new Map([
  ['first_seen', 'first seen'],
  ['files_changed', 'other differences'],
  ['came_back', 'checked again'],
  ['check_failed', 'check failed'],
])
const COMMIT_LENGTH = 10

/** A table of changes with their causes, the newest first. */
export function ChangeList({ changes, isOfOne }: { changes: readonly Change[]; isOfOne: boolean }): JSX.Element {
  return (
    <table class="lines changes">
      <thead>
        <tr>
          <th scope="col">Time</th>
          {!isOfOne && <th scope="col">Server</th>}
          <th scope="col">State</th>
          <th scope="col">Differences</th>
          <th scope="col">Cause</th>
          <th scope="col">Commit</th>
        </tr>
      </thead>
      <tbody>
        {changes.map((change) => (
          <ChangeLine
            key={`${change.generation} ${change.time} ${change.state} ${change.repo} ${change.server}`}
            change={change}
            isOfOne={isOfOne}
          />
        ))}
      </tbody>
    </table>
  )
}

function ChangeLine({ change, isOfOne }: { change: Change; isOfOne: boolean }): JSX.Element {
  const { time, repo, server, state, cause, token, pipelineUrl } = change
  return (
    <tr>
      <td>
        <time dateTime={new Date(time).toISOString()} title={exact(time)}>
          {short(time)}
        </time>
      </td>
      {!isOfOne && (
        <th scope="row">
          <TargetLink target={{ repo, server }}>
            <Marked>{server}</Marked>
          </TargetLink>
          <span class="repo">
            <Marked>{repo}</Marked>
          </span>
        </th>
      )}
      <td>{state === undefined ? <span class="word none">Removed</span> : <StateWord state={state} />}</td>
      <td>
        <What change={change} />
      </td>
      <td>
        {CAUSES.get(cause) ?? cause}
        {token !== undefined && (
          <>
            , token <Name>{token}</Name>
          </>
        )}
        {pipelineUrl !== undefined && (
          <>
            {', '}
            <PipelineLink url={pipelineUrl} of={server}>
              pipeline
            </PipelineLink>
          </>
        )}
      </td>
      <td>
        <Commit change={change} />
      </td>
    </tr>
  )
}

function What({ change: { state, files, changes } }: { change: Change }): JSX.Element {
  const said = changes.flatMap((each) => CHANGES.get(each) ?? [])
  const isDrifted = state === 'drift' || state === 'accepted'
  return (
    <>
      {isDrifted && <NameList names={files} />}
      {said.length > 0 && (
        <span class="quiet">
          {isDrifted && files.length > 0 && ' · '}
          {said.join(', ')}
        </span>
      )}
    </>
  )
}

function Commit({ change: { repo, server, commit } }: { change: Change }): JSX.Element | false {
  if (commit === undefined) return false
  const target = targetNamed(repo, server)
  return (
    <OtherSite url={target === undefined ? undefined : commitLink(target, commit)}>
      <code title={visibleName(commit)}>{visibleName(commit.slice(0, COMMIT_LENGTH))}</code>
    </OtherSite>
  )
}
