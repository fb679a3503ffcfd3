import { makeBadge } from 'badge-maker'
import type { RequestHandler } from 'express'
import type { Status } from '../status/schema.ts'
import type { Store } from '../store/store.ts'
import { matcher, readSelector } from './selector.ts'

/** Serves a badge with the worst state of the matching targets; `unknown` if none matches, not an error that shows as a broken image. */
export function badge(store: Pick<Store, 'published'>): RequestHandler {
  return (req, res) => {
    const matches = matcher(readSelector(req.query))
    const statuses = store.published.document.entries.flatMap(({ status }) => (matches(status) ? status : []))
    res.set({ 'Content-Type': 'image/svg+xml; charset=utf-8', 'Cache-Control': 'no-cache' })
    res.send(makeBadge({ label: 'drift', ...summaryOf(statuses) }))
  }
}

/** Drift is worse than stale. A stale status counts as stale whatever it says. */
function summaryOf(statuses: readonly Status[]): { message: string; color: string } {
  const known = statuses.filter(({ stale }) => !stale)
  const files = known.reduce((sum, { drift_count: drifted }) => sum + drifted, 0)
  if (statuses.length === 0) return { message: 'unknown', color: 'lightgrey' }
  if (files > 0) return { message: files === 1 ? '1 file' : `${files} files`, color: 'red' }
  if (known.length < statuses.length) return { message: 'stale', color: 'lightgrey' }
  return { message: 'in sync', color: 'brightgreen' }
}
