import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { now } from './state.ts'
import { STRIP_MS, type Stretch, strips } from './strips.ts'
import { STATES, type State, type Target, titleOf } from './targets.ts'
import { count, duration, short } from './words.ts'

/** The width of the drawing, and the least width of a stretch by state, in its units. */
const WIDTH = 1000
const NARROWEST: Record<State, number> = { drift: 7, failing: 5, missing: 4, stale: 4, accepted: 4, 'in-sync': 0 }
/** The least width of the last stretch, which is of now: a recovery must not vanish behind what was before it. */
const NARROWEST_NOW = 7
/** States differ in height as well, so that they can be told apart without colour. */
const TOP: Record<State, number> = { drift: 0, failing: 2, accepted: 5, 'in-sync': 7, stale: 10, missing: 13 }
const HEIGHT = 16

interface Drawn extends Stretch {
  readonly x: number
  readonly width: number
}

/** The states of a target in the last seven days. The pointer and the arrow keys select a stretch, which is described. */
export function Strip({ target }: { target: Target }): JSX.Element {
  const [chosen, choose] = useState<number | undefined>(undefined)
  const stretches = draw(strips.value.get(target.key) ?? [], now.value)
  if (stretches.length === 0) return <div class="strip" />
  const at = Math.min(chosen ?? stretches.length - 1, stretches.length - 1)
  const stretch = stretches[at]
  const description = stretch === undefined ? '' : describe(stretch, now.value)

  const onKeyDown = (event: KeyboardEvent): void => {
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: stretches.length - 1 }[event.key]
    if (event.key === 'Escape' && chosen !== undefined) choose(undefined)
    else if (to !== undefined) choose(Math.max(0, Math.min(to, stretches.length - 1)))
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  const onPointerMove = (event: PointerEvent & { currentTarget: HTMLElement }): void => {
    const { left, width } = event.currentTarget.getBoundingClientRect()
    choose(nearest(stretches, ((event.clientX - left) / width) * WIDTH))
  }
  return (
    <div
      class="strip"
      role="slider"
      tabIndex={0}
      aria-label="Last 7 days"
      aria-orientation="horizontal"
      aria-valuemin={1}
      aria-valuemax={stretches.length}
      aria-valuenow={at + 1}
      aria-valuetext={description}
      onKeyDown={onKeyDown}
      onFocus={() => choose(at)}
      onBlur={() => choose(undefined)}
      onPointerMove={onPointerMove}
      onPointerDown={onPointerMove}
      onPointerLeave={() => choose(undefined)}
    >
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        <path class="track" d={`M0 ${HEIGHT}h${WIDTH}v-1h-${WIDTH}z`} />
        {STATES.toReversed().map((state) => (
          <path key={state} class={state} d={pathOf(stretches, state)} />
        ))}
        {chosen !== undefined && stretch !== undefined && (
          <path class="chosen" d={`M${stretch.x} ${HEIGHT + 3}h${stretch.width}v-2h-${stretch.width}z`} />
        )}
      </svg>
      {chosen !== undefined && (
        <span class="tip" aria-hidden="true">
          {description}
        </span>
      )}
    </div>
  )
}

function draw(stretches: readonly Stretch[], end: number): Drawn[] {
  const begin = end - STRIP_MS
  const shown = stretches.filter(({ to }) => to === undefined || to > begin)
  return shown.map((stretch, index) => {
    const isNow = index === shown.length - 1 && stretch.to === undefined
    const room = isNow || shown.at(-1)?.to !== undefined ? WIDTH : WIDTH - NARROWEST_NOW
    const from = Math.max(stretch.from, begin)
    const x = ((from - begin) / STRIP_MS) * WIDTH
    const natural = (((stretch.to ?? end) - from) / STRIP_MS) * WIDTH
    const width = Math.max(natural, NARROWEST[stretch.state], isNow ? NARROWEST_NOW : 0)
    const left = Math.max(0, Math.min(x, room - width))
    return { ...stretch, from, x: left, width: Math.min(width, room - left) }
  })
}

function pathOf(stretches: readonly Drawn[], state: State): string {
  return stretches
    .filter((each) => each.state === state)
    .map(({ x, width }) => `M${x.toFixed(1)} ${TOP[state]}h${width.toFixed(1)}V${HEIGHT}h-${width.toFixed(1)}z`)
    .join('')
}

/** The stretch at `x`. A worse state takes precedence over its neighbours, because it may be very narrow. */
function nearest(stretches: readonly Drawn[], x: number): number {
  const under = stretches.flatMap((each, index) => (x >= each.x && x <= each.x + each.width ? [index] : []))
  const worst = STATES.map((state) => under.findLast((index) => stretches[index]?.state === state))
  return worst.find((index) => index !== undefined) ?? (x < (stretches[0]?.x ?? 0) ? 0 : stretches.length - 1)
}

function describe({ state, from, to, files }: Stretch, end: number): string {
  const isDrifted = files > 0 && (state === 'drift' || state === 'accepted')
  // The history does not say which of them are files.
  const what = isDrifted ? `, ${count(files, 'difference')}` : ''
  // What began before the history that was asked for: its true beginning is not known here.
  const isOlder = from <= end - STRIP_MS
  const begin = `${isOlder ? 'before ' : ''}${short(from)}`
  const long = `${isOlder ? 'more than ' : ''}${duration((to ?? end) - from)}`
  return `${titleOf(state)}${what}: ${begin} – ${to === undefined ? 'now' : short(to)} (${long})`
}
