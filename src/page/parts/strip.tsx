import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Stretch } from '../data/history.ts'
import { minute } from '../data/state.ts'
import { STATES, type State, titleOf } from '../data/targets.ts'
import { count, duration, short } from '../words.ts'

/** The width of the drawing, and the least width of a stretch by state, in its units. */
const WIDTH = 1000
const NARROWEST: Record<State, number> = { drift: 12, failing: 10, missing: 8, stale: 8, accepted: 8, 'in-sync': 6 }
/** The least width of the last stretch, which is of now: a recovery must not vanish behind what was before it. */
const NARROWEST_NOW = 14
/** States differ in height as well, so that they can be told apart without colour. */
const TOP: Record<State, number> = { drift: 0, failing: 2, accepted: 5, 'in-sync': 7, stale: 10, missing: 13 }
const HEIGHT = 16
/** The number of stretches, the newest, in the text for screen readers. */
const SAID_MAX = 4

interface StripProps {
  readonly stretches: readonly Stretch[]
  /** The length of the shown time before now, in ms. */
  readonly ms: number
  /** The subject of the strip and its time: `db-2, last 7 days`. */
  readonly label: string
  /** It is as wide as the page, not as a column of it. */
  readonly isWide?: boolean
}

/** About the width of a column, for which the least widths are meant, in pixels. */
const COLUMN_WIDTH = 300

interface Drawn extends Stretch {
  readonly x: number
  readonly width: number
}

/** The states of a target or a repository until now. What the pointer is at is described. */
export function Strip({ stretches, ms, label, isWide = false }: StripProps): JSX.Element {
  const [chosen, choose] = useState<number | undefined>(undefined)
  const begin = minute.value - ms
  const drawn = draw(stretches, begin, minute.value, isWide ? Math.min(1, COLUMN_WIDTH / window.innerWidth) : 1)
  const stretch = chosen === undefined ? undefined : drawn[Math.min(chosen, drawn.length - 1)]
  const onPointerMove = (event: PointerEvent & { currentTarget: HTMLElement }): void => {
    const { left, width } = event.currentTarget.getBoundingClientRect()
    choose(nearest(drawn, ((event.clientX - left) / width) * WIDTH))
  }
  if (drawn.length === 0) return <div class="strip" />
  return (
    <div
      class="strip"
      role="img"
      aria-label={`${label}: ${inWords(drawn, begin, minute.value)}`}
      onPointerMove={onPointerMove}
      onPointerDown={onPointerMove}
      onPointerLeave={() => choose(undefined)}
    >
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        <path class="track" d={`M0 ${HEIGHT}h${WIDTH}v-1h-${WIDTH}z`} />
        {STATES.toReversed().map((state) => (
          <path key={state} class={state} d={pathOf(drawn, state)} />
        ))}
        {stretch !== undefined && (
          <path class="chosen" d={`M${stretch.x} ${HEIGHT + 3}h${stretch.width}v-2h-${stretch.width}z`} />
        )}
      </svg>
      {stretch !== undefined && (
        <span class={`tip${stretch.x < WIDTH / 2 ? ' left' : ''}`} aria-hidden="true">
          {describe(stretch, begin, minute.value)}
        </span>
      )}
    </div>
  )
}

/** @param scale of the least widths */
function draw(stretches: readonly Stretch[], begin: number, end: number, scale: number): Drawn[] {
  const shown = stretches.filter(({ to }) => to === undefined || to > begin)
  const ms = end - begin
  return shown.map((stretch, index) => {
    const isNow = index === shown.length - 1 && stretch.to === undefined
    const room = isNow || shown.at(-1)?.to !== undefined ? WIDTH : WIDTH - NARROWEST_NOW * scale
    const from = Math.max(stretch.from, begin)
    const x = ((from - begin) / ms) * WIDTH
    const natural = (((stretch.to ?? end) - from) / ms) * WIDTH
    const width = Math.max(natural, NARROWEST[stretch.state] * scale, isNow ? NARROWEST_NOW * scale : 0)
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

function inWords(stretches: readonly Stretch[], begin: number, end: number): string {
  const said = stretches.toReversed().slice(0, SAID_MAX)
  const more = stretches.length - said.length
  return [...said.map((each) => describe(each, begin, end)), ...(more > 0 ? [`and ${more} before`] : [])].join('; ')
}

function describe({ state, from, to, files }: Stretch, begin: number, end: number): string {
  const isDrifted = files > 0 && (state === 'drift' || state === 'accepted')
  // The history does not say which of them are files.
  const what = isDrifted ? `, ${count(files, 'difference')}` : ''
  // The state began before the fetched history, so its start is not known here.
  const isOlder = from <= begin
  const long = `${isOlder ? 'more than ' : ''}${duration((to ?? end) - from)}`
  return `${titleOf(state)}${what}: ${isOlder ? 'before ' : ''}${short(from)} – ${to === undefined ? 'now' : short(to)} (${long})`
}
