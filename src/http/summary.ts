import type { RequestHandler } from 'express'
import type { Store } from '../store/store.ts'
import { summarize } from '../views/summary.ts'
import { filterOf, matching } from './filter.ts'
import { JSON_HEADERS } from './headers.ts'

/** Serves the summary of the matching targets. Express adds an ETag. */
export function showSummary(store: Pick<Store, 'published'>): RequestHandler {
  return (req, res) => {
    const statuses = matching(store, filterOf(req.query))
    res.set(JSON_HEADERS).send(`${JSON.stringify(summarize(statuses, Date.now()))}\n`)
  }
}
