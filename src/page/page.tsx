import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Announcer } from './announcer.tsx'
import { Banners } from './banners.tsx'
import { EmptyState } from './empty-state.tsx'
import { Ago, StateIcon } from './parts.tsx'
import {
  connection,
  counts,
  listed,
  setView,
  newestCheck,
  sentences,
  statusDocument,
  targets,
  toggleState,
  view,
} from './state.ts'
import { STATES, type State, stateNamed, titleOf } from './targets.ts'
import { TargetList } from './target-list.tsx'
import { useWindowTitle } from './window-title.ts'
import { writeView } from './view.ts'
import { count, visible } from './words.ts'

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
            <h2 class="visually-hidden">Targets</h2>
            {targets.value.length === 0 ? <EmptyState /> : <TargetList />}
          </div>
        )}
      </main>
      <Footer />
      <Announcer />
    </div>
  )
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

function Controls({ filter }: { filter: { readonly current: HTMLInputElement | null } }): JSX.Element {
  const { query, grouped, states } = view.value
  const all = query === '' && states.size === 0
  return (
    <search class="controls">
      <input
        ref={filter}
        type="search"
        value={query}
        placeholder="Filter by name, file, label or reason"
        aria-label="Filter by repository, server, file, label or reason"
        aria-keyshortcuts="/"
        autocomplete="off"
        spellcheck={false}
        onInput={({ currentTarget }) => setView({ query: currentTarget.value })}
      />
      <kbd aria-hidden="true">/</kbd>
      <label>
        <input type="checkbox" checked={grouped} onChange={() => setView({ grouped: !grouped })} />
        Group by repository
      </label>
      <output>{all ? count(listed.value, 'target') : `${count(listed.value, 'target')} listed`}</output>
    </search>
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

/** `/` focuses the filter, Esc clears it, the down arrow and Enter move from it to the list. */
function useShortcuts(filter: { readonly current: HTMLInputElement | null }): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
      const isTyping = event.target === filter.current
      if (event.key === '/' && !isTyping && filter.current !== null) {
        filter.current.focus()
        filter.current.select()
      } else if (event.key === 'Escape' && (view.value.query !== '' || view.value.states.size > 0)) {
        setView({ query: '', states: new Set() })
      } else if (isTyping && (event.key === 'ArrowDown' || event.key === 'Enter')) {
        document.querySelector<HTMLElement>('.targets button')?.focus()
      } else return
      event.preventDefault()
    }
    document.addEventListener('keydown', onKeyDown)
    return () => document.removeEventListener('keydown', onKeyDown)
  }, [filter])
}
