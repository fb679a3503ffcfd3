import type { StatusDocument } from '../status/document.ts'
import { type Fault, pointTo } from '../status/json.ts'
import { nearMissesIn } from '../status/near-misses.ts'
import { rulesOf } from '../status/rules.ts'
import type { SavedDocument } from '../status/schema.ts'

/**
 * What is valid in a document, and probably not what its author wants: properties that may be mistyped, rules that have
 * ended, and rules that are about no target.
 *
 * @param now milliseconds since the epoch
 */
export function warningsIn(document: SavedDocument, now: number): Fault[] {
  const { accepted } = rulesOf(document)
  return [
    ...nearMissesIn(document),
    ...accepted.flatMap(({ rule, until, matchesRepo, matchesServer }, index) => {
      const pointer = pointTo('/accepted', index)
      if (until <= now) return { pointer, detail: `has ended at ${rule.until}; it covers nothing` }
      const isAboutSome = document.statuses.some(({ repo, server }) => matchesRepo(repo) && matchesServer(server))
      return isAboutSome ? [] : { pointer, detail: 'is about no target that is in the document' }
    }),
  ]
}

/** The same of a document that is kept. */
export function warningsOf({ head, entries }: StatusDocument, now: number): Fault[] {
  return warningsIn({ ...head, statuses: entries.map(({ status }) => status) }, now)
}
