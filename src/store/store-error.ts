/**
 * Why a change could not be committed. Nothing of it is in the document, in memory or on disk.
 *
 * - `volume-full`: no space, or no quota, for the new file
 * - `document-full`: the document may not grow any more
 * - `unavailable`: cannot commit now: directory gone, read-only, input/output error, lock held by another, stopping
 */
export type StoreErrorKind = 'volume-full' | 'document-full' | 'unavailable'

export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly kind: StoreErrorKind

  constructor(kind: StoreErrorKind, message: string, cause?: unknown) {
    super(message, { cause })
    this.kind = kind
  }
}

/** The system's code of an error, such as `ENOENT`; `undefined` where it has none. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** What a failed system call means for whoever wanted to commit. */
export function storeErrorOf(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const code = codeOf(error)
  const reason = error instanceof Error ? error.message : String(error)
  if (code !== undefined && FULL.has(code))
    return new StoreError('volume-full', `the volume is full (${reason})`, error)
  return new StoreError('unavailable', `the volume cannot be written (${reason})`, error)
}
