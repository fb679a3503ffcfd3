import type { Logger } from 'pino'
import { helpFor } from '../project.ts'
import type { LocatedFault } from '../status/json.ts'
import { formatTime } from '../status/time.ts'
import { HISTORY_FILE, type HistoryFault } from './history.ts'
import type { RejectedText } from './inbox.ts'
import { type StoreError, internalError } from './store-error.ts'

const FAULTS_LOGGED_MAX = 10

/** A current problem. */
export interface Trouble {
  /**
   * - `volume-full`, `no-lock`, `unavailable`: nothing can be written
   * - `internal-error`: a defect of the program; the log has its stack
   * - `rejected-edit`: an edit is not valid; readers get the last good document
   * - `history`: the history cannot be written; its rows wait
   */
  readonly kind: 'volume-full' | 'no-lock' | 'unavailable' | 'internal-error' | 'rejected-edit' | 'history'
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
  /** Number of rows of the history that could not be written yet. */
  readonly historyRowsWaiting: number
}

/** The faults that one round found. */
export interface RoundReport {
  /** The reason why nothing could be written. */
  readonly failure?: StoreError
  /** Defects that concern one request or one edit each; everything else was committed. */
  readonly defects?: readonly unknown[]
  readonly hasCommitted?: boolean
}

/** What lasts from round to round. */
interface Lasting {
  /** The text that is rejected now. */
  readonly rejected: RejectedText | undefined
  /** Why the history cannot be written now. */
  readonly historyFault: HistoryFault | undefined
}

/** The current troubles. Only `report` changes them; it logs each trouble once, when it begins. */
export class Troubles {
  readonly #log: Logger
  readonly #onRejected: () => void
  #failure: Trouble | undefined
  #defect: Trouble | undefined
  #rejectedEdit: { readonly text: RejectedText; readonly trouble: Trouble } | undefined
  #history: { readonly fault: HistoryFault; readonly trouble: Trouble } | undefined

  /** @param onRejected called once for each text that is rejected */
  constructor(log: Logger, onRejected: () => void) {
    this.#log = log
    this.#onRejected = onRejected
  }

  get canCommit(): boolean {
    return this.#failure === undefined
  }

  get health(): Health {
    const troubles = [this.#failure, this.#defect, this.#rejectedEdit?.trouble, this.#history?.trouble]
    return {
      canCommit: this.canCommit,
      troubles: troubles.filter((each) => each !== undefined),
      historyRowsWaiting: this.#history?.fault.rows ?? 0,
    }
  }

  /** Takes over what a round has found. A defect is shown until a later round commits without one. */
  report({ failure, defects = [], hasCommitted = false, rejected, historyFault }: RoundReport & Lasting): void {
    this.#reportFailure(failure)
    if (hasCommitted) this.#defect = undefined
    for (const defect of defects) {
      this.#log.error({ err: defect }, 'internal error')
      this.#defect = { kind: 'internal-error', since: now(), detail: internalError(defect).message }
    }
    this.#reportRejected(rejected)
    this.#reportHistory(historyFault)
  }

  #reportFailure(failure: StoreError | undefined): void {
    if (failure === undefined) {
      if (this.#failure !== undefined) this.#log.info('writes work again')
      this.#failure = undefined
    } else if (this.#failure?.detail !== failure.message) {
      const { kind, message, cause } = failure
      this.#failure = { kind: kindOf(failure), since: now(), detail: message }
      const stack = kind === 'internal' ? { err: cause } : {}
      this.#log.error(
        { kind: this.#failure.kind, detail: message, ...stack, help: helpFor(this.#failure.kind) },
        'write failed',
      )
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
      this.#log.error({ file, faults: faults.slice(0, FAULTS_LOGGED_MAX), help: helpFor(kind) }, 'edit rejected')
      this.#onRejected()
    }
  }

  #reportHistory(fault: HistoryFault | undefined): void {
    const before = this.#history
    if (fault === undefined) {
      if (before !== undefined) {
        this.#log.info({ file: HISTORY_FILE, dropped: before.fault.dropped }, 'history written again')
      }
      this.#history = undefined
      return
    }
    const { error, dropped } = fault
    const detail = `${HISTORY_FILE} cannot be written (${error instanceof Error ? error.message : String(error)})`
    const help = helpFor('history')
    if (detail !== before?.trouble.detail) {
      this.#log.warn({ err: error, file: HISTORY_FILE, help }, 'history not written; it will be retried')
    }
    if (dropped > 0 && (before === undefined || before.fault.dropped === 0)) {
      this.#log.warn(
        { file: HISTORY_FILE, dropped, help },
        'too many rows wait for the history; the oldest are dropped',
      )
    }
    this.#history = { fault, trouble: { kind: 'history', since: before?.trouble.since ?? now(), detail } }
  }
}

function kindOf({ kind }: StoreError): Trouble['kind'] {
  if (kind === 'internal') return 'internal-error'
  return kind === 'volume-full' || kind === 'no-lock' ? kind : 'unavailable'
}

function now(): string {
  return formatTime(Date.now())
}
