import { dueOf } from '../status/document.ts'
import type { Edit } from '../status/edits.ts'
import { eventLines } from '../status/history.ts'
import { newNearMisses } from '../status/near-misses.ts'
import { type Step, decide, decideInSteps } from '../status/next.ts'
import { Refusal } from '../status/refusal.ts'
import { type Clock, formatTime } from '../status/time.ts'
import { inSlices } from '../slices.ts'
import { type CommitParts, commit, putInPlace } from './commit.ts'
import type { DisplacedFile } from './displaced.ts'
import { type FileState, digestOf } from './durable-file.ts'
import { type Found, NOTHING_FOUND } from './inbox.ts'
import { withLock } from './lock.ts'
import { type OpeningParts, type Unopened, openDirectory, readUnopened, recoverOrphans } from './opening.ts'
import type { Published } from './published.ts'
import { type Rendered, render, renderInSlices } from './render.ts'
import { Batch, type Requests } from './requests.ts'
import { StoreError, storeErrorOf } from './store-error.ts'
import type { RoundReport, Troubles } from './troubles.ts'
import type { Volume } from './volume.ts'

/** The time that a round waits for another server, and a request that is due for an edit to be completed, in ms. */
const WAIT_MAX_MS = 4000

/** The interval in which this server looks for files of a killed server, in ms. */
const RECOVERY_EVERY_MS = 10_000

/** Callbacks for metrics. */
export interface CommitEvents {
  /** A commit is on disk. `ms` is how long it took, `requests` the number of requests that it serves. */
  committed(ms: number, requests: number): void
  commitFailed(): void
  edited(outcome: 'merged' | 'rejected'): void
}

export interface RoundParts extends CommitParts, OpeningParts {
  readonly requests: Requests
  readonly published: Published
  readonly troubles: Troubles
  readonly clock: () => Clock
  readonly events: CommitEvents
  /** Called before a document of so many bytes is written. */
  readonly commitStarting: (bytes: number) => void
}

