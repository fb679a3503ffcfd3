import type { Logger } from 'pino'
import { EMPTY_DOCUMENT, committedDocument } from '../status/document.ts'
import type { Edit } from '../status/edits.ts'
import { readDocument } from '../status/saved-document.ts'
import { publishedFileSchema, publishedText } from '../status/contract.ts'
import type { Clock } from '../status/time.ts'
import type { Directory } from './directory.ts'
import type { FileState } from './durable-file.ts'
import type { History } from './history.ts'
import type { Inbox } from './inbox.ts'
import type { Record } from './record.ts'
import { type Rendered, render } from './render.ts'
import { type Volume, inspectVolume, limitsOf } from './volume.ts'

export interface OpeningParts {
  readonly directory: Directory
  readonly record: Record
  readonly inbox: Inbox
  readonly history: History
  readonly log: Logger
}

/**
 * Opens the directory: tries the volume, loads the record, and takes over what version 0.1 has left. The caller holds the
 * lock.
 */
export async function openDirectory(parts: OpeningParts, clock: Clock): Promise<Volume> {
  const { directory, record, history, log } = parts
  const volume = await inspectVolume(directory.path)
  directory.files.adaptTo(volume)
  logVolume(log, volume)
  await directory.writeSchema(publishedText(publishedFileSchema))
  await record.load(clock)
  await adoptLegacy(parts, clock)
  const { document } = record.current
  // Rows that a crash has prevented. What comes later has a known cause, and waits for them; readers do not.
  if (document.generation > 0) void history.record(document, new Map(), false)
  return volume
}

/** Logs the limits of the volume, for the operator. */
function logVolume(log: Logger, volume: Volume): void {
  const { fileSystem } = volume
  const limits = limitsOf(volume)
  if (limits.length > 0) log.warn({ fileSystem, limits }, 'volume has limits')
  else log.info({ fileSystem }, 'volume has no limits')
}

/**
 * Takes over displaced files of servers that were killed. The caller holds the lock.
 *
 * @param isStarting true if unread files are taken at once; else they are left to servers that may be alive
 */
export async function recoverOrphans(
  { directory, record, inbox }: Pick<OpeningParts, 'directory' | 'record' | 'inbox'>,
  isStarting: boolean,
): Promise<void> {
  let merged: Promise<ReadonlySet<string>> | undefined
  const mergedTexts = async (): Promise<ReadonlySet<string>> => (merged ??= record.mergedTexts())
  inbox.add(...(await directory.recover({ isOwn: (path) => inbox.isOwn(path), isStarting, mergedTexts })))
}

/** A directory that could not be opened, as it was read. */
export interface Unopened {
  readonly status: FileState | undefined
  readonly base: Rendered
  readonly edits: readonly Edit[]
}

/** What is in a directory that cannot be opened, for example because the volume is read-only. Changes nothing. */
export async function readUnopened(
  { directory, record }: Pick<OpeningParts, 'directory' | 'record'>,
  clock: Clock,
): Promise<Unopened> {
  const status = await directory.readStatus()
  const files = [await directory.readLegacyCopy(), status].map((state) => state && committedIn(state, clock))
  const base = [await record.readNewest(clock), ...files].reduce<Rendered>(
    (newest, each) => (each !== undefined && each.document.generation > newest.document.generation ? each : newest),
    render(EMPTY_DOCUMENT),
  )
  const outcome =
    status === undefined || status.bytes.equals(base.bytes) ? undefined : readDocument(status.bytes, clock.now)
  const edit = outcome?.ok === true ? { saved: outcome.value, origin: base.document, isRestore: false } : undefined
  return { status, base, edits: edit === undefined ? [] : [edit] }
}

/**
 * Takes over what a server of version 0.1 has committed, which kept no record: its copy of the document, or its
 * `status.json` if that is newer. If there is a record and no copy, no such server has run, and a newer file is an edit.
 */
async function adoptLegacy({ directory, record, log }: OpeningParts, clock: Clock): Promise<void> {
  const copy = await directory.readLegacyCopy()
  if (copy === undefined && record.current.document.generation > 0) return
  for (const state of [copy, await directory.readStatus()]) {
    const rendered = state && committedIn(state, clock)
    if (rendered !== undefined && rendered.document.generation > record.current.document.generation) {
      await record.begin(rendered, clock)
      const { generation, entries } = rendered.document
      log.info({ generation, targets: entries.length }, 'record started from the document in the directory')
    }
  }
  if (copy !== undefined) await directory.removeLegacyCopy()
}

/** The document that a server has written to a file; `undefined` if the file is not in the server's own form. */
function committedIn(state: FileState, clock: Clock): Rendered | undefined {
  const outcome = readDocument(state.bytes, clock.now)
  if (!outcome.ok || outcome.value.generation === undefined) return undefined
  const rendered = render(committedDocument(outcome.value, clock))
  return rendered.bytes.equals(state.bytes) ? rendered : undefined
}
