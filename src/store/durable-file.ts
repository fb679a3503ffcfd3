import { type Hash, createHash } from 'node:crypto'
import { read } from 'node:fs'
import { type FileHandle, open, rm, unlink } from 'node:fs/promises'
import { promisify } from 'node:util'
import writeFileAtomic from 'write-file-atomic'
import { Slices } from '../slices.ts'
import { type FileCalls, pooledCalls } from './file-calls.ts'
import { StoreError, codeOf } from './store-error.ts'

/** Larger files are not read, in bytes. A document of 100,000 targets has some 40 MB. */
export const BYTES_MAX = 256 * 1024 * 1024

export const FILE_MODE = 0o644

/**
 * Coarser than the clock of any file system, in ms: a file that changed less than this before it was read can change
 * again without a new time.
 */
const CLOCK_GRAIN_MS = 100

/** A file as it was when it was read. */
export interface FileState {
  /** The content; empty if `size` is over `BYTES_MAX`. */
  readonly bytes: Buffer
  readonly size: number
  readonly mode: number
  /** Differs after any change of the file or its name. */
  readonly version: string
  /** Differs after a change of the content. */
  readonly contentVersion: string
  /** True if the next change is certain to show in `version`. */
  readonly isSettled: boolean
}

/** The bytes that are compared at once. */
const COMPARED_BYTES = 1024 * 1024
/** The bytes that are hashed at once. */
const HASHED_BYTES = 1024 * 1024

const readBytes = promisify(read)

const digests = new WeakMap<Uint8Array, string>()

/** Identifies bytes by their content. Bytes are never changed, so each buffer is hashed once. */
export function digestOf(bytes: Uint8Array): string {
  const known = digests.get(bytes)
  if (known !== undefined) return known
  const digest = shortened(createHash('sha256').update(bytes))
  digests.set(bytes, digest)
  return digest
}

/** The same for many bytes. */
export async function digestInSlices(bytes: Uint8Array): Promise<string> {
  const slices = new Slices()
  const hash = createHash('sha256')
  for (let at = 0; at < bytes.length && !digests.has(bytes); at += HASHED_BYTES) {
    hash.update(bytes.subarray(at, at + HASHED_BYTES))
    await slices.next()
  }
  const known = digests.get(bytes)
  if (known !== undefined) return known
  digests.set(bytes, shortened(hash))
  return digestOf(bytes)
}

function shortened(hash: Hash): string {
  return hash.digest('base64url').slice(0, 24)
}

/**
 * Writes a new file and waits until its content is on disk. The file's name is on disk after `syncDirectory`.
 *
 * write-file-atomic 7 ignores the count that `fs.write` returns (its lib/index.js), so on a full disk it reports a short
 * write as a success; the size is checked here.
 */
export async function writeDurably(
  path: string,
  bytes: Buffer,
  { mode = FILE_MODE, calls = pooledCalls }: { readonly mode?: number; readonly calls?: FileCalls } = {},
): Promise<void> {
  await writeFileAtomic(path, bytes, { mode })
  const { size } = await calls.stat(path)
  if (Number(size) === bytes.length) return
  await rm(path, { force: true })
  throw new StoreError('volume-full', `the volume is full (${size} of ${bytes.length} bytes were written)`)
}

/** Waits until the names in a directory are on disk. Without it a rename can be lost for seconds after a power cut. */
export async function syncDirectory(directory: string, calls: FileCalls = pooledCalls): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
    // XFS reports a directory as synced even after it has shut itself down (fs/xfs/xfs_file.c: xfs_dir_fsync does not
    // check). A stat fails then.
    await calls.fstat(handle.fd)
  } finally {
    // Nobody has to wait for it: nothing was written to the directory.
    void closeQuietly(handle)
  }
}

/**
 * Reads a file; `undefined` if there is none.
 *
 * @param expected what it probably holds: if it does, its state has this very buffer, and no memory is needed for another
 */
