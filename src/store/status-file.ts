import { createHash } from 'node:crypto'
import {
  access,
  copyFile,
  type FileHandle,
  link,
  open,
  readdir,
  rename,
  rm,
  stat,
  unlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { swap } from 'fs-native-extensions'
import writeFileAtomic from 'write-file-atomic'
import { readDocument } from '../status/document.ts'
import { StoreError, codeOf } from './store-error.ts'

/** The one file that everything is about. */
export const STATUS_FILE = 'status.json'
/**
 * A copy of the document that was last committed. What somebody saves in place of `status.json` is an edit of it, and it
 * is what to start from when `status.json` is found broken.
 */
export const COPY_FILE = 'status.copy.json'

const SCHEMA_FILE = 'status.schema.json'
/** How many rejected texts are kept; the oldest go first. */
const REJECTED_MAX = 20
const REJECTED = /^status\.rejected-.*\.json$/

/** A staged file is named after what it is to displace and what it holds, so that one left by a crash tells what it is. */
export const PRIVATE = '.status.commit.'
const STAGED = /^\.status\.commit\.([\w-]+)\.([\w-]+)(?:\.kept)?$/

const MODE = 0o644
/** Larger files are not read: a document of 100,000 targets has some 40 MB. */
export const BYTES_MAX = 256 * 1024 * 1024
/** Coarser than any file system's clock: a file that changed less than this before it was looked at can change again unseen. */
const CLOCK_GRAIN_MS = 100

/** What a file held when it was looked at. */
export interface Seen {
  /** The content; nothing of it where `size` is over `BYTES_MAX`. */
  readonly bytes: Buffer
  readonly size: number
  readonly mode: number
  /** In ms since the epoch. */
  readonly modifiedAt: number
  /** Changes with everything that happens to the file. */
  readonly stamp: string
  /** Changes with its content only. */
  readonly written: string
  /** Whether another change must show in the stamp. */
  readonly settled: boolean
}

/** A file that a commit has put out of its place. It is held open: it can be read whatever becomes of its name. */
export interface Displaced {
  readonly handle: FileHandle
  /** Its private name, until it is kept, set aside or discarded. */
  readonly path: string
  readonly written: string
  readonly size: number
}

const digests = new WeakMap<Uint8Array, string>()

/** Names bytes by their content; also the heart of the ETag. Bytes are never changed: each are digested once. */
export function digestOf(bytes: Uint8Array): string {
  const known = digests.get(bytes)
  if (known !== undefined) return known
  const digest = createHash('sha256').update(bytes).digest('base64url').slice(0, 24)
  digests.set(bytes, digest)
  return digest
}

/** The files in the data directory: how they are read, replaced, kept and set aside. */
export class StatusFile {
  readonly directory: string
  readonly path: string

  constructor(directory: string) {
    this.directory = directory
    this.path = join(directory, STATUS_FILE)
  }

  /** Reads the file as it is now; `undefined` where there is none. */
  async read(): Promise<Seen | undefined> {
    return readSeen(this.path)
  }

  /** The document that was last committed. */
  async readCopy(): Promise<Buffer | undefined> {
    return (await readSeen(join(this.directory, COPY_FILE)))?.bytes
  }

  /** Whether the file is certainly still as it was seen; costs one stat. */
  async isAsSeen(seen: Seen | undefined): Promise<boolean> {
    try {
      return seen !== undefined && seen.settled && stampOf(await stat(this.path, { bigint: true })) === seen.stamp
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return seen === undefined
      throw error
    }
  }

  /**
   * Puts new bytes in the file's place, whole or not at all. The caller holds the lock, and calls `sync` afterwards:
   * only then do they survive a power cut.
   *
   * @param seen what the caller believes to be there
   * @returns the private path that what was there has now; `undefined` where there was nothing
   * @throws the system's error; the file is then as it was
   */
  async replace(bytes: Buffer, seen: Seen | undefined): Promise<string | undefined> {
    const path = join(
      this.directory,
      `${PRIVATE}${seen === undefined ? 'none' : digestOf(seen.bytes)}.${digestOf(bytes)}`,
    )
    try {
      await writeWhole(path, bytes, seen?.mode ?? MODE)
      return (await this.#install(path)) ? path : undefined
    } catch (error) {
      await rm(path, { force: true })
      throw error
    }
  }

  /** Brings a staged file into place. Tells whether its name now holds what was there before. */
  async #install(staged: string): Promise<boolean> {
    for (;;) {
      try {
        // The exchange is one step: an edit that is saved at this very moment is either displaced or comes after.
        await swap(staged, this.path)
        return true
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') return this.#installByRename(staged, error)
      }
      try {
        await link(staged, this.path)
        await rm(staged)
        return false
      } catch (error) {
        // EEXIST: an edit has just put the file back; exchange it.
        if (codeOf(error) !== 'EEXIST') throw error
      }
    }
  }

  /** For file systems that cannot exchange (NFS): an edit saved by rename between these two calls would be lost. */
  async #installByRename(staged: string, cause: unknown): Promise<boolean> {
    if (!['EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(codeOf(cause) ?? '')) throw cause
    const kept = `${staged}.kept`
    await link(this.path, kept).catch(() => copyFile(this.path, kept))
    await rename(staged, this.path)
    await rename(kept, staged)
    return true
  }

  /** Writes the copy of the document. It need not survive a power cut: `status.json` does. */
  async writeCopy(bytes: Buffer): Promise<void> {
    const staged = join(this.directory, `${PRIVATE}copy`)
    try {
      await writeFile(staged, bytes, { mode: MODE })
      await rename(staged, join(this.directory, COPY_FILE))
    } catch (error) {
      await rm(staged, { force: true })
      throw error
    }
  }

  /** Sets the copy aside, where it is broken. */
  async setCopyAside(): Promise<string> {
    const file = await openDisplaced(join(this.directory, COPY_FILE))
    await file.file.handle.close()
    return this.setAside(file.file, file.held)
  }

  /**
   * Sets a displaced file aside, byte for byte, as `status.rejected-<time>.json`.
   *
   * @param held what it holds, should it have lost its name
   * @returns the new name
   */
  async setAside({ path }: Displaced, held: Seen): Promise<string> {
    const names = (await readdir(this.directory)).filter((name) => REJECTED.test(name)).toSorted()
    const time = new Date().toISOString().replaceAll(/[-:]/g, '')
    let name = `status.rejected-${time}.json`
    for (let next = 1; names.includes(name); next += 1) name = `status.rejected-${time}-${next}.json`
    try {
      await rename(path, join(this.directory, name))
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      await this.#place(name, held.bytes)
    }
    for (const old of names.slice(0, Math.max(names.length + 1 - REJECTED_MAX, 0))) {
      await rm(join(this.directory, old), { force: true })
    }
    return name
  }

  /** Whether a file that was set aside is still there. */
  async hasAside(name: string): Promise<boolean> {
    try {
      await access(join(this.directory, name))
      return true
    } catch {
      return false
    }
  }

  /** Forgets a displaced file. */
  async discard({ path }: Displaced): Promise<void> {
    try {
      await unlink(path)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }

  /** Finds out whether so many bytes can be written. The caller holds the lock. */
  async probe(bytes: Buffer): Promise<void> {
    const path = join(this.directory, `${PRIVATE}probe`)
    await writeWhole(path, bytes, MODE)
    await rm(path)
    await this.sync()
  }

  /** Makes the directory's entries survive a power cut. */
  async sync(): Promise<void> {
    await syncDirectory(this.directory)
  }

  /**
   * Clears up what a server that was killed has left. The caller holds the lock.
   *
   * @returns files that were displaced and not looked at: edits that nobody has read yet
   */
  async recover(): Promise<Displaced[]> {
    const unread: Displaced[] = []
    for (const name of (await readdir(this.directory)).filter((entry) => entry.startsWith(PRIVATE))) {
      const path = join(this.directory, name)
      const [, displaced, staged] = STAGED.exec(name) ?? []
      const found = displaced === undefined ? undefined : await openDisplaced(path)
      // Staged and never put in place, or displaced and valid: then it was merged. An invalid one was not yet set aside.
      const isDone = ({ bytes }: Seen): boolean =>
        digestOf(bytes) === staged || (digestOf(bytes) === displaced && readDocument(bytes).ok)
      if (found !== undefined && !isDone(found.held)) unread.push(found.file)
      else {
        await found?.file.handle.close()
        await rm(path, { force: true })
      }
    }
    return unread
  }

  /** Writes the JSON Schema beside the file, where `$schema` in it points to. */
  async writeSchema(text: string): Promise<void> {
    const bytes = Buffer.from(text)
    const there = await readSeen(join(this.directory, SCHEMA_FILE))
    if (there?.bytes.equals(bytes) !== true) await this.#place(SCHEMA_FILE, bytes)
  }

  /** Not written under its own name: write-file-atomic would give it the old file's owner, which root on NFS may not. */
  async #place(name: string, bytes: Buffer): Promise<void> {
    const staged = join(this.directory, `${PRIVATE}${name}`)
    await writeWhole(staged, bytes, MODE)
    await rename(staged, join(this.directory, name))
  }
}

/**
 * Writes a new file by way of write-file-atomic, and makes sure that all of it arrived: on a full disk write-file-atomic 7
 * takes a short write for a whole one (its lib/index.js ignores the count that `fs.write` returns).
 */
async function writeWhole(path: string, bytes: Buffer, mode: number): Promise<void> {
  await writeFileAtomic(path, bytes, { mode })
  const { size } = await stat(path)
  if (size === bytes.length) return
  await rm(path, { force: true })
  throw new StoreError('volume-full', `the volume is full (${size} of ${bytes.length} bytes were written)`)
}

/** Makes a directory's entries survive a power cut; without it a rename may be lost for seconds. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
    // XFS that has shut itself down after an error still reports a directory as synced (fs/xfs/xfs_file.c,
    // xfs_dir_fsync has no check of its own); what it no longer reports is anything about an inode.
    await handle.stat()
  } finally {
    await handle.close()
  }
}

async function readSeen(path: string): Promise<Seen | undefined> {
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    return await readHandle(handle)
  } finally {
    await handle.close()
  }
}

/** Opens a file that a commit has displaced, and reads it. */
export async function openDisplaced(path: string): Promise<{ readonly file: Displaced; readonly held: Seen }> {
  const handle = await open(path, 'r')
  const held = await readHandle(handle)
  return { file: { handle, path, written: held.written, size: held.size }, held }
}

/** Whether a displaced file has been written into since it was read. */
export async function isWrittenSince({ handle, written }: Displaced): Promise<boolean> {
  return writtenOf(await handle.stat({ bigint: true })) !== written
}

/** Reads a file from its beginning, wherever the handle stands. */
export async function readHandle(handle: FileHandle): Promise<Seen> {
  const lookedAt = Date.now()
  const before = await handle.stat({ bigint: true })
  const bytes = before.size > BYTES_MAX ? Buffer.alloc(0) : await readAll(handle, Number(before.size))
  return {
    bytes,
    size: Number(before.size),
    mode: Number(before.mode & 0o777n),
    modifiedAt: Number(before.mtimeMs),
    stamp: stampOf(before),
    written: writtenOf(before),
    settled: Math.abs(lookedAt - Number(before.ctimeMs)) > CLOCK_GRAIN_MS,
  }
}

/** `FileHandle.readFile` goes on from where the handle stands, and it may be read twice. */
async function readAll(handle: FileHandle, size: number): Promise<Buffer> {
  // One byte more, to see a file that has grown meanwhile; such a one is read again anyway.
  const buffer = Buffer.allocUnsafe(size + 1)
  let end = 0
  for (;;) {
    const { bytesRead } = await handle.read(buffer, end, buffer.length - end, end)
    end += bytesRead
    // As long as it was said to be, and not a byte more when one more was asked for.
    if (bytesRead === 0 || end >= size) return buffer.subarray(0, end)
  }
}

function writtenOf(stats: { ino: bigint; size: bigint; mtimeNs: bigint }): string {
  return [stats.ino, stats.size, stats.mtimeNs].join(' ')
}

function stampOf(stats: { dev: bigint; ino: bigint; size: bigint; mtimeNs: bigint; ctimeNs: bigint }): string {
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(' ')
}
