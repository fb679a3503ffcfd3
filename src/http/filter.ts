import type { Status } from '../status/schema.ts'
import type { Store } from '../store/store.ts'
import { type Filter, filterSchema, readFilter } from '../views/filter.ts'
import { Problem } from './problems.ts'

const NAMES = Object.keys(filterSchema.properties)

/**
 * The filter of a request.
 *
 * @throws {Problem} if there is another parameter, or one is not valid
 */
export function filterOf(query: unknown): Filter {
  const outcome = readFilter(query)
  if (outcome.ok) return outcome.value
  throw new Problem('invalid-query', `the parameters are ${NAMES.join(', ')}`, { faults: outcome.faults })
}

/** The statuses that match, in the order of the document. */
export function matching(store: Pick<Store, 'published'>, matches: Filter): readonly Status[] {
  return [...eachMatching(store, matches)]
}

/** The same, one by one. */
export function* eachMatching({ published }: Pick<Store, 'published'>, matches: Filter): Generator<Status> {
  for (const { status } of published.document.entries) if (matches(status)) yield status
}
