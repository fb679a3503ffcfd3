import type { StatusDocument } from '../status/document.ts'
import { type Fault, pointTo } from '../status/json.ts'
import { nearMissesIn } from '../status/near-misses.ts'
import { rulesOf } from '../status/rules.ts'
import type { SavedDocument } from '../status/schema.ts'

/**
 * Parts of a document that are valid but probably mistakes: properties that may be mistyped, rules that ended, and rules
 * that match no target.
 *
 * @param now milliseconds since the epoch
 */
export function warningsIn(document: SavedDocument, now: number): Fault[] {
  const { accepted } = rulesOf(document)
  return [
    ...nearMissesIn(document),
    ...accepted.flatMap(({ rule, until, matchesRepo, matchesServer }, index) => {
      const pointer = pointTo('/accepted', index)
      if (until <= now) return { pointer, detail: `ended at ${rule.until} and covers nothing` }
      const isAboutSome = document.statuses.some(({ repo, server }) => matchesRepo(repo) && matchesServer(server))
      return isAboutSome ? [] : { pointer, detail: 'matches no target in the document' }
    }),
  ]
}

/** The same for a document of the server. */
export function warningsOf({ head, entries }: StatusDocument, now: number): Fault[] {
  return warningsIn({ ...head, statuses: entries.map(({ status }) => status) }, now)
}
