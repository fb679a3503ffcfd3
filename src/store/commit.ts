import type { Clock } from '../status/time.ts'
import type { Directory } from './directory.ts'
import type { DisplacedFile } from './displaced.ts'
import type { FileState } from './durable-file.ts'
import type { Inbox } from './inbox.ts'
import type { AppendedCommit, Record } from './record.ts'
import type { Rendered } from './render.ts'

/** The objects that a commit changes. */
export interface CommitParts {
  readonly directory: Directory
  readonly record: Record
  readonly inbox: Inbox
}

/** The state that a commit replaces. */
export interface Replaced {
  /** `status.json` as the round has read it. */
  readonly status: FileState | undefined
  /** Digests of the texts that are merged in the document. */
  readonly merged: readonly string[]
}

/**
 * Brings the next document to disk. The caller holds the lock, and publishes and answers afterwards (step 5).
 *
 * A failure in steps 1 and 2 leaves the file and the record as they were; a later one undoes what was done.
 *
 * @returns what was displaced, oldest first; nothing if there was no file
 * @throws the system's error
 */
export async function commit(
  parts: CommitParts,
  next: Rendered,
  replaced: Replaced,
  clock: Clock,
): Promise<DisplacedFile[]> {
  // (1) Stage the document beside the file. A full disk is noticed here, before anything has changed.
  // (2) Append the commit to the record. From here on it is final: after a crash, the next server puts it in place.
  const { staged, line } = await prepare(parts, next, replaced, clock)
  // (3) Put the document in place and look at what was displaced: it may be an unread edit.
  const paths = await placeOrUndo(parts, staged, line)
  // (4) Sync the directory, so that the new name survives a power cut.
  const [displaced, ...others] = await Promise.allSettled([
    parts.directory.openDisplaced(paths, replaced.status),
    parts.directory.sync(),
    line.confirm(),
  ])
  const failed = [displaced, ...others].find((result) => result.status === 'rejected')
  if (displaced.status === 'fulfilled' && failed === undefined) return displaced.value
  if (displaced.status === 'fulfilled') for (const file of displaced.value) await file.close()
  await undo(parts, { staged, paths }, next, line)
  throw failed?.reason
}

/**
 * Puts the committed document in place if something else is there. Nothing new is committed.
 *
 * @returns what was displaced, oldest first; nothing if there was no file
 */
export async function putInPlace(
  { directory }: CommitParts,
  current: Rendered,
  status: FileState | undefined,
): Promise<DisplacedFile[]> {
  const staged = await directory.stage(current.bytes, status)
  const paths = await directory.place(staged)
  await directory.sync()
  return directory.openDisplaced(paths, status)
}

/** Steps 1 and 2 at once: neither needs the other, and a journal writes both to disk together. */
async function prepare(
  { directory, record }: CommitParts,
  next: Rendered,
  { status, merged }: Replaced,
  clock: Clock,
): Promise<{ readonly staged: string; readonly line: AppendedCommit }> {
  const [stage, append] = await Promise.allSettled([
    directory.stage(next.bytes, status),
    record.append(next, merged, clock),
  ])
  if (stage.status === 'fulfilled' && append.status === 'fulfilled') return { staged: stage.value, line: append.value }
  if (stage.status === 'fulfilled') await directory.discard(stage.value)
  if (append.status === 'fulfilled') await append.value.takeBack()
  throw stage.status === 'rejected' ? stage.reason : append.status === 'rejected' ? append.reason : undefined
}

async function placeOrUndo({ directory }: CommitParts, staged: string, line: AppendedCommit): Promise<string[]> {
  try {
    return await directory.place(staged)
  } catch (error) {
    await line.takeBack()
    await directory.discard(staged)
    throw error
  }
}

/**
 * Undoes a commit that was put in place. If that fails too, the record keeps it: file and record agree then, and the
 * commit counts although its requests were refused.
 */
async function undo(
  { directory, inbox }: CommitParts,
  { staged, paths }: { readonly staged: string; readonly paths: readonly string[] },
  next: Rendered,
  line: AppendedCommit,
): Promise<void> {
  try {
    const savedSince = await directory.undoPlace(staged, next.bytes, paths)
    if (savedSince !== undefined) inbox.add(savedSince)
    await line.takeBack()
  } catch {
    // The error that the caller throws says what is wrong with the volume.
  }
}
