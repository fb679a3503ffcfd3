import { useSignalEffect } from '@preact/signals'
import { view } from '../address/navigation.ts'
import acceptedIcon from '../icons/accepted.svg'
import driftIcon from '../icons/drift.svg'
import failingIcon from '../icons/failing.svg'
import inSyncIcon from '../icons/in-sync.svg'
import lostIcon from '../icons/lost.svg'
import missingIcon from '../icons/missing.svg'
import staleIcon from '../icons/stale.svg'
import { connection, counts, outdatedCopy, targets } from '../data/state.ts'
import { STATES, type State, wordOf } from '../data/targets.ts'
import { visibleName } from '../words.ts'

const ICONS: Readonly<Record<State, string>> = {
  drift: driftIcon,
  failing: failingIcon,
  missing: missingIcon,
  stale: staleIcon,
  accepted: acceptedIcon,
  'in-sync': inSyncIcon,
}

/** Shows the worst state in the title and the icon, which a background tab shows, too. */
export function useWindowTitle(): void {
  useSignalEffect(() => {
    const [words, icon] = titleAndIcon()
    const { target } = view.value
    document.title = [words, ...(target === undefined ? [] : [visibleName(target.server)]), 'GitOps status'].join(' · ')
    document.querySelector('link[rel=icon]')?.setAttribute('href', icon)
  })
}

function titleAndIcon(): [words: string, icon: string] {
  if (connection.value.kind === 'lost') return ['(?) connection lost', lostIcon]
  if (targets.value === undefined) return ['connecting', lostIcon]
  if (targets.value.length === 0) return ['no targets', lostIcon]
  if (outdatedCopy.value !== undefined) return ['(?) outdated copy', lostIcon]
  const worst = STATES.find((state) => counts.value[state] > 0) ?? 'in-sync'
  const number = worst === 'in-sync' ? '' : `(${counts.value[worst]}) `
  return [`${number}${wordOf(worst)}`, ICONS[worst]]
}
