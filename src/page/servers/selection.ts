import { useEffect } from 'preact/hooks'
import { isSelecting } from '../listing.ts'

/** Notices whether text of the list is selected. */
export function useSelection(): void {
  useEffect(() => {
    const onChange = (): void => {
      const selection = document.getSelection()
      const { anchorNode } = selection ?? {}
      const isInList =
        anchorNode instanceof Node && (anchorNode.parentElement?.closest('.document .targets') ?? null) !== null
      isSelecting.value = selection?.isCollapsed === false && isInList
    }
    document.addEventListener('selectionchange', onChange)
    return () => {
      document.removeEventListener('selectionchange', onChange)
      isSelecting.value = false
    }
  }, [])
}
