import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { view } from '../address/navigation.ts'
import { hasServer } from '../data/state.ts'
import { items, takeNews, waiting } from '../listing.ts'
import { count } from '../words.ts'
import { usePrinting } from '../servers/printing.ts'
import { useSelection } from '../servers/selection.ts'
import { useSteadyPlace } from '../servers/steady.ts'
import { VirtualList } from '../servers/virtual-list.tsx'
import { WholeList } from '../servers/whole-list.tsx'

/** Up to this number, all lines are rendered, so that the browser's search finds them. */
const WHOLE_MAX = 1000

/** The number of lines that are rendered at once while the reader types. */
const QUICK_MAX = 100
const REST_MS = 250

/** The list of targets. The arrow keys move between them. */
export function TargetList(): JSX.Element {
  const lines = items.value
  const isAtRest = useRest() || lines.length <= QUICK_MAX
  const isWhole = usePrinting() || (lines.length <= WHOLE_MAX && isAtRest)
  const list = useRef<HTMLDivElement>(null)
  useSelection()
  useSteadyPlace(list)
  if (lines.length === 0) return <p class="nothing">No target matches. Esc shows all.</p>
  return (
    <div ref={list} class={hasServer.value ? 'with-strips' : ''}>
      <News />
      <div class="heads" aria-hidden="true">
        <span>State</span>
        <span>Server</span>
        <span>Differences, since when</span>
        {hasServer.value && <span>Last 7 days</span>}
        <span>Last check</span>
      </div>
      {isWhole ? <WholeList lines={lines} /> : <VirtualList lines={lines} />}
    </div>
  )
}

/** True if the filter and the order have been the same for a while: rendering 1,000 lines at each key would take long. */
function useRest(): boolean {
  const [shown, show] = useState(view.value)
  useEffect(() => {
    const timer = setTimeout(() => show(view.value), REST_MS)
    return () => clearTimeout(timer)
  }, [view.value])
  return shown === view.value
}

/** The number of targets with news; the list does not move while it is being read. */
function News(): JSX.Element {
  const { size } = waiting.value
  return (
    <p class="waiting">
      {size > 0 && (
        <button type="button" onClick={takeNews}>
          Show {count(size, 'change')}
        </button>
      )}
    </p>
  )
}
