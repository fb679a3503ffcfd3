import type { FromSchema } from 'json-schema-to-ts'
import type { Target } from '../status/target.ts'
import { validator } from '../status/validation.ts'
import { Problem } from './problems.ts'

const names = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] } as const

/** `?repo=&server=` of a removal, each of which may be repeated. Names are exact, unlike in the filters of views. A target matches if it has one of the values of each. */
export const selectorSchema = {
  type: 'object',
  properties: { repo: names, server: names },
  additionalProperties: false,
} as const

export type Selector = FromSchema<typeof selectorSchema>

const isSelector = validator<Selector>(selectorSchema)

/** @throws {Problem} if there is another parameter */
export function readSelector(query: unknown): Selector {
  if (isSelector(query)) return query
  throw new Problem('invalid-query', 'unknown parameter; expected repo and server', { faults: isSelector.faults('') })
}

/** Returns a function that reports whether a target matches. An empty parameter matches all. */
export function matcher({ repo, server }: Selector): (target: Target) => boolean {
  const repos = valuesOf(repo)
  const servers = valuesOf(server)
  return (target) => (repos.size === 0 || repos.has(target.repo)) && (servers.size === 0 || servers.has(target.server))
}

function valuesOf(parameter: Selector['repo']): ReadonlySet<string> {
  return new Set([parameter ?? []].flat().filter((name) => name !== ''))
}
