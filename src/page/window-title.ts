import { useSignalEffect } from '@preact/signals'
import driftIcon from './icons/drift.svg'
import inSyncIcon from './icons/in-sync.svg'
import lostIcon from './icons/lost.svg'
import staleIcon from './icons/stale.svg'
import { connection, counts, picture } from './state.ts'

/** Lets the title and the icon of the page tell how things stand, where the page itself is not seen. */
export function useWindowTitle(): void {
  useSignalEffect(() => {
    const [words, icon] = inShort()
    document.title = `${words} · GitOps status`
    document.querySelector('link[rel=icon]')?.setAttribute('href', icon)
  })
}

function inShort(): [words: string, icon: string] {
  const { drift, stale } = counts.value
  if (connection.value.kind === 'lost') return ['(?) connection lost', lostIcon]
  if (picture.value === undefined) return ['connecting', lostIcon]
  if (picture.value.targets.length === 0) return ['no targets', lostIcon]
  if (drift > 0) return [`(${drift}) drift`, driftIcon]
  if (stale > 0) return [`(${stale}) stale`, staleIcon]
  return ['in sync', inSyncIcon]
}
