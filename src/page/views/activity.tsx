import type { JSX } from 'preact'
import { setView, view } from '../address/navigation.ts'
import { DAYS, type Days } from '../address/view.ts'
import { hasServer } from '../data/state.ts'
import { CHANGES_MAX, DAY_MS, DRAWN_MAX, changed, found, known, past, useChanges, usePast } from '../happened.ts'
import { Axis } from '../parts/axis.tsx'
import { ChangeList } from '../parts/change-list.tsx'
import { Marked } from '../parts/marked.tsx'
import { TargetLink } from '../parts/parts.tsx'
import { Strip } from '../parts/strip.tsx'
import { count } from '../words.ts'

/** The largest number of lines that are drawn. */
const LISTED_MAX = 500

const DAYS_WORDS: Readonly<Record<Days, string>> = { 1: '24 hours', 7: '7 days', 90: '90 days' }

/** All changes, on one axis of time and as a list. */
export function Activity(): JSX.Element {
  const { days } = view.value
  useChanges(days)
  usePast(days)
  return (
    <>
      <div class="lists ranges" role="group" aria-label="Time">
        {DAYS.map((each) => (
          <button key={each} type="button" aria-pressed={each === days} onClick={() => setView({ days: each })}>
            <span class="visually-hidden">Last </span>
            {DAYS_WORDS[each]}
          </button>
        ))}
      </div>
      <Content days={days} />
    </>
  )
}

function Content({ days }: { days: Days }): JSX.Element {
  if (!hasServer.value) {
    return (
      <p class="nothing">
        No history: this page reads a copy of status.json, and gitops-status-server does not answer at this address.
      </p>
    )
  }
  if (known.value === 'failed') return <p class="nothing">The server does not answer. The page tries again.</p>
  if (known.value?.days !== days) return <p class="nothing">Loading…</p>
  if (found.value.length === 0) return <p class="nothing">{nothing(known.value.changes.length)}</p>
  return (
    <>
      <Timeline days={days} />
      <Log all={known.value.changes.length} />
    </>
  )
}

/** A strip for each target that changed, the newest change first. */
function Timeline({ days }: { days: Days }): JSX.Element {
  const ms = days * DAY_MS
  const more = changed.value.length - DRAWN_MAX
  const stretches = past.value?.days === days ? past.value.stretches : undefined
  return (
    <section aria-label="Timeline" class="timeline">
      <ul role="list">
        {changed.value.slice(0, DRAWN_MAX).map(({ key, repo, server }) => (
          <li key={key}>
            <span class="who">
              <TargetLink target={{ repo, server }}>
                <Marked>{server}</Marked>
              </TargetLink>{' '}
              <span class="quiet">
                <Marked>{repo}</Marked>
              </span>
            </span>
            <Strip stretches={stretches?.get(key) ?? []} ms={ms} label={`Last ${DAYS_WORDS[days]}`} isWide />
          </li>
        ))}
      </ul>
      <div class="foot">
        <Axis ms={ms} />
      </div>
      {more > 0 && <p class="quiet">And {count(more, 'target')} more in the list.</p>}
    </section>
  )
}

function Log({ all }: { all: number }): JSX.Element {
  const changes = found.value
  const more = changes.length - LISTED_MAX
  return (
    <section>
      <h3>{count(changes.length, 'change')}</h3>
      {all >= CHANGES_MAX && (
        <p class="quiet">
          There are more changes: the filter searches only the newest {CHANGES_MAX.toLocaleString('en')}.
        </p>
      )}
      <ChangeList changes={changes.slice(0, LISTED_MAX)} isOfOne={false} />
      {more > 0 && <p class="quiet">And {count(more, 'older change')}; the filter finds them.</p>}
    </section>
  )
}

/** The text for an empty list. `all` is the number of changes before the filter. */
function nothing(all: number): string {
  if (all === 0) return 'No changes in this time.'
  return all < CHANGES_MAX
    ? 'No change matches.'
    : `None of the newest ${count(CHANGES_MAX, 'change')} matches; there are more.`
}
