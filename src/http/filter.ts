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
