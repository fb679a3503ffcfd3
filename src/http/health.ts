import type { RequestHandler } from 'express'
import type { LocatedFault } from '../status/json.ts'
import { type Health, type Store, type Volume, limitsOf } from '../store/store.ts'
import type { Access } from './access.ts'

/** An entry of `problems` in `/readyz`. */
interface HealthProblem {
  readonly kind: string
  readonly since: string
  readonly detail: string
  /** The file in the data directory that holds a rejected text. */
  readonly file?: string
  readonly errors?: readonly LocatedFault[]
}

/** Liveness: the process answers. */
export const alive: RequestHandler = (_req, res) => {
  res.set('Cache-Control', 'no-store').json({ status: 'alive' })
}

/** Readiness: whether a snapshot could be committed now, else 503, with everything that is wrong. */
export function ready(store: Pick<Store, 'health' | 'published' | 'volume'>, access: Access): RequestHandler {
  return (req, res) => {
    const { health, published, volume } = store
    const mayRead = access.mayRead(req)
    res.set('Cache-Control', 'no-store').status(health.canCommit ? 200 : 503)
    res.json({
      ready: health.canCommit,
      generation: published.document.generation,
      problems: problemsOf(health, access).map((problem) => (mayRead ? problem : withoutContent(problem))),
      ...(mayRead && volume !== undefined ? { volume: described(volume) } : {}),
    })
  }
}

/** What the volume cannot do; what can be committed is committed all the same. */
function described(volume: Volume): { file_system: string; limits: string[] } {
  return { file_system: volume.fileSystem, limits: limitsOf(volume) }
}

function problemsOf({ troubles }: Health, access: Access): HealthProblem[] {
  const problems: HealthProblem[] = troubles.map(({ faults, ...trouble }) => ({
    ...trouble,
    ...(faults === undefined ? {} : { errors: faults }),
  }))
  if (access.trouble !== undefined) problems.push({ kind: 'tokens-file', ...access.trouble })
  return problems
}

/** For clients that may not read: details, files and faults can quote the document. */
function withoutContent({ kind, since }: HealthProblem): HealthProblem {
  return { kind, since, detail: 'details require a token with read access' }
}
