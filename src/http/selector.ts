import type { FromSchema } from 'json-schema-to-ts'
import type { Target } from '../status/document.ts'
import { validator } from '../status/validation.ts'
import { Problem } from './problems.ts'

const names = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] } as const

/** `?repo=&server=`, each once or many times: a target matches where each that is given names it. */
export const selectorSchema = {
  type: 'object',
  properties: { repo: names, server: names },
  additionalProperties: false,
} as const

export type Selector = FromSchema<typeof selectorSchema>

const isSelector = validator<Selector>(selectorSchema)

/** @throws {Problem} where there is any other parameter */
export function readSelector(query: unknown): Selector {
  if (isSelector(query)) return query
  throw new Problem('invalid-query', 'repo and server are the only parameters', { faults: isSelector.faults('') })
}

/** Tells whether a target matches. An empty parameter counts as not given. */
export function matcher({ repo, server }: Selector): (target: Target) => boolean {
  const repos = named(repo)
  const servers = named(server)
  return (target) => (repos.size === 0 || repos.has(target.repo)) && (servers.size === 0 || servers.has(target.server))
}

function named(parameter: Selector['repo']): ReadonlySet<string> {
  return new Set([parameter ?? []].flat().filter((name) => name !== ''))
}