/**
 * The one way in which the document changes. What holds at every moment, also between two system calls:
 *
 * 1. `status.json` is a whole document of a server, or a text that somebody else saved.
 * 2. A request is answered after its document is on disk, in the record and in place.
 * 3. Readers get a document that is on disk. While nothing can be written they get it with valid edits, which are in
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
  #isEarlierVersionThere = false
  #unopened: Unopened | undefined
  /** The time of the next search for orphans, on the clock of `performance.now()`. */
  #nextRecovery = 0
  /** What the last round has found and could not commit: it is shown as long as nothing can be read. */
  #uncommitted = NOTHING_FOUND

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
   * @throws {StoreError} if nothing can be written and there is nothing to serve: at the start only
   */
  async run(): Promise<boolean> {
    const { inbox, published, clock } = this.#parts
    const taken: Taken = { clock: clock(), found: this.#uncommitted, batch: undefined }
    const report = await this.#attempt(taken).catch((error: unknown) => this.#fail(storeErrorOf(error), taken))
    this.#uncommitted = report.failure === undefined ? NOTHING_FOUND : taken.found
    if (report.failure !== undefined && published.isEmpty) throw report.failure
    this.#report(report)
    return taken.found.isUnfinished || inbox.hasUnread
  }

  #report(report: RoundReport): void {
    const { inbox, troubles, history } = this.#parts
    troubles.report({ ...report, rejected: inbox.rejected, historyFault: history.fault })
  }

  async #attempt(taken: Taken): Promise<RoundReport> {
    const { directory, inbox } = this.#parts
    await inbox.review()
    if (await this.#hasNothingToDo(taken.clock)) return {}
    const { path, files } = directory
    return withLock(path, WAIT_MAX_MS, async () => this.#runLocked(taken), files.access.calls)
  }

  async #runLocked(taken: Taken): Promise<RoundReport> {
    const { inbox, requests } = this.#parts
    const { clock } = taken
    const isAlone = await this.#load(clock)
    await this.#recoverOrphans()
    const found = (taken.found = await inbox.read(clock))
    this.#noteMissing(found)
    if (found.isUnfinished) return this.#postpone()
    const isDue = found.edits.length > 0 || this.#isDue(clock)
    const batch = (taken.batch = isDue ? requests.take() : new Batch([]))
    const { document } = this.#parts.record.current
    const step = await inSlices(decideInSteps(document, editsIn(found), batch.changes, clock))
    return this.#perform(step, found, batch, isAlone, clock)
  }

  /** Brings a step to disk, then to the readers, then to those who wait for it. The lock is held. */
  async #perform(step: Step, found: Found, batch: Batch, isAlone: boolean, clock: Clock): Promise<RoundReport> {
    const { record, published, history, inbox } = this.#parts
    const before = record.current
    const displaced = await this.#bringToDisk(step, found, batch.size, clock)
    published.set(record.current)
    this.#hasStarted = true
    // Not at the end of the round only: at a start the history takes seconds to read.
    this.#report({ hasCommitted: record.current !== before, defects: defectsIn(step) })
    await batch.answer(step.answers)
    await this.#noteEdits(found, step)
    this.#noteEnded(step)
    this.#noteNearMisses(step)
    await history.record(record.current.document, step.causes, isAlone, eventLines(record.current.document, step))
    await inbox.settle(found, step.editErrors, displaced)
    await record.compactIfDue(clock)
    return {}
  }

  /** True if a commit is due, or a failed one to be tried again, whether or not there is an edit. */
  #isDue({ now }: Clock): boolean {
    const { record, requests, troubles } = this.#parts
    if (requests.dueIn <= 0 || !troubles.canCommit) return true
    return dueOf(record.current.document) <= now
  }

  async #hasNothingToDo(clock: Clock): Promise<boolean> {
    const { directory, record, inbox, history } = this.#parts
    if (!this.#hasStarted || inbox.hasUnread || history.fault !== undefined || this.#isDue(clock)) return false
    if (this.#isRecoveryDue && (await this.#hasOrphans())) return false
    const [isUnchanged, isUpToDate] = await Promise.all([
      directory.isStatusUnchanged(this.#lastStatus),
      record.isUpToDate(),
    ])
    return isUnchanged && isUpToDate
  }

  /** Loads what was committed since the last round. Returns false if another server has committed. */
  async #load(clock: Clock): Promise<boolean> {
    const { record, log } = this.#parts
    if (this.#volume === undefined) this.#volume = await openDirectory(this.#parts, clock)
    const before = record.current
    await record.load(clock)
    const { document } = record.current
    if (document === before.document) return true
    log.info(
      { generation: document.generation, targets: document.entries.length },
      'loaded a document that another server wrote',
    )
    return false
  }

  get #isRecoveryDue(): boolean {
    return performance.now() >= this.#nextRecovery
  }

  async #hasOrphans(): Promise<boolean> {
    const { directory, inbox } = this.#parts
    const hasOrphans = await directory.hasOrphans((path) => inbox.isOwn(path))
    if (!hasOrphans) this.#nextRecovery = performance.now() + RECOVERY_EVERY_MS
    return hasOrphans
  }

  /** This server, or another one since, may have been killed with an unread edit. */
  async #recoverOrphans(): Promise<void> {
    if (!this.#isRecoveryDue) return
    await recoverOrphans(this.#parts, !this.#hasStarted)
    this.#nextRecovery = performance.now() + RECOVERY_EVERY_MS
  }

  /** `status.json` was deleted. That is not an edit: it may be about to be saved. */
  #noteMissing({ status }: Found): void {
    const isMissing = this.#hasStarted && status === undefined
    if (isMissing && !this.#isMissing) this.#parts.log.warn('status.json is missing; the next write creates it')
    this.#isMissing = isMissing
  }

  /** `status.json` is being written: look again soon, but let no request wait for it too long. */
  #postpone(): RoundReport {
    const reason = new StoreError('unavailable', 'status.json is being written by another program')
    this.#parts.requests.takeOverdue(WAIT_MAX_MS).refuse(reason)
    return {}
  }

  async #bringToDisk(step: Step, found: Found, requests: number, clock: Clock): Promise<DisplacedFile[]> {
    const { directory, record, troubles, log } = this.#parts
    const { base } = step
    const isFirst = step.next === base && base.generation === 0
    if (isFirst && found.status !== undefined)
      log.error('status.json is not valid and there is no record: started empty')
    const next = isFirst ? { ...base, generation: 1, updatedAt: formatTime(clock.now) } : step.next
    this.#lastStatus = found.status
    if (next === base && !troubles.canCommit) await directory.probe(record.current.bytes)
    if (next !== base) return this.#commit(await renderInSlices(next, record.current), step, found, requests, clock)
    if (!this.#mustPutInPlace(found, step)) return []
    log.info({ generation: base.generation, targets: base.entries.length }, 'status.json written from the record')
    this.#lastStatus = undefined
    return putInPlace(this.#parts, record.current, found.status)
  }

  async #commit(next: Rendered, step: Step, found: Found, requests: number, clock: Clock): Promise<DisplacedFile[]> {
    const { events, commitStarting, log } = this.#parts
    const started = performance.now()
    commitStarting(next.bytes.length)
    this.#lastStatus = undefined
    const merged = found.edits.filter((_, index) => step.editErrors[index] === undefined)
    const replaced = { status: found.status, merged: merged.map(({ state }) => digestOf(state.bytes)) }
    const displaced = await commit(this.#parts, next, replaced, clock)
    const ms = Math.round((performance.now() - started) * 10) / 10
    events.committed(ms, requests)
    const { generation } = next.document
    log.info({ generation, requests, edits: merged.length, bytes: next.bytes.length, ms }, 'document written')
    return displaced
  }

  /** True if `status.json` must be written although nothing changes. */
  #mustPutInPlace(found: Found, step: Step): boolean {
    if (found.isOurs) return false
    // A start ends with the document in place. Later, a missing file is written with the next commit, since an editor may
    // be about to save it, and an invalid one stays where its author finds it until then. A server that was killed between
    // two steps of a commit may have left no file.
    if (!this.#hasStarted) return true
    if (found.status === undefined) return this.#parts.record.isUnplaced
    if (found.invalid.some(({ file }) => file === undefined)) return false
    const inPlace = found.edits.findIndex(({ file }) => file === undefined)
    return inPlace === -1 || step.editErrors[inPlace] === undefined
  }

  async #noteEdits({ edits }: Found, { base, next, editErrors }: Step): Promise<void> {
    const { record, events, log } = this.#parts
    if (edits.length > 0) await this.#noteEarlierVersion()
    const { generation, entries } = record.current.document
    for (const [index, { edit }] of edits.entries()) {
      if (editErrors[index] !== undefined) continue
      const { isRestore, origin } = edit
      const from = isRestore ? { restored: origin.generation } : { from: origin.generation }
      const event = isRestore ? 'older generation restored' : next === base ? 'edit changes nothing' : 'edit merged'
      log.info({ generation, ...from, targets: entries.length }, event)
      events.edited('merged')
    }
  }

  /** A server of version 0.1 sets aside what it does not know, and takes what was committed since for an edit to undo. */
  async #noteEarlierVersion(): Promise<void> {
    const isThere = await this.#parts.directory.hasLegacyCopy()
    if (isThere && !this.#isEarlierVersionThere) {
      this.#parts.log.error('a server of version 0.1 runs on this directory: stop it, or new data is lost')
    }
    this.#isEarlierVersionThere = isThere
  }

  /** Logs ended rules: people may have to act on the drift that they covered. */
  #noteEnded({ ended }: Step): void {
    for (const { rule, by } of ended) this.#parts.log.warn({ rule, ...by }, 'acceptance ended')
  }

  /** A mistyped property is kept, and must not be silent. */
  #noteNearMisses({ base, next, targets }: Step): void {
    for (const { target, pointer, detail } of newNearMisses(base, next, targets)) {
      this.#parts.log.warn({ ...target, pointer, detail }, 'property may be mistyped')
    }
  }

  async #fail(failure: StoreError, { batch, found, clock }: Taken): Promise<RoundReport> {
    const { requests, events } = this.#parts
    events.commitFailed()
    const refused = batch ?? requests.take()
    refused.refuse(failure)
    await this.#show(found, clock).catch(() => undefined)
    return { failure }
  }

  /** Parses the directory again only if `status.json` has changed: the volume may be read-only for days. */
  async #readUnopened(clock: Clock): Promise<Unopened> {
    const { directory } = this.#parts
    const known = this.#unopened
    if (known !== undefined && (await directory.isStatusUnchanged(known.status))) return known
    return (this.#unopened = await readUnopened(this.#parts, clock))
  }

  /**
   * While nothing can be written, readers get valid edits and what time has changed, in the present generation; before
   * a first commit they get what is in the directory.
   */
  async #show(found: Found, clock: Clock): Promise<void> {
    const { record, published } = this.#parts
    const isOpen = record.current.document.generation > 0
    const { base, edits } = isOpen ? { base: record.current, edits: editsIn(found) } : await this.#readUnopened(clock)
    if (base.document.generation === 0 && edits.length === 0) return
    const { next } = decide(base.document, edits, [], clock)
    published.set(render({ ...next, generation: base.document.generation }, base))
  }
}

/** What a round has taken so far: if it fails, the requests are refused and the edits are shown. */
interface Taken {
  readonly clock: Clock
  found: Found
  batch: Batch | undefined
}

function editsIn({ edits }: Found): Edit[] {
  return edits.map(({ edit }) => edit)
}

function defectsIn({ answers, editErrors }: Step): unknown[] {
  const errors = answers.flatMap((answer) => (answer.kind === 'defect' ? [answer.error] : []))
  return [...errors, ...editErrors.filter((error) => error !== undefined && !(error instanceof Refusal))]
}
