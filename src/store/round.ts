import type { Logger } from 'pino'
import { EMPTY_DOCUMENT, committedDocument } from '../status/document.ts'
import type { Edit } from '../status/edits.ts'
import { type Step, decide } from '../status/next.ts'
import { readDocument } from '../status/saved-document.ts'
import { savedDocumentSchema } from '../status/schema.ts'
import { type Clock, formatTime } from '../status/time.ts'
import { type CommitParts, commit, putInPlace } from './commit.ts'
import type { DisplacedFile } from './displaced.ts'
import { type FileState, digestOf } from './durable-file.ts'
import type { History } from './history.ts'
import type { Found, Text } from './inbox.ts'
import { withLock } from './lock.ts'
import type { Published } from './published.ts'
import { type Rendered, render } from './render.ts'
import type { Batch, Requests } from './requests.ts'
import { StoreError, storeErrorOf } from './store-error.ts'
import type { Troubles } from './troubles.ts'
import { type Volume, inspectVolume } from './volume.ts'

/** How long a round waits for another server's, and a request for an edit to be written to its end, in ms. */
const WAIT_MAX_MS = 4000

const NOTHING_FOUND: Found = { status: undefined, isOurs: false, texts: [], isUnfinished: false }

/** Callbacks for metrics. */
export interface CommitEvents {
  /** A commit is on disk. `ms` is how long it took, `requests` the number of requests that it serves. */
  committed(ms: number, requests: number): void
  commitFailed(): void
  edited(outcome: 'merged' | 'rejected'): void
}

export interface RoundParts extends CommitParts {
  readonly requests: Requests
  readonly published: Published
  readonly history: History
  readonly troubles: Troubles
  readonly clock: () => Clock
  readonly events: CommitEvents
  /** Called before a document of so many bytes is written. */
  readonly commitStarting: (bytes: number) => void
  readonly log: Logger
}

/**
 * The one way in which the document changes. What holds at every moment, also between two system calls:
 *
 * 1. `status.json` is a whole document of a server, or a text that somebody else saved.
 * 2. A request is answered after its document is on disk, in the record and in place.
 * 3. Readers get a document that is on disk. While nothing can be committed they get it with valid edits, which are in
 *    the file, and with what time has changed.
 * 4. A commit that fails leaves the file, the record and what is published as they were, and refuses its requests.
 * 5. A text that somebody else saved is not removed before it is merged or set aside.
 * 6. The generation only grows.
 * 7. Readers never wait for a commit.
 */
export class Round {
  readonly #parts: RoundParts
  #volume: Volume | undefined
  /** `status.json` as the last round has read it; `undefined` if a commit has replaced it since. */
  #lastStatus: FileState | undefined
  /** True once a round has ended with the document in place. */
  #hasStarted = false
  #isMissing = false

  constructor(parts: RoundParts) {
    this.#parts = parts
  }

  /** The file system of the directory, as it was found at the start. */
  get volume(): Volume | undefined {
    return this.#volume
  }

  /**
   * Runs one round. What goes wrong is answered to the requests that wait and reported as a trouble.
   *
   * @returns true if there is more to do soon
   */
  async run(): Promise<boolean> {
    const { directory, inbox, requests, troubles } = this.#parts
    const clock = this.#parts.clock()
    let batch: Batch | undefined
    let found = NOTHING_FOUND
    try {
      await inbox.review()
      if (await this.#hasNothingToDo(clock)) {
        troubles.report({ rejected: inbox.rejected })
        return false
      }
      await withLock(directory.path, WAIT_MAX_MS, async () => {
        const isAlone = await this.#load(clock)
        found = await inbox.read(clock)
        this.#noteMissing(found)
        if (found.isUnfinished) return this.#postpone()
        batch = requests.take()
        const step = decide(this.#parts.record.current.document, editsIn(found), batch.changes, clock)
        await this.#perform(step, found, batch, isAlone, clock)
      })
    } catch (error) {
      await this.#fail(storeErrorOf(error), batch ?? requests.take(), found, clock)
    }
    return found.isUnfinished || inbox.hasUnread
  }

  /** Brings a step to disk, then to the readers, then to those who wait for it. The lock is held. */
  async #perform(step: Step, found: Found, batch: Batch, isAlone: boolean, clock: Clock): Promise<void> {
    const { record, published, history, inbox, troubles } = this.#parts
    const before = record.current
    const displaced = await this.#bringToDisk(step, found, batch.size, clock)
    published.set(record.current)
    batch.answer(step.answers)
    this.#hasStarted = true
    this.#logFound(found, step)
    await history.record(record.current.document, step.causes, isAlone)
    await inbox.settle(found, step.editErrors, displaced)
    await record.compactIfDue(clock)
    troubles.report({
      hasCommitted: record.current !== before,
      defects: defectsIn(step),
      rejected: inbox.rejected,
    })
  }

