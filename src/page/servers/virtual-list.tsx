import type { JSX } from 'preact'
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { requestStrips } from '../data/strips.ts'
import { listed } from '../listing.ts'
import { Line, type Lines, keyIn, nextTarget, onArrow, openerOf, targetAt } from './lines.tsx'
import { topOf } from './steady.ts'
import { useVirtualizer } from './virtualizer.ts'

/** The height of a line before it is measured, in pixels. */
const LINE_HEIGHT = 72

/** The lines in sight, and the one with the focus. */
export function VirtualList({ lines }: Lines): JSX.Element {
  const list = useRef<HTMLUListElement>(null)
  const [focused, focus] = useState<string | undefined>(undefined)
  const top = useTopOf(list)
  const virtual = useVirtualizer({
    keys: useMemo(() => lines.map(({ key }) => key), [lines]),
    estimate: LINE_HEIGHT,
    top,
    kept: focused === undefined ? -1 : lines.findIndex(({ key }) => key === focused),
  })
  const seen = virtual.getVirtualItems()
  useEffect(() => requestStrips(seen.flatMap(({ index }) => targetAt(lines, index) ?? [])))
  useLayoutEffect(() => {
    const opener = openerOf(list.current, focused)
    if (opener !== document.activeElement) opener?.focus({ preventScroll: true })
  }, [focused])
  const move = (from: number, step: 1 | -1): void => {
    const to = nextTarget(lines, from, step)
    virtual.scrollToIndex(to)
    focus(lines[to]?.key)
  }
  return (
    <ul
      ref={list}
      class="targets"
      role="list"
      style={{ height: `${virtual.getTotalSize()}px` }}
      onKeyDown={(event) => onArrow(event, lines, move)}
      onFocusIn={(event) => focus(keyIn(event.target))}
    >
      {seen.map(({ index, start }) => {
        const line = lines[index]
        if (line === undefined) return undefined
        return (
          <li
            key={line.key}
            ref={virtual.measureElement}
            data-index={index}
            style={{ transform: `translateY(${start - top}px)` }}
            {...(line.kind === 'target' ? { 'aria-posinset': line.position, 'aria-setsize': listed.value } : {})}
          >
            <Line line={line} id={`line-${index}`} />
          </li>
        )
      })}
    </ul>
  )
}

/** The offset of an element from the top of the page, in pixels. It changes when a banner appears above it. */
function useTopOf(element: { readonly current: HTMLElement | null }): number {
  const [top, setTop] = useState(0)
  useLayoutEffect(() => {
    const measure = (): void => setTop(topOf(element.current))
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(document.body)
    return () => observer.disconnect()
  }, [element])
  return top
}