export async function readState(path: string, calls: FileCalls, expected?: Buffer): Promise<FileState | undefined> {
  let fd: number
  try {
    fd = await calls.open(path, 'r')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    return await readFrom(fd, calls, expected)
  } finally {
    await calls.close(fd)
  }
}

/** Removes a file that may be gone, on a volume that can be written. `rm` would look at it twice before. */
export async function removeIfPresent(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

/** Opens a file for reading; `undefined` if there is none. */
export async function openIfPresent(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Closes a file whatever `close` reports: nothing was written to it, or nothing that had to be on disk and was not synced. */
export async function closeQuietly(handle: FileHandle): Promise<void> {
  await handle.close().catch(() => undefined)
}

/** Reads an open file from its beginning. */
export async function readHandle({ fd }: FileHandle, expected?: Buffer): Promise<FileState> {
  return readFrom(fd, pooledCalls, expected)
}

async function readFrom(fd: number, calls: FileCalls, expected: Buffer | undefined): Promise<FileState> {
  const readAt = Date.now()
  const stats = await calls.fstat(fd)
  const size = Number(stats.size)
  return {
    bytes: size > BYTES_MAX ? Buffer.alloc(0) : await contentOf(fd, size, expected),
    size,
    mode: Number(stats.mode & 0o777n),
    version: versionOf(stats),
    contentVersion: contentVersionOf(stats),
    isSettled: Math.abs(readAt - Number(stats.ctimeMs)) > CLOCK_GRAIN_MS,
  }
}

/** True if the content of an open file has changed since it was read. */
export async function isWrittenSince(
  { fd }: FileHandle,
  { contentVersion }: FileState,
  calls: FileCalls,
): Promise<boolean> {
  return contentVersionOf(await calls.fstat(fd)) !== contentVersion
}

/** True if an open file is the one that was read, and has not changed since. */
export async function isSameVersion(handle: FileHandle, { version }: FileState): Promise<boolean> {
  return versionOf(await handle.stat({ bigint: true })) === version
}

/** True if the file at a path is certain to be as it was when it was read. Costs one stat. */
export async function isUnchanged(path: string, state: FileState | undefined, calls: FileCalls): Promise<boolean> {
  if (state?.isSettled !== true) return false
  try {
    return versionOf(await calls.stat(path)) === state.version
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

async function contentOf(fd: number, size: number, expected: Buffer | undefined): Promise<Buffer> {
  return expected?.length === size && (await holds(fd, expected)) ? expected : readAll(fd, size)
}

/** Kept from one comparison to the next: a new one each time makes the garbage collector run more often. */
let spare: Buffer | undefined

/** True if an open file holds these bytes and no more. */
async function holds(fd: number, expected: Buffer): Promise<boolean> {
  const part = spare ?? Buffer.allocUnsafe(COMPARED_BYTES)
  spare = undefined
  try {
    for (let at = 0; ;) {
      const { bytesRead } = await readBytes(fd, part, 0, part.length, at)
      if (!part.subarray(0, bytesRead).equals(expected.subarray(at, at + bytesRead))) return false
      at += bytesRead
      // Only the end of a file makes a read shorter.
      if (bytesRead < part.length) return at === expected.length
    }
  } finally {
    spare = part
  }
}

/** From the beginning, whatever was read before: a file may be read twice. */
async function readAll(fd: number, size: number): Promise<Buffer> {
  // One byte more shows that the file has grown meanwhile. It is then read again later.
  const buffer = Buffer.allocUnsafe(size + 1)
  let end = 0
  for (;;) {
    const { bytesRead } = await readBytes(fd, buffer, end, buffer.length - end, end)
    end += bytesRead
    if (bytesRead === 0 || end >= size) return buffer.subarray(0, end)
  }
}

interface Stats {
  readonly dev: bigint
  readonly ino: bigint
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

function contentVersionOf({ ino, size, mtimeNs }: Stats): string {
  return [ino, size, mtimeNs].join(' ')
}

function versionOf({ dev, ino, size, mtimeNs, ctimeNs }: Stats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
}
