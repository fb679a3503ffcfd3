import { options } from 'preact'
import { useEffect, useState } from 'preact/hooks'

/** True while the page is being printed: then every line is rendered. */
export function usePrinting(): boolean {
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
