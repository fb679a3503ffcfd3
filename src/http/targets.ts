import type { RequestHandler } from 'express'
import type { Logger } from 'pino'
import { TARGETS_MAX } from '../status/schema.ts'
import { summaryOf as statesIn } from '../status/states.ts'
import { type Store, toBytes } from '../store/store.ts'
import { type Access, summaryOf } from './access.ts'
import { JSON_HEADERS } from './headers.ts'
import { Problem } from './problems.ts'
import { requestIdOf } from './request.ts'
import { matcher, readSelector } from './selector.ts'
import { type Count, readQuery } from './view-query.ts'

/** Which of the matching entries are in an answer. */
export const PAGE: Readonly<Record<'limit' | 'offset', Count>> = {
  limit: {
    description: 'The largest number of entries. The summary still counts all that match.',
    min: 1,
    max: TARGETS_MAX,
    fallback: TARGETS_MAX,
  },
  offset: { description: 'The number of matching entries before the first.', min: 0, max: TARGETS_MAX, fallback: 0 },
}

/** Serves the document with only the matching entries, or a page of them. */
export function listTargets(store: Pick<Store, 'published'>): RequestHandler {
  return (req, res) => {
    const { matches, count } = readQuery(req.query, { choices: {}, counts: PAGE }, Date.now())
    const { document, bytes } = store.published
    const matching = document.entries.filter(({ status }) => matches(status))
    const entries = matching.slice(count('offset'), count('offset') + count('limit'))
    const isWhole = entries.length === document.entries.length
    res.set(JSON_HEADERS)
    res.send(
      isWhole ? bytes : toBytes({ ...document, summary: statesIn(matching.map(({ status }) => status)), entries }),
    )
  }
}

/**
 * Removes the matching targets, and answers with them. A repo alone removes all its servers. Names are exact: a wildcard
 * must not remove more than was named.
 */
export function removeTargets(store: Pick<Store, 'submit'>, access: Access, log: Logger): RequestHandler {
  return async (req, res) => {
    const selector = readSelector(req.query)
    const values = Object.values(selector).flat()
    if (values.length === 0 || values.includes('')) {
      // An unset shell variable must not remove everything.
      throw new Problem('invalid-query', 'expected repo, server or both, not empty')
    }
    const matches = matcher(selector)
    const by = access.actorOf(req)
    const removed = await store.submit((draft) => {
      const matching = [...draft.statuses()].filter(matches)
      access.permit(req, 'delete', matching)
      for (const status of matching) draft.remove(status, { origin: 'delete', by })
      return matching
    })
    if (removed.length === 0) throw new Problem('target-not-found', 'no target matches; nothing was removed')
    log.info({ request: requestIdOf(req), ...by, ...summaryOf(removed) }, 'removed')
    res.json({ removed })
  }
}
