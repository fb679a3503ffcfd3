import type { RequestHandler } from 'express'
import type { Logger } from 'pino'
import { summaryOf as statesIn } from '../status/states.ts'
import { type Store, toBytes } from '../store/store.ts'
import { type Access, summaryOf } from './access.ts'
import { filterOf } from './filter.ts'
import { JSON_HEADERS } from './headers.ts'
import { Problem } from './problems.ts'
import { requestIdOf } from './request.ts'
import { matcher, readSelector } from './selector.ts'

/** Serves the document with only the matching entries. */
export function listTargets(store: Pick<Store, 'published'>): RequestHandler {
  return (req, res) => {
    const matches = filterOf(req.query)
    const { document, bytes } = store.published
    const entries = document.entries.filter(({ status }) => matches(status))
    const isWhole = entries.length === document.entries.length
    res.set(JSON_HEADERS)
    res.send(
      isWhole ? bytes : toBytes({ ...document, summary: statesIn(entries.map(({ status }) => status)), entries }),
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
