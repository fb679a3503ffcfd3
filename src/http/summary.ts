import type { RequestHandler } from 'express'
import { ANSWER_SLICE_MS, inSlices } from '../slices.ts'
import type { Store } from '../store/store.ts'
import type { At } from '../views/ages.ts'
import { type TargetsSummary, summarize } from '../views/summary.ts'
import { eachMatching, filterOf } from './filter.ts'
import { JSON_HEADERS } from './headers.ts'
import { Prepared } from './prepared.ts'

/** Serves the summary of the matching targets, computed once for each document. Express adds an ETag. */
export function showSummary(store: Pick<Store, 'published'>): RequestHandler {
  const prepared = new Prepared<Promise<At<TargetsSummary>>>()
  return async (req, res) => {
    const now = Date.now()
    const matches = filterOf(req.query)
    const compute = async (): Promise<At<TargetsSummary>> =>
      inSlices(summarize(eachMatching(store, matches), now), ANSWER_SLICE_MS)
    const summary = await prepared.of(store.published, req.url, compute)
    res.set(JSON_HEADERS).send(`${JSON.stringify(summary(now))}\n`)
  }
}
