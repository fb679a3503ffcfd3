import { makeBadge } from 'badge-maker'
import type { RequestHandler } from 'express'
import type { Status, Summary } from '../status/schema.ts'
import { summaryOf } from '../status/states.ts'
import type { Store } from '../store/store.ts'
import { matcher, readSelector } from './selector.ts'

/** Serves a badge with the worst state of the matching targets; `unknown` if none matches, not an error that shows as a broken image. */
export function badge(store: Pick<Store, 'published'>): RequestHandler {
  return (req, res) => {
    const matches = matcher(readSelector(req.query))
    const statuses = store.published.document.entries.flatMap(({ status }) => (matches(status) ? status : []))
    res.set({ 'Content-Type': 'image/svg+xml; charset=utf-8', 'Cache-Control': 'no-cache' })
    res.send(makeBadge({ label: 'drift', ...lookOf(statuses) }))
  }
}

/** Only what is known to be in sync is green. */
const LOOKS: Readonly<Record<Exclude<Summary['state'], 'drifted'>, { message: string; color: string }>> = {
  failing: { message: 'check failing', color: 'orange' },
  missing: { message: 'never checked', color: 'lightgrey' },
  stale: { message: 'stale', color: 'lightgrey' },
  accepted: { message: 'accepted', color: 'blue' },
  synced: { message: 'in sync', color: 'brightgreen' },
  empty: { message: 'unknown', color: 'lightgrey' },
}

/** The worst state. The files of a target that is not known to be drifted now do not count. */
function lookOf(statuses: readonly Status[]): { message: string; color: string } {
  const { state } = summaryOf(statuses)
  if (state !== 'drifted') return LOOKS[state]
  const drifted = statuses.filter((status) => status.state === 'drifted')
  const files = drifted.reduce((sum, { drift_count: count }) => sum + count, 0)
  return { message: files === 1 ? '1 file' : `${files} files`, color: 'red' }
}
