import {
  Virtualizer,
  defaultRangeExtractor,
  observeWindowOffset,
  observeWindowRect,
  windowScroll,
} from '@tanstack/virtual-core'
import { useEffect, useLayoutEffect, useReducer, useState } from 'preact/hooks'

/** How many lines are rendered beyond the ones that are seen: the tabulator key moves on to them. */
const OVERSCAN = 8

export interface VirtualListOptions {
  readonly keys: readonly string[]
  /** The height of a line before it was measured, in pixels. */
  readonly estimate: number
  /** Where the list begins on the page, in pixels. */
  readonly top: number
  /** A line that is rendered wherever it is, since it has the focus. */
  readonly kept: number
}

/** Makes a list in a scrolling page render only the lines that are seen. */
export function useVirtualList({ keys, estimate, top, kept }: VirtualListOptions): Virtualizer<Window, HTMLElement> {
  const [, render] = useReducer((renders: number) => renders + 1, 0)
  const options = {
    count: keys.length,
    getScrollElement: () => window,
    getItemKey: (index: number) => keys[index] ?? index,
    estimateSize: () => estimate,
    scrollMargin: top,
    overscan: OVERSCAN,
    rangeExtractor: (range: Parameters<typeof defaultRangeExtractor>[0]) => {
      const seen = defaultRangeExtractor(range)
      return kept < 0 || seen.includes(kept) ? seen : [...seen, kept].toSorted((a, b) => a - b)
    },
    observeElementRect: observeWindowRect,
    observeElementOffset: observeWindowOffset,
    scrollToFn: windowScroll,
    initialOffset: () => window.scrollY,
    onChange: () => render(undefined),
  }
  const [virtualizer] = useState(() => new Virtualizer<Window, HTMLElement>(options))
  virtualizer.setOptions(options)
  // Underlined, yet meant for whoever ties the library to a view library.
  // oxlint-disable no-underscore-dangle
  useEffect(() => virtualizer._didMount(), [virtualizer])
  useLayoutEffect(() => virtualizer._willUpdate())
  // oxlint-enable no-underscore-dangle
  return virtualizer
}
