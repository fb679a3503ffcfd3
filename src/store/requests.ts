import type { Draft } from '../status/draft.ts'
import type { Answer, Change } from '../status/next.ts'
import { TARGETS_MAX } from '../status/schema.ts'
import { BYTES_MAX } from './durable-file.ts'
import { Pace } from './pace.ts'
import { StoreError, internalError } from './store-error.ts'

/** The most requests that wait for a commit; with at most 1 MiB each, it bounds the memory that they hold. */
export const REQUESTS_MAX = 1000
/** Leaves room for the top of the document and the separators in a file of `BYTES_MAX`. */
const ENTRIES_BYTES_MAX = BYTES_MAX - 16 * 1024 * 1024

interface Request {
  readonly change: Change
  /** On the clock of `performance.now()`. */
  readonly arrivedAt: number
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** Requests that share one commit. */
export class Batch {
  readonly #requests: readonly Request[]

  constructor(requests: readonly Request[]) {
    this.#requests = requests
  }

  get size(): number {
    return this.#requests.length
  }

  get changes(): Change[] {
    return this.#requests.map(({ change }) => change)
  }

  /** Answers every request. Its change is on disk, or was refused. */
  answer(answers: readonly Answer[]): void {
    for (const [index, { resolve, reject }] of this.#requests.entries()) {
      const answer = answers[index]
      if (answer?.kind === 'done') resolve(answer.value)
      else if (answer?.kind === 'refused') reject(answer.refusal)
      else reject(internalError(answer?.error))
    }
  }

  /** Refuses every request; one that was answered already stays as it is. */
  refuse(reason: Error): void {
    for (const { reject } of this.#requests) reject(reason)
  }
}

/** The requests that wait for a commit. */
export class Requests {
  readonly pace = new Pace()
  #waiting: Request[] = []

  get size(): number {
    return this.#waiting.length
  }

  /**
   * Adds a request.
   *
   * @returns what `change` returns, once its document is on disk
   * @throws {Refusal} thrown by `change`; {StoreError} if it could not be committed
   */
  async add<T>(change: (draft: Draft) => T): Promise<T> {
    if (this.size >= REQUESTS_MAX) throw new StoreError('unavailable', 'too many requests are waiting for a write')
    return new Promise<T>((resolve, reject) => {
      let result: { readonly value: T } | undefined
      const remember = (draft: Draft): void => {
        result = { value: bounded(draft, change) }
      }
      this.#waiting.push({
        change: remember,
        arrivedAt: performance.now(),
        resolve: () => (result === undefined ? reject(new Error('the change was not made')) : resolve(result.value)),
        reject,
      })
      this.pace.requestAdded(this.size)
    })
  }

  /** Takes everything that waits. */
  take(): Batch {
    const batch = new Batch(this.#waiting)
    this.#waiting = []
    return batch
  }

  /** Takes the requests that have waited longer than `ms`. */
  takeOlderThan(ms: number): Batch {
    const since = performance.now() - ms
    const batch = new Batch(this.#waiting.filter(({ arrivedAt }) => arrivedAt < since))
    this.#waiting = this.#waiting.filter(({ arrivedAt }) => arrivedAt >= since)
    return batch
  }
}

/** Makes a change, unless the document becomes larger than it may. */
function bounded<T>(draft: Draft, change: (draft: Draft) => T): T {
  const { size, bytes } = draft
  const result = change(draft)
  if (draft.size > size && draft.size > TARGETS_MAX) {
    throw new StoreError('document-full', `the document already has ${size} targets; the limit is ${TARGETS_MAX}`)
  }
  if (draft.bytes > bytes && draft.bytes > ENTRIES_BYTES_MAX) {
    throw new StoreError('document-full', `the entries of the document would exceed ${ENTRIES_BYTES_MAX} bytes`)
  }
  return result
}
