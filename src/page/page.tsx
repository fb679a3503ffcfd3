import { useSignalEffect } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Activity } from './views/activity.tsx'
import { Announcer } from './frame/announcer.tsx'
import { Banners } from './frame/banners.tsx'
import { Controls, useShortcuts } from './frame/controls.tsx'
import { EmptyState } from './frame/empty-state.tsx'
import { FileList } from './views/files.tsx'
import { Footer } from './frame/footer.tsx'
import { setView, view } from './address/navigation.ts'
import { RepositoryList } from './views/repositories.tsx'
import { connection, sentences, targets } from './data/state.ts'
import { Summary } from './frame/summary.tsx'
import { TargetList } from './views/servers.tsx'
import { TargetPage } from './views/target.tsx'
import { keyOf, stateNamed } from './data/targets.ts'
import { Wall } from './views/wall.tsx'
import { useWindowTitle } from './frame/window-title.ts'
import { sentence, visible } from './words.ts'

export function Page(): JSX.Element {
  const { kiosk } = view.value
  const lost = connection.value.kind === 'lost'
  useWindowTitle()
  useSignalEffect(() => {
    document.documentElement.dataset['theme'] = view.value.theme ?? ''
  })
  return (
    <div class={`page${kiosk ? ' kiosk' : ''}${lost ? ' lost' : ''}`}>
      <header>
        <h1>GitOps status</h1>
      </header>
      <main>
        <Banners />
        {targets.value !== undefined && (
          <div class="document">
            {targets.value.length > 0 && <Verdict />}
            <Content />
          </div>
        )}
      </main>
      {/* Not before the data: it would be pushed away when that comes. */}
      {connection.value.kind !== 'connecting' && <Footer />}
      <Announcer />
    </div>
  )
}

/** The view that the address names. */
function Content(): JSX.Element {
  const { target, kiosk } = view.value
  if (target !== undefined) return <TargetPage key={keyOf(target.repo, target.server)} {...target} />
  if (targets.value?.length === 0) return <EmptyState />
  return kiosk ? <WallView /> : <ListView />
}

function WallView(): JSX.Element {
  useEffect(() => {
    const leave = ({ key }: KeyboardEvent): void => {
      if (key === 'Escape') setView({ kiosk: false })
    }
    document.addEventListener('keydown', leave)
    return () => document.removeEventListener('keydown', leave)
  }, [])
  return (
    <>
      <Summary />
      <h2 class="visually-hidden">Targets</h2>
      <Wall />
    </>
  )
}

function ListView(): JSX.Element {
  const filter = useRef<HTMLInputElement>(null)
  useShortcuts(filter)
  const { list } = view.value
  return (
    <>
      <Summary />
      <Controls filter={filter} />
      <h2 class="visually-hidden">{sentence(list)}</h2>
      {{ servers: <TargetList />, files: <FileList />, repositories: <RepositoryList />, activity: <Activity /> }[list]}
    </>
  )
}

/** The verdict on all targets in sentences; each has the color of its state. */
function Verdict(): JSX.Element {
  return (
    <p class="verdict">
      {sentences.value.map(({ state, text }) => (
        <span key={text} class={stateNamed(state) ?? ''}>
          {visible(text)}{' '}
        </span>
      ))}
    </p>
  )
}
