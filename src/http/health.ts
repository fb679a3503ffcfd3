import type { RequestHandler } from 'express'
import type { LocatedFault } from '../status/json.ts'
import type { CommitLoop, Health } from '../store/commit-loop.ts'

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
export function ready(store: Pick<CommitLoop, 'health' | 'published'>): RequestHandler {
  return (_req, res) => {
    const { health, published } = store
    res.set('Cache-Control', 'no-store').status(health.trouble === undefined ? 200 : 503)
    res.json({
      ready: health.trouble === undefined,
      generation: published.document.generation,
      problems: problemsOf(health),
    })
  }
}

function problemsOf({ trouble, rejectedEdit }: Health): HealthProblem[] {
  const problems: HealthProblem[] = []
  if (trouble !== undefined) {
    problems.push({ kind: trouble.kind, since: trouble.since, detail: trouble.message })
  }
  if (rejectedEdit !== undefined) {
    const { since, file, faults } = rejectedEdit
    const detail = 'an edit is not valid: readers get the last good document'
    problems.push({ kind: 'rejected-edit', since, detail, file, errors: faults })
  }
  return problems
}
