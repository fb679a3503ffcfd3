import { mkdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { EMPTY_DOCUMENT, type StatusDocument, readDocument, toBytes } from '../status/document.ts'
import { Draft, type Terms } from '../status/draft.ts'
import type { HistoryRow } from '../status/history.ts'
import type { LocatedFault } from '../status/json.ts'
import { reconcile } from '../status/reconcile.ts'
import { reread } from '../status/reread.ts'
import { type SavedDocument, TARGETS_MAX, savedDocumentSchema } from '../status/schema.ts'
import { formatTime } from '../status/time.ts'
import { type Unread, DisplacedFiles } from './displaced.ts'
import { HISTORY_BYTES_MAX, History } from './history.ts'
import type { Range } from './history-index.ts'
import { withLock } from './lock.ts'
import { Pace } from './pace.ts'
import { type Found, Reader } from './reader.ts'
import { BYTES_MAX, COPY_FILE, STATUS_FILE, StatusFile, digestOf, openDisplaced } from './status-file.ts'
import { StoreError, storeErrorOf } from './store-error.ts'
import { type Volume, inspectVolume, refuseMountedFile } from './volume.ts'
import { Watcher } from './watcher.ts'

/** How long a commit waits for another server's, or for an edit to be written to its end, in ms. */
const WAIT_MAX_MS = 4000
/** How soon a half-written file is looked at again, in ms. */
const LOOK_AGAIN_MS = 50
/** How many requests may wait for a commit; with 1 MiB each at the most, it bounds the memory that they hold. */
const QUEUE_MAX = 1000
/** Leaves room for the top of the document and the separators in what can be read back. */
const ENTRIES_BYTES_MAX = BYTES_MAX - 16 * 1024 * 1024
const FAULTS_LOGGED_MAX = 10
const DAY_MS = 86_400_000

/** What readers get: the bytes of the file, and what they say. */
export interface Published {
  readonly bytes: Buffer
  readonly digest: string
  /** When the bytes came to be, in ms since the epoch. */
  readonly modifiedAt: number
  readonly document: StatusDocument
}

/** What is wrong, for whoever asks whether the server is ready. */
export interface Health {
  /** Why nothing can be committed now; absent when it can. */
  readonly trouble?: { readonly since: string; readonly kind: StoreError['kind']; readonly message: string }
  /** An edit that is not valid; readers are served the last good document. */
  readonly rejectedEdit?: RejectedEdit
}

export interface RejectedEdit {
  readonly since: string
  /** Where the text stands: in the file itself till the next commit, then in a file of its own. */
  readonly file: string
  readonly faults: readonly LocatedFault[]
}

/** Whoever wants to know what happens. */
export interface CommitEvents {
  /** A commit is on disk, after so many ms, and served so many requests. */
  committed(ms: number, requests: number): void
  commitFailed(): void
  edited(outcome: 'merged' | 'rejected'): void
}

export interface CommitLoopOptions {
  readonly directory: string
  /** Seconds, for statuses without their own `stale_after`. */
  readonly staleAfter: number
  /** Days. */
  readonly historyRetention: number
  readonly events: CommitEvents
  readonly log: Logger
}

interface Edit {
  readonly saved: SavedDocument
  /** The displaced file that it comes from, where it is not in `status.json`. */
  readonly from?: Unread
}

interface Job {
  /** Makes the change in a draft; what it returns is called once the draft is on disk. */
  readonly attempt: (draft: Draft) => () => void
  readonly reject: (error: unknown) => void
}

/**
 * The one way in which the file changes. Everything that wants to change it waits in one queue, and one commit takes
 * all that waits. What holds at every moment, also between two system calls:
 *
 * 1. `status.json` is a whole, valid document of this server's or the text that somebody else saved; never a part of ours.
 * 2. An answer comes after the document that holds the change is on disk, with its directory entry.
 * 3. What readers get is a document that is on disk and durable, or was; while nothing can be committed, with what has
 *    become stale and with a valid edit, which is in the file already.
 * 4. A commit that fails leaves memory, queue and published bytes as they were before it.
 * 5. No text that somebody else saved is removed before it is merged or set aside.
 * 6. The generation only grows.
 * 7. Readers never wait for a commit.
 */
export class CommitLoop {
  readonly #file: StatusFile
  readonly #reader: Reader
  readonly #history: History
  readonly #events: CommitEvents
  readonly #log: Logger
  readonly #staleAfter: number
  #watcher: Watcher | undefined
  #volume: Volume | undefined

  readonly #queue: Job[] = []
  readonly #displaced = new DisplacedFiles()
  readonly #pace = new Pace()
  #awake = false
  #running: Promise<void> | undefined
  #stopping = false

  #document: StatusDocument = EMPTY_DOCUMENT
  /** The bytes of `#document` in the file, or of its copy; empty before the first. */
  #bytes: Buffer = Buffer.alloc(0)
  /** Whether there is a document that this server stands for: it has written it, or taken it over. */
  #loaded = false
  #published: Published | undefined
  #found: Found | undefined
  #trouble: Health['trouble']
  #rejectedEdit: RejectedEdit | undefined

  private constructor({ directory, staleAfter, historyRetention, events, log }: CommitLoopOptions) {
    this.#file = new StatusFile(directory)
    this.#reader = new Reader(this.#file)
    this.#history = new History({ directory, retention: historyRetention * DAY_MS, bytesMax: HISTORY_BYTES_MAX, log })
    this.#events = events
    this.#staleAfter = staleAfter
    this.#log = log
  }

  /**
   * Loads the document of a directory, clears up after a crash, and watches for edits.
   *
   * A volume that takes no commit now, because it is full or read-only, does not keep readers from a document that is
   * there: it is served as it was found, and loaded for good once the volume takes commits.
   *
   * @throws {StoreError} when there is nothing to serve and nothing can be written
   */
  static async start(options: CommitLoopOptions): Promise<CommitLoop> {
    const loop = new CommitLoop(options)
    await refuseMountedFile(options.directory)
    try {
      await mkdir(options.directory, { recursive: true })
      await withLock(options.directory, WAIT_MAX_MS, () => loop.#load())
    } catch (error) {
      const reason = storeErrorOf(error)
      if (!(await loop.#publishAsFound())) throw reason
      loop.#beginTrouble(reason)
    }
    loop.#watcher = new Watcher({
      directory: options.directory,
      wake: () => loop.#wake(),
      onError: (error) =>
        options.log.warn({ err: error }, 'no events from the file system: edits are found every 2 seconds'),
    })
    loop.#wake()
    return loop
  }

  /** What readers get. */
  get published(): Published {
    if (this.#published === undefined) throw new Error('nothing is published before start')
    return this.#published
  }

  /** What the data directory is on, as it was found at the start. */
  get volume(): Volume | undefined {
    return this.#volume
  }

  get health(): Health {
    return {
      ...(this.#trouble === undefined ? {} : { trouble: this.#trouble }),
      ...(this.#rejectedEdit === undefined ? {} : { rejectedEdit: this.#rejectedEdit }),
    }
  }

  /**
   * Changes the document. Changes are made in the order in which they were submitted.
   *
   * @param change what to change; where it throws, nothing of it is done and the promise is rejected with its error
   * @returns what `change` returned, once the document with the change is safely on disk
   * @throws {StoreError} when it could not be committed; nothing has changed then
   */
  async submit<T>(change: (draft: Draft) => T): Promise<T> {
    if (this.#stopping) throw new StoreError('unavailable', 'the server is stopping')
    if (this.#queue.length >= QUEUE_MAX) throw new StoreError('unavailable', 'too many requests wait for a commit')
    return new Promise<T>((resolve, reject) => {
      const attempt = (draft: Draft): (() => void) => {
        const result = draft.attempt(() => bounded(draft, change))
        return () => resolve(result)
      }
      this.#queue.push({ attempt, reject })
      this.#pace.arrived(this.#queue.length)
      this.#wake()
    })
  }

  /** Commits what waits, then takes nothing more. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#pace.end()
    await this.#watcher?.close()
    await this.#running
    await this.#displaced.close()
  }

  /** What has happened, oldest first; before it what was in force at the beginning. */
  async history(range: Range): Promise<HistoryRow[]> {
    return this.#history.rows(range)
  }

  #wake(): void {
    if (this.#stopping && this.#queue.length === 0) return
    this.#awake = true
    this.#running ??= this.#run()
  }

  #wakeSoon(): void {
    setTimeout(() => this.#wake(), LOOK_AGAIN_MS).unref()
  }

  async #run(): Promise<void> {
    while (this.#awake || this.#queue.length > 0) {
      await this.#pace.turn(this.#queue.length)
      this.#awake = false
      await this.#round()
      // After the round and not before it: nobody waits for an answer now.
      if (await this.#displaced.review()) this.#awake = true
    }
    this.#running = undefined
  }

  async #round(): Promise<void> {
    let batch: Job[] = []
    const deadline = Date.now() + WAIT_MAX_MS
    try {
      await this.#forgetRejectedEdit()
      if (await this.#nothingToDo()) return
      await withLock(this.#file.directory, WAIT_MAX_MS, async () => {
        if (!this.#loaded) await this.#load()
        else if (this.#trouble !== undefined && this.#queue.length === 0) await this.#file.probe(this.#bytes)
        const found = await this.#look(deadline)
        if (found === undefined) return
        batch = this.#queue.splice(0)
        await this.#commit(found, batch)
      })
      this.#endTrouble()
    } catch (error) {
      const reason = storeErrorOf(error)
      this.#events.commitFailed()
      for (const job of batch.length > 0 ? batch : this.#queue.splice(0)) job.reject(reason)
      this.#beginTrouble(reason)
      this.#publishFlips()
    }
  }

  async #nothingToDo(): Promise<boolean> {
    if (this.#queue.length > 0 || this.#displaced.waiting || this.#trouble !== undefined) return false
    const now = Date.now()
    if (this.#document.entries.some(({ flipsAt }) => flipsAt <= now)) return false
    return this.#found !== undefined && (await this.#file.isAsSeen(this.#found.seen))
  }

  /** Looks at the file; `undefined` where it is being written and nobody waits for it to be whole. */
  async #look(deadline: number): Promise<Found | undefined> {
    for (;;) {
      const found = await this.#reader.look(this.#bytes, this.#document)
      if (found.kind !== 'unfinished') {
        await this.#note(found)
        return found
      }
      this.#found = undefined
      if (this.#queue.length === 0) {
        this.#wakeSoon()
        return undefined
      }
      if (Date.now() > deadline) throw new StoreError('unavailable', `${STATUS_FILE} is being written by somebody else`)
      await sleep(LOOK_AGAIN_MS)
    }
  }

  /** Tells of what a look has newly brought to light. */
  async #note(found: Found): Promise<void> {
    const before = this.#found?.kind
    this.#found = found
    if (found.kind === 'gone' && before !== 'gone' && this.#published !== undefined) {
      this.#log.warn(`${STATUS_FILE} is gone; it is written again with the next commit`)
    }
    if (found.kind === 'known' && this.#rejectedEdit?.file === STATUS_FILE) this.#rejectedEdit = undefined
    if (found.kind === 'invalid' && this.#rejectedEdit?.faults !== found.faults) {
      this.#rejectEdit(STATUS_FILE, found.faults)
    }
  }

  #rejectEdit(file: string, faults: readonly LocatedFault[]): void {
    this.#rejectedEdit = { since: formatTime(Date.now()), file, faults }
    this.#events.edited('rejected')
    this.#log.error(
      { file, faults: faults.slice(0, FAULTS_LOGGED_MAX) },
      'edit rejected: readers get the last good document',
    )
  }

  /** Whoever deletes a text that was set aside has seen it. */
  async #forgetRejectedEdit(): Promise<void> {
    const file = this.#rejectedEdit?.file
    if (file !== undefined && file !== STATUS_FILE && !(await this.#file.hasAside(file))) this.#rejectedEdit = undefined
  }

  /** Makes one commit of everything that is there to be committed. The lock is held. */
  async #commit(found: Found, batch: readonly Job[]): Promise<void> {
    if (found.kind !== 'known') await this.#catchUp(found)
    const edit = (await this.#adopt(found)) ? undefined : await this.#editIn(found)
    const draft = edit === undefined ? new Draft(this.#document, this.#terms()) : this.#reconciled(edit.saved)
    draft.flipStale()
    const answers = batch.map((job) => answerOf(job, draft))
    if (draft.changed || edit !== undefined || !this.#loaded) {
      try {
        await this.#write(draft, found, batch.length)
      } catch (error) {
        if (edit !== undefined && edit.from === undefined) this.#publishAsSaved(found)
        throw error
      }
    }
    for (const answer of answers) answer()
    await this.#history.record(this.#document, true)
    if (edit !== undefined) await this.#merged(edit)
    if (!this.#displaced.waiting) return
    // There may be many that can be merged at once; only one that is still being written takes its time.
    if (edit === undefined) this.#wakeSoon()
    else this.#wake()
  }

  /**
   * Takes over what another server has committed and somebody has since saved over: the copy still has it. Without it
   * their edit would look as if it were made from the newest document.
   */
  async #catchUp({ seen }: Found): Promise<void> {
    const copy = await this.#file.readCopy()
    if (copy === undefined || copy.equals(this.#bytes) || seen?.bytes.equals(copy) === true) return
    const outcome = reread(copy, this.#document)
    if (!outcome.ok || (outcome.value.generation ?? 0) <= this.#document.generation) return
    const { generation, updated_at: updatedAt } = outcome.value
    const document = this.#reconciled(outcome.value).finish(generation, updatedAt)
    if (this.#render(document).equals(copy)) this.#stand(document, copy, Date.now())
  }

  /** Takes over a document that needs nothing done to it: another server's commit, or the file at the start. */
  async #adopt(found: Found): Promise<boolean> {
    if (found.kind !== 'edited') return false
    const { saved, seen } = found
    if ((saved.generation ?? 0) <= this.#document.generation) return false
    const document = this.#reconciled(saved).finish(saved.generation, saved.updated_at)
    if (!this.#render(document).equals(seen.bytes)) return false
    // The other may have been killed before it did.
    await this.#file.sync()
    this.#stand(document, seen.bytes, seen.modifiedAt)
    if ((await this.#file.readCopy())?.equals(seen.bytes) !== true) await this.#keepCopy(seen.bytes)
    if (this.#rejectedEdit?.file === STATUS_FILE) this.#rejectedEdit = undefined
    await this.#history.record(document, false)
    this.#log.info({ generation: document.generation, targets: document.entries.length }, 'document taken over')
    return true
  }

  /** The next edit to be merged: what the file holds, else what is found in a file that an earlier commit displaced. */
  async #editIn(found: Found): Promise<Edit | undefined> {
    if (found.kind === 'edited') return { saved: found.saved }
    for (;;) {
      const unread = await this.#displaced.next()
      if (unread === undefined) return undefined
      const { file, seen, outcome } = unread
      if (outcome.ok) return { saved: outcome.value, from: unread }
      this.#rejectEdit(await this.#file.setAside(file, seen), outcome.faults)
      this.#displaced.watch(file, seen)
    }
  }

  #reconciled(saved: SavedDocument): Draft {
    return reconcile(this.#document, saved, this.#terms())
  }

  async #merged({ from }: Edit): Promise<void> {
    this.#rejectedEdit = undefined
    this.#events.edited('merged')
    this.#log.info({ generation: this.#document.generation, targets: this.#document.entries.length }, 'edit merged')
    if (from === undefined) return
    await this.#file.discard(from.file)
    this.#displaced.watch(from.file, from.seen)
  }

  /** Brings a draft to disk, then to the readers. */
  async #write(draft: Draft, found: Found, requests: number): Promise<void> {
    this.#watcher?.committing()
    const started = performance.now()
    const document = draft.finish()
    const bytes = this.#render(document)
    this.#pace.began(bytes.length)
    const displaced = await this.#file.replace(bytes, found.seen)
    // None of these needs another: what is displaced has a name of its own till it is kept, the copy need not be durable.
    await all(
      this.#file.sync(),
      this.#keepCopy(bytes),
      displaced === undefined ? Promise.resolve() : this.#keep(displaced, found),
    )

    this.#stand(document, bytes, draft.terms.now)
    // The next look reads the file: an edit can have followed at once.
    this.#found = undefined
    const ms = Math.round((performance.now() - started) * 10) / 10
    this.#events.committed(ms, requests)
    this.#log.info({ generation: document.generation, requests, bytes: bytes.length, ms }, 'committed')
  }

  #render(document: StatusDocument): Buffer {
    const { entries } = this.#document
    return toBytes(document, this.#bytes.length === 0 ? undefined : { entries, bytes: this.#bytes })
  }

  /** Finds a place for what a commit displaced. Nothing that somebody saved is removed. */
  async #keep(path: string, found: Found): Promise<void> {
    const { file, held } = await openDisplaced(path)
    if (found.seen === undefined || !found.seen.bytes.equals(held.bytes)) {
      this.#displaced.add(file)
      return
    }
    if (found.kind === 'invalid') {
      this.#rejectEdit(await this.#file.setAside(file, held), found.faults)
    } else {
      await this.#file.discard(file)
    }
    this.#displaced.watch(file, held)
  }

  #stand(document: StatusDocument, bytes: Buffer, modifiedAt: number): void {
    this.#document = document
    this.#bytes = bytes
    this.#loaded = true
    this.#publish(document, bytes, modifiedAt)
  }

  #publish(document: StatusDocument, bytes: Buffer, modifiedAt: number): void {
    this.#published = { document, bytes, digest: digestOf(bytes), modifiedAt }
  }

  /** A valid edit is live also while the volume takes no commit, where nothing newer would be undone by it. */
  #publishAsSaved(found: Found): void {
    if (found.kind !== 'edited' || (found.saved.generation ?? Infinity) < this.#document.generation) return
    const document = this.#reconciled(found.saved).finish(this.#document.generation)
    this.#publish(document, toBytes(document), found.seen.modifiedAt)
  }

  /** Publishes what there is, where no more can be done. Tells whether there was a valid document. */
  async #publishAsFound(): Promise<boolean> {
    if (this.#published !== undefined) return true
    for (const read of [async () => (await this.#file.read())?.bytes, async () => this.#file.readCopy()]) {
      const bytes = await read().catch(() => undefined)
      const outcome = bytes === undefined ? undefined : readDocument(bytes)
      if (bytes !== undefined && outcome?.ok === true) {
        const { generation, updated_at: updatedAt } = outcome.value
        const document = reconcile(EMPTY_DOCUMENT, outcome.value, this.#terms()).finish(generation, updatedAt)
        this.#publish(document, bytes, Date.now())
        return true
      }
    }
    return false
  }

  /** While nothing can be committed, what has become stale is shown as stale all the same. */
  #publishFlips(): void {
    if (this.#published === undefined) return
    const { document } = this.#published
    const draft = new Draft(document, this.#terms())
    draft.flipStale()
    if (!draft.changed) return
    const flipped = draft.finish(document.generation, document.updatedAt)
    this.#publish(flipped, toBytes(flipped), Date.now())
  }

  /** Keeps a copy of the document, which tells what an edit is an edit of. Without it only less is known. */
  async #keepCopy(bytes: Buffer): Promise<void> {
    try {
      await this.#file.writeCopy(bytes)
    } catch (error) {
      this.#log.warn({ err: error }, `no copy of the document in ${COPY_FILE}`)
    }
  }

  /** Finds the document to start from, and writes it where the file does not hold it. The lock is held. */
  async #load(): Promise<void> {
    this.#volume = await inspectVolume(this.#file.directory)
    if (this.#volume.edits === 'polling') {
      this.#log.warn(`${this.#volume.fileSystem} tells of no changes: edits are found by looking every 2 seconds`)
    }
    await this.#file.writeSchema(`${JSON.stringify(savedDocumentSchema, null, 2)}\n`)
    await this.#loadCopy()
    // What a crash has kept from being written down; what comes after it has a cause that is known.
    if (this.#document.generation > 0) await this.#history.record(this.#document, false)
    let found = await this.#reader.look(this.#bytes, this.#document)
    while (found.kind === 'unfinished') {
      await sleep(LOOK_AGAIN_MS)
      found = await this.#reader.look(this.#bytes, this.#document)
    }
    await this.#note(found)
    if (found.kind === 'known') this.#stand(this.#document, found.seen.bytes, found.seen.modifiedAt)
    if (found.kind === 'gone' || found.kind === 'invalid') this.#startFromCopy(found)
    await this.#commit(found, [])
    for (const file of await this.#file.recover()) this.#displaced.add(file)
  }

  /** The document that was last committed is what the file is an edit of, be it another server's commit or a backup. */
  async #loadCopy(): Promise<void> {
    const bytes = await this.#file.readCopy()
    if (bytes === undefined) return
    const outcome = readDocument(bytes)
    if (!outcome.ok) {
      this.#log.error({ file: await this.#file.setCopyAside() }, `${COPY_FILE} is broken and was set aside`)
      return
    }
    const { generation, updated_at: updatedAt } = outcome.value
    this.#document = this.#reconciled(outcome.value).finish(generation, updatedAt)
    if (toBytes(this.#document).equals(bytes)) this.#bytes = bytes
  }

  #startFromCopy(found: Found): void {
    const { generation, entries } = this.#document
    if (generation === 0) {
      if (found.kind === 'invalid') this.#log.error(`${STATUS_FILE} is broken and there is no copy: started EMPTY`)
      return
    }
    // A document that was committed and not copied had the generation after this one: it must not come to mean another.
    this.#document = { ...this.#document, generation: generation + 1 }
    this.#log.error(
      { file: COPY_FILE, generation, targets: entries.length },
      `${STATUS_FILE} is broken or gone: started from the newest good copy`,
    )
  }

  #terms(): Terms {
    return { now: Date.now(), staleAfter: this.#staleAfter }
  }

  #beginTrouble({ kind, message }: StoreError): void {
    if (this.#trouble?.message === message) return
    this.#trouble = { since: formatTime(Date.now()), kind, message }
    this.#log.error({ kind }, `cannot commit: ${message}`)
  }

  #endTrouble(): void {
    if (this.#trouble === undefined) return
    this.#trouble = undefined
    this.#log.info('can commit again')
  }
}

/** Waits for all of it, also where a part fails: nothing may go on once the lock is given back. */
async function all(...work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason
}

/** What to tell a request once the draft is on disk. */
function answerOf({ attempt, reject }: Job, draft: Draft): () => void {
  try {
    return attempt(draft)
  } catch (error) {
    return () => reject(error)
  }
}

function bounded<T>(draft: Draft, change: (draft: Draft) => T): T {
  const { size, bytes } = draft
  const result = change(draft)
  if (draft.size > size && draft.size > TARGETS_MAX) {
    throw new StoreError('document-full', `the document already has ${size} targets; ${TARGETS_MAX} is the most`)
  }
  if (draft.bytes > bytes && draft.bytes > ENTRIES_BYTES_MAX) {
    throw new StoreError('document-full', `the document's entries must not have more than ${ENTRIES_BYTES_MAX} bytes`)
  }
  return result
}
