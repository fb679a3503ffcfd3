import type { RequestHandler } from 'express'
import type { LocatedFault } from '../status/json.ts'
import type { Store, Health } from '../store/store.ts'
import type { Access } from './access.ts'

/** What is wrong, as `/readyz` tells it. */
interface HealthProblem {
  readonly kind: string
  readonly since: string
  readonly detail: string
  /** The file with the rejected text, in the data directory. */
  readonly file?: string
  readonly errors?: readonly LocatedFault[]
}

/** Says that the process is alive: for a liveness probe, which restarts what does not answer. */
export const alive: RequestHandler = (_req, res) => {
  res.set('Cache-Control', 'no-store').json({ status: 'alive' })
}

/** Says whether a snapshot could be committed now, and everything that is wrong; 503 where it could not. */
export function ready(store: Pick<Store, 'health' | 'published'>, access: Access): RequestHandler {
  return (req, res) => {
    const { health, published } = store
    res.set('Cache-Control', 'no-store').status(health.canCommit ? 200 : 503)
    res.json({
      ready: health.canCommit,
      generation: published.document.generation,
      problems: problemsOf(health, access).map((problem) => (access.mayRead(req) ? problem : withoutContent(problem))),
    })
  }
}

function problemsOf({ troubles }: Health, access: Access): HealthProblem[] {
  const problems: HealthProblem[] = troubles.map(({ faults, ...trouble }) => ({
    ...trouble,
    ...(faults === undefined ? {} : { errors: faults }),
  }))
  if (access.trouble !== undefined) problems.push({ kind: 'tokens-file', ...access.trouble })
  return problems
}

/** What a probe may know where reads are protected: the rest may speak of what is in the document. */
function withoutContent({ kind, since }: HealthProblem): HealthProblem {
  return { kind, since, detail: 'a token that may read is told more' }
}
