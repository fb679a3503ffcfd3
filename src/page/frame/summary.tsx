import type { JSX } from 'preact'
import { toggleState } from '../listing.ts'
import { view } from '../address/navigation.ts'
import { StateIcon } from '../parts/parts.tsx'
import { counts } from '../data/state.ts'
import { STATES, type State, titleOf } from '../data/targets.ts'

/** These counts are shown only if they are not zero, or if the filter has the state. */
const OCCASIONAL: ReadonlySet<State> = new Set(['failing', 'missing', 'accepted'])

/** The number of targets in each state. Each is a button that filters the list. */
export function Summary(): JSX.Element {
  return (
    <div class="summary" role="group" aria-label="Targets by state">
      {STATES.filter((state) => !OCCASIONAL.has(state) || counts.value[state] > 0 || view.value.states.has(state)).map(
        (state) => (
          <Count key={state} state={state} />
        ),
      )}
    </div>
  )
}

function Count({ state }: { state: State }): JSX.Element {
  const number = counts.value[state]
  const content = (
    <>
      <span class="number">{number.toLocaleString('en')}</span>
      <span class={`word ${number === 0 ? 'none' : state}`}>
        <StateIcon state={state} />
        {titleOf(state)}
      </span>
    </>
  )
  const appearance = `count ${number === 0 ? 'none' : state}`
  if (view.value.kiosk) return <div class={appearance}>{content}</div>
  return (
    <button
      type="button"
      class={appearance}
      aria-pressed={view.value.states.has(state)}
      onClick={() => toggleState(state)}
    >
      {content}
    </button>
  )
}
