import type { Logger } from 'pino'
import type { LocatedFault } from '../status/json.ts'
import { formatTime } from '../status/time.ts'
import type { RejectedText } from './inbox.ts'
import { type StoreError, internalError } from './store-error.ts'

const FAULTS_LOGGED_MAX = 10

/** Something that is wrong now. */
export interface Trouble {
  /**
   * - `volume-full`, `no-lock`, `unavailable`: nothing can be committed
   * - `internal-error`: a defect of the program; the log has its stack
   * - `rejected-edit`: an edit is not valid; readers get the last good document
   */
  readonly kind: 'volume-full' | 'no-lock' | 'unavailable' | 'internal-error' | 'rejected-edit'
  /** UTC, whole seconds. */
  readonly since: string
  readonly detail: string
  /** The file in the data directory that holds a rejected text. */
  readonly file?: string
  readonly faults?: readonly LocatedFault[]
}

export interface Health {
  /** False if a snapshot could not be committed now. */
  readonly canCommit: boolean
  readonly troubles: readonly Trouble[]
}

/** What one round has found to be wrong. */
export interface RoundReport {
  /** Why nothing could be committed. */
  readonly failure?: StoreError
  /** Defects that concern one request or one edit each; everything else was committed. */
  readonly defects?: readonly unknown[]
  readonly hasCommitted?: boolean
}

interface Rejected {
  /** The text that is rejected now. */
  readonly rejected: RejectedText | undefined
}

/** What is wrong now. `report` alone changes it, and logs each trouble once when it begins. */
export class Troubles {
  readonly #log: Logger
  readonly #onRejected: () => void
  #failure: Trouble | undefined
  #defect: Trouble | undefined
  #rejectedEdit: { readonly text: RejectedText; readonly trouble: Trouble } | undefined

  /** @param onRejected called once for each text that is rejected */
  constructor(log: Logger, onRejected: () => void) {
    this.#log = log
    this.#onRejected = onRejected
  }

  get canCommit(): boolean {
    return this.#failure === undefined
  }

  get health(): Health {
    const troubles = [this.#failure, this.#defect, this.#rejectedEdit?.trouble]
    return { canCommit: this.canCommit, troubles: troubles.filter((each) => each !== undefined) }
  }

  /** Takes over what a round has found. A defect is shown until a later round commits without one. */
  report({ failure, defects = [], hasCommitted = false, rejected }: RoundReport & Rejected): void {
    this.#reportFailure(failure)
    if (hasCommitted) this.#defect = undefined
    for (const defect of defects) {
      this.#log.error({ err: defect }, 'internal error')
      this.#defect = { kind: 'internal-error', since: now(), detail: internalError(defect).message }
    }
    this.#reportRejected(rejected)
  }

  #reportFailure(failure: StoreError | undefined): void {
    if (failure === undefined) {
      if (this.#failure !== undefined) this.#log.info('commits work again')
      this.#failure = undefined
    } else if (this.#failure?.detail !== failure.message) {
      const { kind, message, cause } = failure
      this.#failure = { kind: kindOf(failure), since: now(), detail: message }
      const stack = kind === 'internal' ? { err: cause } : {}
      this.#log.error({ kind: this.#failure.kind, detail: message, ...stack }, 'commit failed')
    }
  }

  #reportRejected(text: RejectedText | undefined): void {
    const before = this.#rejectedEdit?.text
    if (text === before) return
    if (text === undefined) {
      this.#rejectedEdit = undefined
      return
    }
    const { file, faults, isDefect } = text
    const kind = isDefect ? 'internal-error' : 'rejected-edit'
    const detail = isDefect
      ? 'an edit could not be merged because of an internal error'
      : 'an edit is not valid: readers get the last good document'
    const isMoved = before?.faults === faults
    const since = (isMoved ? this.#rejectedEdit?.trouble.since : undefined) ?? now()
    this.#rejectedEdit = { text, trouble: { kind, since, detail, file, faults } }
    if (isMoved) this.#log.warn({ file }, 'rejected edit set aside')
    else {
      this.#log.error({ file, faults: faults.slice(0, FAULTS_LOGGED_MAX) }, 'edit rejected')
      this.#onRejected()
    }
  }
}

function kindOf({ kind }: StoreError): Trouble['kind'] {
  if (kind === 'internal') return 'internal-error'
  return kind === 'volume-full' || kind === 'no-lock' ? kind : 'unavailable'
}

function now(): string {
  return formatTime(Date.now())
}
