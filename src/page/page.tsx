import type { JSX } from 'preact'
import { useRef } from 'preact/hooks'
import { Announcer } from './announcer.tsx'
import { Banners } from './banners.tsx'
import { Controls, useShortcuts } from './controls.tsx'
import { EmptyState } from './empty-state.tsx'
import { FileList } from './file-list.tsx'
import { Ago, StateIcon } from './parts.tsx'
import { RepositoryList } from './repository-list.tsx'
import { connection, counts, newestCheck, sentences, statusDocument, targets, toggleState, view } from './state.ts'
import { STATES, type State, stateNamed, titleOf } from './targets.ts'
import { TargetList } from './target-list.tsx'
import { useWindowTitle } from './window-title.ts'
import { writeView } from './view.ts'
import { sentence, visible } from './words.ts'

export function Page(): JSX.Element {
  const filter = useRef<HTMLInputElement>(null)
  useShortcuts(filter)
  useWindowTitle()
  const { kiosk } = view.value
  const lost = connection.value.kind === 'lost'
  return (
    <div class={`page${kiosk ? ' kiosk' : ''}${lost ? ' lost' : ''}`}>
      <header>
        <h1>GitOps status</h1>
      </header>
      <main>
        <Banners />
        {targets.value !== undefined && (
          <div class="document">
            {targets.value.length > 0 && <Verdict />}
            <Summary />
            {!kiosk && targets.value.length > 0 && <Controls filter={filter} />}
            <h2 class="visually-hidden">{sentence(view.value.list)}</h2>
            {targets.value.length === 0 ? <EmptyState /> : <List />}
          </div>
        )}
      </main>
      <Footer />
      <Announcer />
    </div>
  )
}

/** The list that was chosen. */
function List(): JSX.Element {
  return { servers: <TargetList />, files: <FileList />, repositories: <RepositoryList /> }[view.value.list]
}

/** What is true of all targets, in sentences; each has the colour of the state that it is about. */
function Verdict(): JSX.Element {
  return (
    <p class="verdict">
      {sentences.value.map(({ state, text }) => (
        <span key={text} class={stateNamed(state) ?? ''}>
          {visible(text)}{' '}
        </span>
      ))}
    </p>
  )
}

/** The connection to the server, and the age of the newest check. Neither is a verdict on the targets. */
function Freshness(): JSX.Element {
  const words = { connecting: 'Connecting', live: 'Connected', lost: 'Not connected' }
  return (
    <p class="freshness">
      <span class={`lamp ${connection.value.kind}`} />
      {words[connection.value.kind]}
      {newestCheck.value !== undefined && (
        <span class="quiet">
          , newest check <Ago time={newestCheck.value} />
        </span>
      )}
    </p>
  )
}

/** These counts are shown only if they are not zero, or if the filter has the state. */
const OCCASIONAL: ReadonlySet<State> = new Set(['failing', 'missing', 'accepted'])

/** The number of targets in each state. Each is a button that filters the list. */
function Summary(): JSX.Element {
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

function Footer(): JSX.Element {
  const generation = statusDocument.value?.generation
  const { kiosk } = view.value
  return (
    <footer class="quiet">
      <Freshness />
      {!kiosk && generation !== undefined && <span>Generation {generation}</span>}
      {!kiosk && <a href="status.json">status.json</a>}
      <a href={`.${writeView({ ...view.value, kiosk: !kiosk })}`}>{kiosk ? 'Leave the wall view' : 'Wall view'}</a>
    </footer>
  )
}
