import type { JSX } from 'preact'
import { now } from './state.ts'
import { STATE_WORDS, type State } from './targets.ts'
import { ago, exact, visibleName } from './words.ts'

/** States differ in shape, so that they can be told apart without colour. */
export function StateIcon({ state }: { state: State }): JSX.Element {
  return (
    <svg class={`icon ${state}`} viewBox="0 0 20 20" aria-hidden="true">
      {state === 'drift' && (
        <>
          <path class="shape" d="M10 .8 19.2 10 10 19.2.8 10z" />
          <path class="mark" d="M10 5.6v5.4M10 14v.1" />
        </>
      )}
      {state === 'stale' && (
        <>
          <circle class="ring" cx="10" cy="10" r="8" />
          <path class="hands" d="M10 5.6V10l3 2" />
        </>
      )}
      {state === 'in-sync' && (
        <>
          <circle class="shape" cx="10" cy="10" r="9" />
          <path class="mark" d="m5.9 10.3 2.9 2.9 5.3-5.9" />
        </>
      )}
    </svg>
  )
}

export function StateWord({ state }: { state: State }): JSX.Element {
  return (
    <span class={`word ${state}`}>
      <StateIcon state={state} />
      {STATE_WORDS[state]}
    </span>
  )
}

/** Text from a snapshot or an edit, isolated: its direction does not affect the text around it. */
export function Name({ children }: { children: string }): JSX.Element {
  return <bdi>{visibleName(children)}</bdi>
}

/** A relative time, with the exact one on hover. */
export function Ago({ time }: { time: number | undefined }): JSX.Element {
  if (time === undefined) return <span>never</span>
  return (
    <time dateTime={new Date(time).toISOString()} title={exact(time)}>
      {ago(now.value - time)}
    </time>
  )
}
