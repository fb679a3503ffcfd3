import type { RequestHandler } from 'express'
import type { Store } from '../store/store.ts'
import { summarize } from '../views/summary.ts'
import { filterOf } from './filter.ts'
import { JSON_HEADERS } from './headers.ts'

/** Serves the summary of the matching targets. Express adds an ETag. */
export function showSummary(store: Pick<Store, 'published'>): RequestHandler {
  return (req, res) => {
    const matches = filterOf(req.query)
    const statuses = store.published.document.entries.flatMap(({ status }) => (matches(status) ? status : []))
    res.set(JSON_HEADERS).send(`${JSON.stringify(summarize(statuses, Date.now()))}\n`)
  }
}