  async #hasNothingToDo({ now }: Clock): Promise<boolean> {
    const { directory, record, inbox, requests, troubles } = this.#parts
    if (!this.#hasStarted || requests.size > 0 || inbox.hasUnread || !troubles.canCommit) return false
    if (record.current.document.entries.some(({ changesAt }) => changesAt <= now)) return false
    const [isUnchanged, isUpToDate] = await Promise.all([
      directory.isStatusUnchanged(this.#lastStatus),
      record.isUpToDate(),
    ])
    return isUnchanged && isUpToDate
  }

  /** Loads what was committed since the last round. Returns false if another server has committed. */
  async #load(clock: Clock): Promise<boolean> {
    const { directory, record, requests, troubles, log } = this.#parts
    if (this.#volume === undefined) await this.#open(clock)
    else if (!troubles.canCommit && requests.size === 0) await directory.probe(record.current.bytes)
    const before = record.current
    await record.load(clock)
    const { document } = record.current
    if (document === before.document) return true
    log.info({ generation: document.generation, targets: document.entries.length }, 'loaded commits of another server')
    return false
  }

  /** Opens the directory: tries the volume, loads the record, and recovers what a crash or version 0.1 has left. */
  async #open(clock: Clock): Promise<void> {
    const { directory, record, inbox, history, log } = this.#parts
    const volume = await inspectVolume(directory.path)
    if (volume.edits === 'polling') {
      log.warn({ fileSystem: volume.fileSystem }, 'no change events on this file system; polling every 2 s')
    }
    await directory.writeSchema(`${JSON.stringify(savedDocumentSchema, null, 2)}\n`)
    await record.load(clock)
    await this.#adoptLegacy(clock)
    const { document } = record.current
    if (document.generation > 0) await history.record(document, new Map(), false)
    inbox.add(...(await directory.recover()))
    this.#volume = volume
  }

