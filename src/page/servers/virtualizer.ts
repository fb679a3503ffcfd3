import {
  Virtualizer,
  defaultRangeExtractor,
  observeWindowOffset,
  observeWindowRect,
  windowScroll,
} from '@tanstack/virtual-core'
import { useCallback, useEffect, useLayoutEffect, useReducer, useState } from 'preact/hooks'

/** Lines rendered beyond the visible ones, for the tab key to reach. */
const OVERSCAN = 8

export interface VirtualizerOptions {
  /** The same array as before if no line has changed its place. */
  readonly keys: readonly string[]
  /** The height of a line before it is measured, in pixels. */
  readonly estimate: number
  /** The offset of the list from the top of the page, in pixels. */
  readonly top: number
  /** The index of the line with the focus, which is rendered even if it is not visible; -1: none. */
  readonly kept: number
}

/** Renders only the visible lines of a list in a scrolling page. */
export function useVirtualizer({ keys, estimate, top, kept }: VirtualizerOptions): Virtualizer<Window, HTMLElement> {
  const [, render] = useReducer((renders: number) => renders + 1, 0)
  const options = {
    count: keys.length,
    getScrollElement: () => window,
    // Another function would make it place all lines again.
    getItemKey: useCallback((index: number) => keys[index] ?? index, [keys]),
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
  // Meant for adapters to view libraries, despite the underscore.
  // oxlint-disable no-underscore-dangle
  useEffect(() => virtualizer._didMount(), [virtualizer])
  useLayoutEffect(() => virtualizer._willUpdate())
  // oxlint-enable no-underscore-dangle
  return virtualizer
}
