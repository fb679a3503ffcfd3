import { Refusal } from '../status/refusal.ts'

/**
 * Why a change was not committed. Nothing of it is in the document, in memory or on disk.
 *
 * - `volume-full`: no space, or no quota, for the new file
 * - `document-full`: the document has reached its largest size
 * - `no-lock`: the volume refuses the lock that keeps two servers apart
 * - `unavailable`: the directory is gone or read-only, an input/output error, another server holds the lock, stopping
 * - `internal`: a defect of the program; the log has its stack
 */
export type StoreErrorKind = 'volume-full' | 'document-full' | 'no-lock' | 'unavailable' | 'internal'

export class StoreError extends Refusal {
  override readonly name = 'StoreError'
  readonly kind: StoreErrorKind

  constructor(kind: StoreErrorKind, message: string, cause?: unknown) {
    super(message, { cause })
    this.kind = kind
  }
}

/** The system's code of an error, such as `ENOENT`; `undefined` if a system call did not cause the error. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  // ERR_… are Node's own errors, such as a wrong argument: defects of the program.
  return typeof code === 'string' && !code.startsWith('ERR_') ? code : undefined
}

/** ESTALE of Linux. Node 20 has no name for it. */
const ESTALE = -116

/** True if an error says that a file server no longer has the file that a name stood for. */
export function isStale(error: unknown): boolean {
  return error instanceof Error && 'errno' in error && error.errno === ESTALE
}

const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** The error of a request that met a defect of the program. */
export function internalError(cause: unknown): StoreError {
  return new StoreError('internal', 'internal error; the log has its stack', cause)
}

/** The kind of an error, for a change that was to be written. */
export function storeErrorOf(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const code = codeOf(error)
  const reason = error instanceof Error ? error.message : String(error)
  if (code === undefined) return internalError(error)
  if (FULL.has(code)) return new StoreError('volume-full', `the volume is full (${reason})`, error)
  return new StoreError('unavailable', `the volume cannot be written (${reason})`, error)
}
