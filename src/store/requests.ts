import type { Draft } from '../status/draft.ts'
import type { Answer, Change } from '../status/next.ts'
import { TARGETS_MAX } from '../status/schema.ts'
import { Slices } from '../slices.ts'
import { BYTES_MAX } from './durable-file.ts'
import { Pace } from './pace.ts'
import { StoreError, internalError } from './store-error.ts'

/** The most requests that wait for a commit; with at most 1 MiB each, it bounds the memory that they hold. */
export const REQUESTS_MAX = 1000
/** More requests than this do not wait for the interval: the others are for what arrives during their commit. */
const COLLECTED_MAX = REQUESTS_MAX / 2
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
  async answer(answers: readonly Answer[]): Promise<void> {
    const slices = new Slices()
    for (const [index, { resolve, reject }] of this.#requests.entries()) {
      const answer = answers[index]
      if (answer?.kind === 'done') resolve(answer.value)
      else if (answer?.kind === 'refused') reject(answer.refusal)
      else reject(internalError(answer?.error))
      await slices.next()
    }
  }

  /** Refuses every request; one that was answered already stays as it is. */
  refuse(reason: Error): void {
    for (const { reject } of this.#requests) reject(reason)
  }
}

/**
 * The requests that wait for a commit. They are due at the earliest one interval after the last commit has started; until
 * then they are collected, so that one commit serves them. A commit for another reason may take them sooner.
 */
export class Requests {
  readonly pace = new Pace()
  /** In ms. */
  #interval: number
  /** The end of the interval, on the clock of `performance.now()`. */
  #notBefore = 0
  #waiting: Request[] = []

  /** @param interval the shortest time between two commits for requests, in ms */
  constructor(interval: number) {
    this.#interval = interval
  }

  get size(): number {
    return this.#waiting.length
  }

  /** The time until the requests that wait are due, in ms: 0 if they are, `Infinity` if none waits. */
  get dueIn(): number {
    return this.size === 0 ? Infinity : Math.max(0, this.#notBefore - performance.now())
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
      if (this.size > COLLECTED_MAX) this.#endInterval()
      this.pace.requestAdded(this.size)
    })
  }

  /** Notes that a commit that writes so many bytes starts. */
  commitStarted(bytes: number): void {
    this.pace.commitStarted(bytes)
    this.#notBefore = performance.now() + this.#interval
  }

  /** Ends the present delay; from now on, requests are due as soon as they are added. */
  release(): void {
    this.pace.release()
    this.#interval = 0
    this.#endInterval()
  }

  /** Takes everything that waits. */
  take(): Batch {
    const batch = new Batch(this.#waiting)
    this.#waiting = []
    return batch
  }

  /** Takes the requests that have been due for longer than `ms`. */
  takeOverdue(ms: number): Batch {
    const since = performance.now() - ms
    const isOverdue = ({ arrivedAt }: Request): boolean => Math.max(arrivedAt, this.#notBefore) < since
    const batch = new Batch(this.#waiting.filter((request) => isOverdue(request)))
    this.#waiting = this.#waiting.filter((request) => !isOverdue(request))
    return batch
  }

  #endInterval(): void {
    this.#notBefore = Math.min(this.#notBefore, performance.now())
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
