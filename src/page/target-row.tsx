import type { JSX } from 'preact'
import { Details } from './files.tsx'
import { Ago, Name, StateWord } from './parts.tsx'
import { now, opened, toggleOpened } from './state.ts'
import { Strip } from './strip.tsx'
import type { Target } from './targets.ts'
import { count, duration, visibleName } from './words.ts'

/** A target, with a button that opens its details. */
export function TargetRow({ target, id }: { target: Target; id: string }): JSX.Element {
  const { key, repo, server, state, files, note, lastCheck, pipelineUrl } = target
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
        {note !== undefined && (
          <p class="note" title={note}>
            <Name>{note}</Name>
          </p>
        )}
      </div>
      <div class="since" id={`${id}-since`}>
        {files.length > 0 && <b>{count(files.length, 'file')}</b>} <span class="quiet">{sinceWhen(target)}</span>
      </div>
      <Strip target={target} />
      <div class="check">
        <span class="visually-hidden">Last check </span>
        <Ago time={lastCheck} />
        {pipelineUrl !== undefined && (
          <a href={pipelineUrl} target="_blank" rel="noopener noreferrer">
            Pipeline<span class="visually-hidden"> of {visibleName(server)}, in a new tab</span>
          </a>
        )}
      </div>
      {open && <Details id={`${id}-details`} target={target} />}
    </div>
  )
}

function sinceWhen({ state, since, lastCheck }: Target): string {
  const from = state === 'stale' ? lastCheck : since
  if (from === undefined) return ''
  const long = duration(now.value - from)
  return { drift: `drifted for ${long}`, stale: `no check for ${long}`, 'in-sync': `in sync for ${long}` }[state]
}