  /**
   * Takes over what a server of version 0.1 has committed, which kept no record: its copy of the document, or a
   * `status.json` that is newer than the record and in the server's own form.
   */
  async #adoptLegacy(clock: Clock): Promise<void> {
    const { directory, record, log } = this.#parts
    const copy = await directory.readLegacyCopy()
    for (const state of [copy, await directory.readStatus()]) {
      const rendered = state && committedIn(state, clock)
      if (rendered !== undefined && rendered.document.generation > record.current.document.generation) {
        await record.begin(rendered, clock)
        const { generation, entries } = rendered.document
        log.info({ generation, targets: entries.length }, 'record begun with a document of version 0.1')
      }
    }
    if (copy !== undefined) await directory.removeLegacyCopy()
  }

  /** Somebody has deleted `status.json`. That is no edit: it may be about to be saved. */
  #noteMissing({ status }: Found): void {
    const isMissing = this.#hasStarted && status === undefined
    if (isMissing && !this.#isMissing) this.#parts.log.warn('status.json is missing; the next commit writes it')
    this.#isMissing = isMissing
  }

  /** `status.json` is being written: look again soon, but let no request wait for it too long. */
  #postpone(): void {
    const reason = new StoreError('unavailable', 'status.json is being written by another program')
    this.#parts.requests.takeOlderThan(WAIT_MAX_MS).refuse(reason)
  }

  async #bringToDisk(step: Step, found: Found, requests: number, clock: Clock): Promise<DisplacedFile | undefined> {
    const { record, log } = this.#parts
    const { base } = step
    const isFirst = step.next === base && base.generation === 0
    if (isFirst && found.status !== undefined)
      log.error('status.json is not valid and there is no record: started empty')
    const next = isFirst ? { ...base, generation: 1, updatedAt: formatTime(clock.now) } : step.next
    this.#lastStatus = found.status
    if (next !== base) return this.#commit(render(next, record.current), step, found, requests, clock)
    if (!this.#mustPutInPlace(found, step)) return undefined
    log.info({ generation: base.generation, targets: base.entries.length }, 'status.json written from the record')
    this.#lastStatus = undefined
    return putInPlace(this.#parts, record.current, found.status)
  }

  async #commit(
    next: Rendered,
    step: Step,
    found: Found,
    requests: number,
    clock: Clock,
  ): Promise<DisplacedFile | undefined> {
    const { events, commitStarting, log } = this.#parts
    const started = performance.now()
    commitStarting(next.bytes.length)
    this.#lastStatus = undefined
    const merged = validTexts(found).filter((_, index) => step.editErrors[index] === undefined)
    const replaced = { status: found.status, merged: merged.map(({ state }) => digestOf(state.bytes)) }
    const displaced = await commit(this.#parts, next, replaced, clock)
    const ms = Math.round((performance.now() - started) * 10) / 10
    events.committed(ms, requests)
    const { generation } = next.document
    log.info({ generation, requests, edits: merged.length, bytes: next.bytes.length, ms }, 'committed')
    return displaced
  }

  /** True if `status.json` must be written although nothing changes. */
  #mustPutInPlace(found: Found, step: Step): boolean {
    if (found.isOurs) return false
    // A start ends with the document in place. Later, a missing file is written with the next commit, since an editor may
    // be about to save it, and an invalid one stays where its author finds it until then.
    if (!this.#hasStarted) return true
    const inPlace = found.texts.find(({ file }) => file === undefined)
    if (inPlace === undefined) return found.status !== undefined
    return inPlace.outcome.ok && step.editErrors[validTexts(found).indexOf(inPlace)] === undefined
  }

  #logFound(found: Found, { editErrors }: Step): void {
    const { record, events, log } = this.#parts
    const { generation, entries } = record.current.document
    for (const [index, { outcome }] of validTexts(found).entries()) {
      if (!outcome.ok || editErrors[index] !== undefined) continue
      const { isRestore, origin } = outcome.value
      const from = isRestore ? { restored: origin.generation } : { from: origin.generation }
      log.info(
        { generation, ...from, targets: entries.length },
        isRestore ? 'older generation restored' : 'edit merged',
      )
      events.edited('merged')
    }
  }

  async #fail(reason: StoreError, batch: Batch, found: Found, clock: Clock): Promise<void> {
    const { inbox, record, troubles, events } = this.#parts
    events.commitFailed()
    batch.refuse(reason)
    troubles.report({ failure: reason, rejected: inbox.rejected })
    try {
      if (record.current.document.generation > 0) this.#show(record.current, editsIn(found), clock)
      else await this.#showUnopened(clock)
    } catch {
      // The reason is reported already; what is published stays.
    }
  }

  /** While nothing can be committed, readers get valid edits and what time has changed, in the present generation. */
  #show(base: Rendered, edits: readonly Edit[], clock: Clock): void {
    const { next } = decide(base.document, edits, [], clock)
    this.#parts.published.set(render({ ...next, generation: base.document.generation }, base))
  }

  /** Shows what is in a directory that could not be opened, for example on a read-only volume. Only reads. */
  async #showUnopened(clock: Clock): Promise<void> {
    const { directory, record } = this.#parts
    const status = await directory.readStatus()
    const candidates = [await record.readNewest(clock), await directory.readLegacyCopy(), status].flatMap((found) => {
      if (found === undefined) return []
      return 'document' in found ? found : (committedIn(found, clock) ?? [])
    })
    const base = candidates.reduce(newer, render(EMPTY_DOCUMENT))
    const saved = status && readDocument(status.bytes)
    const isEdited = saved?.ok === true && status?.bytes.equals(base.bytes) === false
    if (!isEdited && base.document.generation === 0) return
    this.#show(base, isEdited ? [{ saved: saved.value, origin: base.document, isRestore: false }] : [], clock)
  }
}

function newer(a: Rendered, b: Rendered): Rendered {
  return b.document.generation > a.document.generation ? b : a
}

function validTexts({ texts }: Found): Text[] {
  return texts.filter(({ outcome }) => outcome.ok)
}

function editsIn(found: Found): Edit[] {
  return validTexts(found).flatMap(({ outcome }) => (outcome.ok ? outcome.value : []))
}

function defectsIn({ answers, editErrors }: Step): unknown[] {
  const errors = answers.flatMap((answer) => (answer.kind === 'defect' ? [answer.error] : []))
  return [...errors, ...editErrors.filter((error) => error !== undefined)]
}

/** The document that a server has written to a file; `undefined` if the file is not in the server's own form. */
function committedIn(state: FileState, clock: Clock): Rendered | undefined {
  const outcome = readDocument(state.bytes)
  if (!outcome.ok || outcome.value.generation === undefined) return undefined
  const rendered = render(committedDocument(outcome.value, clock))
  return rendered.bytes.equals(state.bytes) ? rendered : undefined
}
