import type { JSX } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { selected } from '../listing.ts'
import { Name, StateIcon, TargetLink } from '../parts/parts.tsx'
import { type Target, byNewest, countStates, statesIn, wordOf } from '../data/targets.ts'
import { sinceWhen } from '../parts/since.ts'
import { cut } from '../words.ts'

/** The size of a tile, in em: the largest with which all targets that are not in sync fit, else the smallest. */
const DENSITIES = [
  { name: 'large', width: 21, height: 5.6 },
  { name: 'medium', width: 14, height: 3.6 },
  { name: 'small', width: 9.5, height: 1.9 },
] as const
type Density = (typeof DENSITIES)[number]
const GAP = 0.4
/** The height of the line that says what does not fit, in em. */
const REST_HEIGHT = 1.9
/** Below this width, in em, it takes three lines. */
const WIDE = 45
/** The number of names in a large tile. */
const NAMES_MAX = 2

/** As many targets as fit on the screen, those not in sync first and of these the newest, and how many more there are. */
export function Wall(): JSX.Element {
  const box = useRef<HTMLDivElement>(null)
  const { width, height } = useSize(box)
  const targets = byNewest(selected.value)
  const bad = targets.filter(({ state }) => state !== 'in-sync').length
  const density = DENSITIES.find((each) => capacity(each, width, height) >= bad) ?? DENSITIES[2]
  const isAll = targets.length <= capacity(density, width, height)
  const shown = isAll
    ? targets
    : targets.slice(0, capacity(density, width, height - (width < WIDE ? 3 : 1) * REST_HEIGHT))
  return (
    <div ref={box} class="wall">
      {targets.length === 0 && <p class="nothing">No target matches.</p>}
      <ul role="list" class={`tiles ${density.name}`}>
        {shown.map((target) => (
          <Tile key={target.key} target={target} density={density} />
        ))}
      </ul>
      {!isAll && <Rest targets={targets.slice(shown.length)} />}
    </div>
  )
}

function Tile({ target, density: { name } }: { target: Target; density: Density }): JSX.Element {
  const { repo, server, state, files, failed } = target
  return (
    <li class={`tile ${state}`}>
      <TargetLink target={target}>
        <StateIcon state={state} />
        <span class="visually-hidden">{wordOf(state)}: </span>
        <b>
          <Name>{server}</Name>
        </b>
        {name !== 'small' && <span class="how-long">{sinceWhen(target)}</span>}
        {name === 'large' && (
          <>
            <span class="repo">
              <Name>{repo}</Name>
            </span>
            <span class="what">
              <Name>{failed === undefined ? names(target) : cut(failed.reason.replace(/\s+/g, ' '))}</Name>
              {failed === undefined && files.length > NAMES_MAX && ` and ${files.length - NAMES_MAX} more`}
            </span>
          </>
        )}
      </TargetLink>
    </li>
  )
}

function names({ files }: Target): string {
  return files
    .slice(0, NAMES_MAX)
    .map((file) => cut(file.name))
    .join(', ')
}

/** The targets that do not fit, with their states, so that the view does not look better than it is. */
function Rest({ targets }: { targets: readonly Target[] }): JSX.Element {
  const counts = countStates(targets)
  return (
    <p class="rest">
      <b>+{targets.length.toLocaleString('en')} more:</b>
      {statesIn(counts).map((state) => (
        <span key={state} class={`word ${state}`}>
          <StateIcon state={state} />
          {counts[state].toLocaleString('en')} {wordOf(state)}
        </span>
      ))}
    </p>
  )
}

/** The number of tiles that fit, one at least. */
function capacity({ width, height }: Density, roomWidth: number, roomHeight: number): number {
  const columns = Math.max(1, Math.floor((roomWidth + GAP) / (width + GAP)))
  const rows = Math.max(1, Math.floor((roomHeight + GAP) / (height + GAP)))
  return columns * rows
}

/** The size of an element, in em. */
function useSize(element: { readonly current: HTMLElement | null }): { width: number; height: number } {
  const [size, setSize] = useState({ width: 0, height: 0 })
  useLayoutEffect(() => {
    const { current } = element
    if (current === null) return undefined
    const measure = (): void => {
      const em = Number.parseFloat(getComputedStyle(current).fontSize)
      setSize({ width: current.clientWidth / em, height: current.clientHeight / em })
    }
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(current)
    return () => observer.disconnect()
  }, [element])
  return size
}
