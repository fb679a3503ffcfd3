import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { listed, setView, view } from './state.ts'
import { LISTS, type List, ORDERS, type Order } from './view.ts'
import { count, sentence } from './words.ts'

type Filter = { readonly current: HTMLInputElement | null }

const NOUNS: Readonly<Record<List, readonly [one: string, many: string]>> = {
  servers: ['target', 'targets'],
  files: ['file', 'files'],
  repositories: ['repository', 'repositories'],
}
const ORDER_WORDS: Readonly<Record<Order, string>> = {
  worst: 'Worst and longest first',
  newest: 'Newest first',
  name: 'By name',
}

/** What is listed, how, and how much of it. */
export function Controls({ filter }: { filter: Filter }): JSX.Element {
  const { list, order, query, grouped, states } = view.value
  const all = query === '' && states.size === 0
  const listedNow = count(listed.value, ...NOUNS[list])
  return (
    <search class="controls">
      <div class="lists" role="group" aria-label="List">
        {LISTS.map((each) => (
          <button key={each} type="button" aria-pressed={each === list} onClick={() => setView({ list: each })}>
            {sentence(each)}
          </button>
        ))}
      </div>
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
      {list === 'servers' && (
        <>
          <label>
            <span class="visually-hidden">Order</span>
            <select
              value={order}
              onChange={({ currentTarget }) =>
                setView({ order: ORDERS.find((each) => each === currentTarget.value) ?? 'worst' })
              }
            >
              {ORDERS.map((each) => (
                <option key={each} value={each}>
                  {ORDER_WORDS[each]}
                </option>
              ))}
            </select>
          </label>
          <label>
            <input type="checkbox" checked={grouped} onChange={() => setView({ grouped: !grouped })} />
            Group by repository
          </label>
        </>
      )}
      <output>{all ? listedNow : `${listedNow} listed`}</output>
    </search>
  )
}

/** `/` focuses the filter, Esc clears it, the down arrow and Enter move from it to the list. */
export function useShortcuts(filter: Filter): void {
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
        document.querySelector<HTMLElement>('.targets button, .lines button')?.focus()
      } else return
      event.preventDefault()
    }
    document.addEventListener('keydown', onKeyDown)
    return () => document.removeEventListener('keydown', onKeyDown)
  }, [filter])
}
