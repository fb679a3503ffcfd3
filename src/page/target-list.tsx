import { type JSX, options } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Name, StateIcon } from './parts.tsx'
import { type Item, items, listed } from './state.ts'
import { strips, requestStrips } from './strips.ts'
import { STATES, wordOf } from './targets.ts'
import { TargetRow } from './target-row.tsx'
import { useVirtualList } from './virtual-list.ts'

const ROW_HEIGHT = 72

/** The list of targets. The arrow keys move between them. */
export function TargetList(): JSX.Element {
  const lines = items.value
  const list = useRef<HTMLUListElement>(null)
  const [focused, focus] = useState<string | undefined>(undefined)
  const top = useTopOf(list)
  const whole = usePrinting()
  const virtual = useVirtualList({
    keys: lines.map(({ key }) => key),
    estimate: ROW_HEIGHT,
    top,
    kept: focused === undefined ? -1 : lines.findIndex(({ key }) => key === focused),
  })
  const seen = virtual.getVirtualItems()

  useEffect(() => requestStrips(seen.flatMap(({ index }) => targetAt(lines, index) ?? [])))

  const move = (event: KeyboardEvent): void => {
    const from = lines.findIndex(({ key }) => key === keyIn(event.target))
    const to = { ArrowDown: nextTarget(lines, from, 1), ArrowUp: nextTarget(lines, from, -1) }[event.key]
    if (to === undefined || (from === -1 && event.key === 'ArrowUp')) return
    event.preventDefault()
    const key = lines[to]?.key
    if (key === undefined) return
    virtual.scrollToIndex(to)
    focus(key)
  }
  useLayoutEffect(() => {
    const button = [...(list.current?.querySelectorAll('button') ?? [])].find(
      ({ dataset }) => dataset['key'] === focused,
    )
    if (button !== document.activeElement) button?.focus({ preventScroll: true })
  }, [focused])

  if (lines.length === 0) return <p class="nothing">No target matches. Esc shows all.</p>
  const shown = whole ? lines.map((_, index) => ({ index, start: 0 })) : seen
  return (
    <ul
      ref={list}
      class={`targets${whole ? ' whole' : ''}${strips.value.size > 0 ? ' with-strips' : ''}`}
      role="list"
      style={whole ? {} : { height: `${virtual.getTotalSize()}px` }}
      onKeyDown={move}
      onFocusIn={(event) => focus(keyIn(event.target))}
    >
      {shown.map(({ index, start }) => {
        const line = lines[index]
        if (line === undefined) return undefined
        return (
          <li
            key={line.key}
            ref={virtual.measureElement}
            data-index={index}
            style={whole ? {} : { transform: `translateY(${start - top}px)` }}
            {...(line.kind === 'target' ? { 'aria-posinset': line.position, 'aria-setsize': listed.value } : {})}
          >
            {line.kind === 'repo' ? <RepoLine line={line} /> : <TargetRow target={line.target} id={`line-${index}`} />}
          </li>
        )
      })}
    </ul>
  )
}

function RepoLine({ line: { repo, counts } }: { line: Extract<Item, { kind: 'repo' }> }): JSX.Element {
  return (
    <h3 class="repo-line">
      <Name>{repo}</Name>
      {STATES.filter((state) => counts[state] > 0).map((state) => (
        <span key={state} class={`word ${state}`}>
          <StateIcon state={state} />
          {counts[state]} <span class="visually-hidden">{wordOf(state)}</span>
        </span>
      ))}
    </h3>
  )
}

function targetAt(lines: readonly Item[], index: number): Extract<Item, { kind: 'target' }>['target'] | undefined {
  const line = lines[index]
  return line?.kind === 'target' ? line.target : undefined
}

/** The next line with a target in a direction; `from` if there is none. */
function nextTarget(lines: readonly Item[], from: number, step: 1 | -1): number {
  for (let index = from + step; index >= 0 && index < lines.length; index += step) {
    if (lines[index]?.kind === 'target') return index
  }
  return from
}

/** The key of the target if an element is its button. */
function keyIn(element: EventTarget | null): string | undefined {
  return element instanceof HTMLElement ? element.dataset['key'] : undefined
}

/** The offset of an element from the top of the page, in pixels. It changes when a banner appears above it. */
function useTopOf(element: { readonly current: HTMLElement | null }): number {
  const [top, setTop] = useState(0)
  useLayoutEffect(() => {
    const measure = (): void => setTop(Math.round((element.current?.getBoundingClientRect().top ?? 0) + window.scrollY))
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(document.body)
    return () => observer.disconnect()
  }, [element])
  return top
}

/** Whether the page is being printed: every line is rendered then. */
function usePrinting(): boolean {
  const [printing, setPrinting] = useState(false)
  useEffect(() => {
    const atOnce = (value: boolean) => (): void => {
      // The browser prints what is rendered when this event handler returns.
      options.debounceRendering = (render) => render()
      setPrinting(value)
      delete options.debounceRendering
    }
    const [before, after] = [atOnce(true), atOnce(false)]
    window.addEventListener('beforeprint', before)
    window.addEventListener('afterprint', after)
    return () => {
      window.removeEventListener('beforeprint', before)
      window.removeEventListener('afterprint', after)
    }
  }, [])
  return printing
}
