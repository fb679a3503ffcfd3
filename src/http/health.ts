import type { RequestHandler } from 'express'
import type { StatusDocument } from '../status/document.ts'
import type { Fault, LocatedFault } from '../status/json.ts'
import { warningsOf } from '../views/warnings.ts'
import { type Health, type Store, type Volume, limitsOf } from '../store/store.ts'
import { helpFor } from '../project.ts'
import type { Access } from './access.ts'

/** An entry of `problems` in `/readyz`. */
interface HealthProblem {
  readonly kind: string
  readonly since: string
  readonly detail: string
  /** The file in the data directory that holds a rejected text. */
  readonly file?: string
  readonly errors?: readonly LocatedFault[]
  /** The address of the documentation that says what to do. */
  readonly help: string
}

/** An answer has this many warnings at most. */
const WARNINGS_MAX = 100

/** Liveness: the process answers. */
export const alive: RequestHandler = (_req, res) => {
  res.set('Cache-Control', 'no-store').json({ status: 'alive' })
}

/** Readiness: whether a snapshot could be committed now, else 503, with everything that is wrong. */
export function ready(store: Pick<Store, 'health' | 'published' | 'volume'>, access: Access): RequestHandler {
  const warningsNow = warningsOnce()
  return (req, res) => {
    const { health, published, volume } = store
    const mayRead = access.mayRead(req)
    res.set('Cache-Control', 'no-store').status(health.canCommit ? 200 : 503)
    res.json({
      ready: health.canCommit,
      generation: published.document.generation,
      problems: problemsOf(health, access).map((problem) => (mayRead ? problem : withoutContent(problem))),
      ...(mayRead ? { warnings: warningsNow(published.document) } : {}),
      ...(mayRead && volume !== undefined ? { volume: described(volume) } : {}),
    })
  }
}

/** Probes ask every few seconds, and a document may be large. */
function warningsOnce(): (document: StatusDocument) => readonly Fault[] {
  let known: { readonly document: StatusDocument; readonly warnings: readonly Fault[] } | undefined
  return (document) => {
    if (known?.document !== document) {
      known = { document, warnings: warningsOf(document, Date.now()).slice(0, WARNINGS_MAX) }
    }
    return known.warnings
  }
}

/** The limits of the volume; they do not prevent writes. */
function described(volume: Volume): { file_system: string; limits: string[] } {
  return { file_system: volume.fileSystem, limits: limitsOf(volume) }
}

function problemsOf({ troubles }: Health, access: Access): HealthProblem[] {
  const problems: Omit<HealthProblem, 'help'>[] = troubles.map(({ faults, ...trouble }) => ({
    ...trouble,
    ...(faults === undefined ? {} : { errors: faults }),
  }))
  if (access.trouble !== undefined) problems.push({ kind: 'tokens-file', ...access.trouble })
  return problems.map((problem) => ({ ...problem, help: helpFor(problem.kind) }))
}

/** For clients that may not read: details, files and faults can quote the document. */
function withoutContent({ kind, since, help }: HealthProblem): HealthProblem {
  return { kind, since, detail: 'details require a token with read access', help }
}
