import type { RequestHandler } from 'express'
import type { FromSchema } from 'json-schema-to-ts'
import { type Target, toBytes } from '../status/document.ts'
import { validator } from '../status/validation.ts'
import type { CommitLoop } from '../store/commit-loop.ts'
import { Problem } from './problems.ts'

const names = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] } as const

/** `?repo=&server=`, each once or many times: a target matches where each that is given names it. */
export const selectorSchema = {
  type: 'object',
  properties: { repo: names, server: names },
  additionalProperties: false,
} as const

type Selector = FromSchema<typeof selectorSchema>

const isSelector = validator<Selector>(selectorSchema)

/** Answers the document with only the matching entries. An empty parameter counts as not given. */
export function listTargets(store: Pick<CommitLoop, 'published'>): RequestHandler {
  return (req, res) => {
    const matches = matcher(readSelector(req.query))
    const { document } = store.published
    const entries = document.entries.filter(({ status }) => matches(status))
    res.set({ 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-cache' })
    res.send(toBytes({ ...document, entries }))
  }
}

/** Removes the matching targets and answers what it removed. A repo alone removes all its servers. */
export function removeTargets(store: Pick<CommitLoop, 'submit'>): RequestHandler {
  return async (req, res) => {
    const selector = readSelector(req.query)
    const values = Object.values(selector).flat()
    if (values.length === 0 || values.includes('')) {
      // A shell variable that turned out empty must not remove everything.
      throw new Problem('invalid-query', 'repo or server must say what to remove, and neither may be empty')
    }
    const matches = matcher(selector)
    const removed = await store.submit((draft) => {
      const matching = [...draft.statuses()].filter(matches)
      for (const status of matching) draft.remove(status)
      return matching
    })
    if (removed.length === 0) throw new Problem('target-not-found', 'nothing was removed')
    res.json({ removed })
  }
}

function readSelector(query: unknown): Selector {
  if (isSelector(query)) return query
  throw new Problem('invalid-query', 'repo and server are the only parameters', { faults: isSelector.faults('') })
}

function matcher({ repo, server }: Selector): (target: Target) => boolean {
  const repos = named(repo)
  const servers = named(server)
  return (target) => (repos.size === 0 || repos.has(target.repo)) && (servers.size === 0 || servers.has(target.server))
}

function named(parameter: Selector['repo']): ReadonlySet<string> {
  return new Set([parameter ?? []].flat().filter((name) => name !== ''))
}
