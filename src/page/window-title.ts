import { useSignalEffect } from '@preact/signals'
import driftIcon from './icons/drift.svg'
import failingIcon from './icons/failing.svg'
import inSyncIcon from './icons/in-sync.svg'
import lostIcon from './icons/lost.svg'
import missingIcon from './icons/missing.svg'
import staleIcon from './icons/stale.svg'
import { connection, counts, outdatedCopy, statusDocument } from './state.ts'

/** Shows the worst state in the title and the icon, which are visible in a background tab as well. */
export function useWindowTitle(): void {
  useSignalEffect(() => {
    const [words, icon] = titleAndIcon()
    document.title = `${words} · GitOps status`
    document.querySelector('link[rel=icon]')?.setAttribute('href', icon)
  })
}

function titleAndIcon(): [words: string, icon: string] {
  const { drift, failing, missing, stale } = counts.value
  if (connection.value.kind === 'lost') return ['(?) connection lost', lostIcon]
  if (statusDocument.value === undefined) return ['connecting', lostIcon]
  if (statusDocument.value.targets.length === 0) return ['no targets', lostIcon]
  if (outdatedCopy.value !== undefined) return ['(?) old copy', lostIcon]
  if (drift > 0) return [`(${drift}) drift`, driftIcon]
  if (failing > 0) return [`(${failing}) check failing`, failingIcon]
  if (missing > 0) return [`(${missing}) never checked`, missingIcon]
  if (stale > 0) return [`(${stale}) stale`, staleIcon]
  return ['in sync', inSyncIcon]
}
