import { useLayoutEffect } from 'preact/hooks'
import { isHeld } from '../listing.ts'

/**
 * Keeps the visible rows in place when something above the list grows or goes, such as a banner. Browsers do so only if the
 * list has been scrolled out at the top.
 */
export function useSteadyPlace(list: { readonly current: HTMLElement | null }): void {
  useLayoutEffect(() => {
    let top = topOf(list.current)
    const observer = new ResizeObserver(() => {
      const moved = topOf(list.current) - top
      const wasSeen = top >= window.scrollY
      top += moved
      if (isHeld.peek() && moved !== 0 && wasSeen) window.scrollBy({ top: moved, behavior: 'instant' })
    })
    observer.observe(document.body)
    return () => observer.disconnect()
  }, [list])
}

/** The offset of an element from the top of the page, in whole pixels, in which browsers scroll. */
export function topOf(element: HTMLElement | null): number {
  return Math.round((element?.getBoundingClientRect().top ?? 0) + window.scrollY)
}
