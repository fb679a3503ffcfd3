import type { ComponentChildren, JSX } from 'preact'
import { addressOf, follow } from '../address/navigation.ts'
import { minute } from '../data/state.ts'
import { type State, type Target, titleOf } from '../data/targets.ts'
import { ago, exact, visibleName } from '../words.ts'

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
      {state === 'failing' && (
        <>
          <rect class="shape" x="1.5" y="1.5" width="17" height="17" rx="2.5" />
          <path class="mark" d="m6.4 6.4 7.2 7.2m0-7.2-7.2 7.2" />
        </>
      )}
      {state === 'missing' && (
        <>
          <path class="question" d="M5.2 6.6a4.8 4.8 0 1 1 7.5 4c-1.8 1.2-2.7 1.9-2.7 3.5" />
          <path class="question" d="M10 18.4v.1" />
        </>
      )}
      {state === 'stale' && (
        <>
          <circle class="ring" cx="10" cy="10" r="8" />
          <path class="hands" d="M10 5.6V10l3 2" />
        </>
      )}
      {state === 'accepted' && (
        <>
          <path class="shape" d="M10 .8 17.8 4v5.6c0 4.6-3 7.9-7.8 9.7-4.8-1.8-7.8-5.1-7.8-9.7V4z" />
          <path class="mark" d="M7.6 6.9v5.4m4.8-5.4v5.4" />
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
      {titleOf(state)}
    </span>
  )
}

/** Text from a snapshot or an edit, isolated: its direction does not affect the text around it. */
export function Name({ children }: { children: string }): JSX.Element {
  return <bdi>{visibleName(children)}</bdi>
}

/** A link to the page of a target. */
export function TargetLink({ target: { repo, server }, class: name = '', children }: TargetLinkProps): JSX.Element {
  const change = { target: { repo, server }, kiosk: false }
  return (
    // Dragging selects the name, as other text.
    <a class={name} href={addressOf(change)} draggable={false} onClick={(event) => follow(event, change)}>
      {children}
    </a>
  )
}

interface TargetLinkProps {
  readonly target: Pick<Target, 'repo' | 'server'>
  readonly class?: string
  readonly children: ComponentChildren
}

/** A link to the page of a CI run, in a new tab. */
export function PipelineLink({ url, of: server, children }: PipelineLinkProps): JSX.Element {
  return (
    <OtherSite url={url}>
      {children}
      <span class="visually-hidden"> of {visibleName(server)}</span>
    </OtherSite>
  )
}

/** A link that opens in a new tab and sends no referrer; without a URL only its content. */
export function OtherSite({ url, children }: { url: string | undefined; children: ComponentChildren }): JSX.Element {
  if (url === undefined) return <>{children}</>
  return (
    <a href={url} target="_blank" rel="noopener noreferrer">
      {children}
      <span class="visually-hidden">, in a new tab</span>
    </a>
  )
}

interface PipelineLinkProps {
  readonly url: string
  /** The server that was checked. */
  readonly of: string
  readonly children: string
}

/** A relative time, with the exact one on hover. */
export function Ago({ time }: { time: number | undefined }): JSX.Element {
  if (time === undefined) return <span>never</span>
  return (
    <time dateTime={new Date(time).toISOString()} title={exact(time)}>
      {ago(minute.value - time)}
    </time>
  )
}
