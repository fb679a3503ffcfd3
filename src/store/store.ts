import { mkdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { StatusDocument } from '../status/document.ts'
import type { Draft } from '../status/draft.ts'
import type { HistoryRow } from '../status/history.ts'
import type { TargetPeriods } from '../status/periods.ts'
import type { Target } from '../status/target.ts'
import { decide } from '../status/next.ts'
import { Directory } from './directory.ts'
import { HISTORY_BYTES_MAX, History } from './history.ts'
import type { Range } from './history-index.ts'
import { Inbox } from './inbox.ts'
import { readUnopened } from './opening.ts'
import { Published, type PublishedDocument } from './published.ts'
import { Record } from './record.ts'
import { toBytes } from './render.ts'
import { Requests } from './requests.ts'
import { type CommitEvents, Round } from './round.ts'
import { Scheduler } from './scheduler.ts'
import { StoreError, type StoreErrorKind, codeOf, storeErrorOf } from './store-error.ts'
import { type Health, type Trouble, Troubles } from './troubles.ts'
import { type Volume, limitsOf, refuseMountedFile } from './volume.ts'
import { VolumeFiles } from './volume-files.ts'
import { Watcher } from './watcher.ts'

export {
  type CommitEvents,
  type Health,
  type PublishedDocument,
  type Range,
  StoreError,
  type StoreErrorKind,
  type Trouble,
  type Volume,
  codeOf,
  limitsOf,
  toBytes,
}

/** The time until a file that is being written is read again, in ms. */
const LOOK_AGAIN_MS = 50
/** The interval in which displaced files are reviewed, in ms. */
const REVIEW_EVERY_MS = 500
/** How often a directory that is only looked at is read again, in the hope of a moment without an edit or a commit. */
const LOOKS_MAX = 5
const DAY_MS = 86_400_000

export interface StoreOptions {
  readonly directory: string
  /** Seconds after which a status without its own `stale_after` is stale. */
  readonly staleAfter: number
  /** Days. */
  readonly historyRetention: number
  /** The shortest time between two commits for requests, in seconds. */
  readonly commitInterval: number
  readonly events: CommitEvents
  readonly log: Logger
}

/**
 * The status document on disk: what readers get, and the only way to change it.
 *
 * Changes wait until a round takes them; a round takes all that wait, and one commit serves them. See `Round`.
 */
export class Store {
  readonly #round: Round
  readonly #requests: Requests
  readonly #inbox: Inbox
  readonly #published: Published
  readonly #troubles: Troubles
  readonly #history: History
  readonly #scheduler: Scheduler
  #first: Promise<unknown> | undefined
  #watcher: Watcher | undefined
  #isStopping = false

  private constructor(options: StoreOptions) {
    const { directory: path, staleAfter, historyRetention, commitInterval, events, log } = options
    const files = new VolumeFiles()
    const directory = new Directory(path, files)
    const record = new Record(path, files, log)
    this.#requests = new Requests(commitInterval * 1000)
    this.#inbox = new Inbox(directory, record)
    this.#published = new Published()
    this.#troubles = new Troubles(log, () => events.edited('rejected'))
    this.#history = new History({
      directory: path,
      files,
      staleAfter,
      retention: historyRetention * DAY_MS,
      bytesMax: HISTORY_BYTES_MAX,
      log,
    })
    this.#round = new Round({
      directory,
      record,
      requests: this.#requests,
      inbox: this.#inbox,
      published: this.#published,
      troubles: this.#troubles,
      history: this.#history,
      clock: () => ({ now: Date.now(), staleAfter }),
      events,
      commitStarting: (bytes) => {
        this.#requests.commitStarted(bytes)
        this.#watcher?.commitStarting()
      },
      log,
    })
    this.#scheduler = new Scheduler(async () => this.#runRound())
  }

  /**
   * Loads the document of a directory, recovers what a crash has left, and watches for edits.
   *
   * A volume that takes no commit now, because it is full or read-only, does not keep readers from its document: it is
   * served, and commits work as soon as the volume takes them.
   *
   * @throws {StoreError} if there is nothing to serve and nothing can be written
   */
  static async start(options: StoreOptions): Promise<Store> {
    const { directory, log } = options
    const store = new Store(options)
    try {
      await refuseMountedFile(directory)
      await mkdir(directory, { recursive: true })
    } catch (error) {
      throw storeErrorOf(error)
    }
    await store.#firstRound()
    store.#watcher = new Watcher({
      directory,
      wake: () => store.#scheduler.wake(),
      onError: (error) => log.warn({ err: error }, 'no change events from the file system; polling every 2 s'),
    })
    return store
  }

  /**
   * The document of a directory, as a server would have it. Opens nothing and changes nothing; a server may be running.
   *
   * @returns `undefined` if there is none
   * @throws {StoreError} if the directory cannot be read
   */
  static async peek({
    directory: path,
    staleAfter,
    log,
  }: Pick<StoreOptions, 'directory' | 'staleAfter' | 'log'>): Promise<StatusDocument | undefined> {
    const files = new VolumeFiles()
    const parts = { directory: new Directory(path, files), record: new Record(path, files, log) }
    try {
      for (let look = 1; ; look += 1) {
        const clock = { now: Date.now(), staleAfter }
        const { status, base, edits } = await readUnopened(parts, clock)
        if (status === undefined && base.document.generation === 0) return undefined
        // An apparent edit may be a commit between two reads.
        if (edits.length === 0 || look === LOOKS_MAX) return decide(base.document, edits, [], clock).next
        await sleep(LOOK_AGAIN_MS)
      }
    } catch (error) {
      throw storeErrorOf(error)
    }
  }

  /** The document for readers. */
  get published(): PublishedDocument {
    return this.#published.current
  }

  get health(): Health {
    return this.#troubles.health
  }

  /** The file system of the data directory; `undefined` if it could not be tried at the start. */
  get volume(): Volume | undefined {
    return this.#round.volume
  }

  /**
   * Changes the document. Changes are made in the order in which they were submitted.
   *
   * @param change makes the change in a draft; if it throws, nothing of it is done
   * @returns what `change` returned, once the document with the change is safely on disk
   * @throws {Refusal} thrown by `change`; {StoreError} if it could not be committed, or if there is a defect
   */
  async submit<T>(change: (draft: Draft) => T): Promise<T> {
    if (this.#isStopping) throw new StoreError('unavailable', 'the server is stopping')
    const result = this.#requests.add(change)
    this.#scheduler.wakeIn(this.#requests.dueIn)
    return result
  }

  /** The states that targets were in, by target. */
  async periods(matches: (target: Target) => boolean): Promise<TargetPeriods[]> {
    return this.#history.periods(matches)
  }

  /** The rows of a range, oldest first; before them the state of each target at its beginning. */
  async history(range: Range): Promise<HistoryRow[]> {
    return this.#history.rows(range)
  }

  /** Commits what waits, and from now on every request as soon as it is submitted. */
  hasten(): void {
    this.#requests.release()
    this.#scheduler.wake()
  }

  /** Commits what waits, then accepts nothing more. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#requests.release()
    await this.#watcher?.close()
    this.#inbox.endWatch()
    await this.#scheduler.stop()
    await this.#inbox.close()
  }

  async #runRound(): Promise<void> {
    await this.#first
    if (!this.#isStopping) await this.#requests.pace.waitTurn(this.#requests.size)
    const isMoreToDo = await this.#round.run()
    const review = this.#inbox.isWatching ? REVIEW_EVERY_MS : Infinity
    this.#scheduler.wakeIn(isMoreToDo ? LOOK_AGAIN_MS : Math.min(review, this.#requests.dueIn))
  }

  /**
   * Runs rounds until there is something to serve: `status.json` may be being written just now. The last one may still be
   * busy with the history then.
   */
  async #firstRound(): Promise<void> {
    while (this.#published.isEmpty) {
      this.#first = this.#round.run()
      await Promise.race([this.#first, this.#published.once])
      if (this.#published.isEmpty) await sleep(LOOK_AGAIN_MS)
    }
  }
}
