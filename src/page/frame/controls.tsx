import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { listed } from '../listing.ts'
import { addressOf, follow, setView, view } from '../address/navigation.ts'
import { LISTS, type List, ORDERS, type Order } from '../address/view.ts'
import { count, sentence } from '../words.ts'

type Filter = { readonly current: HTMLInputElement | null }

const NOUNS: Readonly<Record<Exclude<List, 'activity'>, readonly [one: string, many: string]>> = {
  servers: ['target', 'targets'],
  files: ['file', 'files'],
  repositories: ['repository', 'repositories'],
}
const ORDER_WORDS: Readonly<Record<Order, string>> = {
  worst: 'Worst and longest first',
  newest: 'Newest first',
  name: 'By name',
}

/** The controls for the list, its filter and its order. */
export function Controls({ filter }: { filter: Filter }): JSX.Element {
  const { list, query } = view.value
  return (
    <search class="controls">
      <nav class="lists" aria-label="Lists">
        {LISTS.map((each) => (
          <a
            key={each}
            href={addressOf({ list: each })}
            aria-current={each === list ? 'page' : undefined}
            onClick={(event) => follow(event, { list: each })}
          >
            {sentence(each)}
          </a>
        ))}
      </nav>
      <span class="filter">
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
      </span>
      {list === 'servers' && <OrderOfServers />}
      {list !== 'activity' && <Listed list={list} />}
    </search>
  )
}

function OrderOfServers(): JSX.Element {
  const { order, grouped } = view.value
  return (
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
  )
}

function Listed({ list }: { list: Exclude<List, 'activity'> }): JSX.Element {
  const { query, states } = view.value
  const listedNow = count(listed.value, ...NOUNS[list])
  return <output>{query === '' && states.size === 0 ? listedNow : `${listedNow} listed`}</output>
}

/** `/` focuses the filter, Esc clears it, the down arrow and Enter move from it to the list. */
export function useShortcuts(filter: Filter): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
      const isTyping = event.target === filter.current
      const { query, states } = view.value
      if (event.key === '/' && !isTyping && filter.current !== null) {
        filter.current.focus()
        filter.current.select()
      } else if (event.key === 'Escape' && (query !== '' || states.size > 0)) {
        setView({ query: '', states: new Set() })
      } else if (isTyping && (event.key === 'ArrowDown' || event.key === 'Enter')) {
        document.querySelector<HTMLElement>('.targets .opener, .lines tbody a')?.focus()
      } else return
      event.preventDefault()
    }
    document.addEventListener('keydown', onKeyDown)
    return () => document.removeEventListener('keydown', onKeyDown)
  }, [filter])
}
