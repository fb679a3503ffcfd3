import { type FileHandle, chmod, link, open, readdir, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DisplacedFile } from './displaced.ts'
import { type FileState, closeQuietly, isSameVersion, readHandle, removeIfPresent } from './durable-file.ts'
import { pooledCalls } from './file-calls.ts'
import { codeOf, isStale } from './store-error.ts'
import type { FileAccess, FileStats } from './volume-files.ts'

/**
 * How often a name is looked up again if the file that it stood for is gone, and the first pause before, in ms; each is
 * twice as long as the one before. Together they are longer than the second for which a client of SMB may keep a name.
 */
const ATTEMPTS_MAX = 8
const RETRY_AFTER_MS = 20

/**
 * A volume that other machines change: NFS, GlusterFS, CephFS, SMB and other file systems whose client remembers names,
 * sizes and contents for seconds. Nothing is taken from its memory where that matters, and a file that has gone meanwhile
 * is looked up again.
 */
export const networkFiles: FileAccess = {
  calls: pooledCalls,
  watchesByName: true,
  // The second time is later than any client holds back what was written, or an old size.
  reviewAfterMs: [1000, 3000],
  unfinishedMaxMs: 3000,
  refresh: async (path) => {
    await fresh(path, async () => askForSize(path))
  },
  read: async (path, expected) =>
    fresh(path, async () => withHandle(path, 'r', async (handle) => readHandle(handle, expected))),
  // NFS asks for the size when a file is opened.
  stat: async (path) => fresh(path, async () => withHandle<FileStats>(path, 'r', async (handle) => handle.stat())),
  isUnchanged: async (path, state) => {
    if (state?.isSettled !== true) return false
    // NFS asks for the state of a directory when it is opened, and so for all names in it.
    await readdir(dirname(path))
    const isSame = await fresh(path, async () => withHandle(path, 'r', async (handle) => isSameVersion(handle, state)))
    return isSame === true
  },
  openDisplaced: async (path) => openNamed(path),
}

/** A displaced file that is read by its name. An open handle would go on to answer from the client's memory. */
class NamedFile implements DisplacedFile {
  readonly path: string
  readonly state: FileState
  readonly #isKept: boolean

  constructor(path: string, state: FileState, isKept = false) {
    this.path = path
    this.state = state
    this.#isKept = isKept
  }

  async reread(): Promise<DisplacedFile> {
    return openNamed(this.path, this.#isKept)
  }

  async isWritten(): Promise<boolean> {
    const { state } = await openNamed(this.path)
    return !state.bytes.equals(this.state.bytes)
  }

  /** The name stays while the file is watched. */
  async discard(): Promise<void> {
    // `release` removes it.
  }

  keptAs(path: string): DisplacedFile {
    return new NamedFile(path, this.state, true)
  }

  async release(): Promise<void> {
    if (!this.#isKept) await removeIfPresent(this.path)
  }

  async close(): Promise<void> {
    // Nothing is open.
  }
}

async function openNamed(path: string, isKept = false): Promise<NamedFile> {
  // GlusterFS answers a mere reader from its memory.
  const state = await fresh(path, async () => withHandle(path, 'r+', async (handle) => readHandle(handle)))
  if (state === undefined) throw Object.assign(new Error(`${path} does not exist any more`), { code: 'ENOENT' })
  return new NamedFile(path, state, isKept)
}

/** Looks a name up and runs `work`; again if the file has gone meanwhile. `undefined` if there is no file. */
async function fresh<T>(path: string, work: () => Promise<T>): Promise<T | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    await lookUp(path)
    try {
      return await work()
    } catch (error) {
      const isAbsent = codeOf(error) === 'ENOENT'
      if (!isAbsent && !isStale(error) && !isOtherFile(error)) throw error
      if (isAbsent && !(await isListed(path))) return undefined
      if (attempt === ATTEMPTS_MAX) throw error
    }
    await sleep(RETRY_AFTER_MS * 2 ** (attempt - 1))
  }
}

/**
 * True if a server of SMB has refused to open a name: the client asked for the lease of the file that it remembers, and the
 * name stands for another file by now.
 */
function isOtherFile(error: unknown): boolean {
  return codeOf(error) === 'EINVAL' && error instanceof Error && 'syscall' in error && error.syscall === 'open'
}

/**
 * Makes the kernel look a name up at the file server: it does for a name that is to be made, whatever it remembers
 * (`LOOKUP_EXCL` in fs/namei.c). Nothing is made: a hard link to a directory is refused everywhere.
 */
async function lookUp(path: string): Promise<void> {
  await link(dirname(path), path).catch(() => undefined)
}

/**
 * Makes the file server tell how large a file is: it does in its answer to a change of attributes, here to what they are.
 * GlusterFS answers everything else from what its client remembers, for a second.
 */
async function askForSize(path: string): Promise<void> {
  await chmod(path, (await stat(path)).mode & 0o7777)
}

async function isListed(path: string): Promise<boolean> {
  return (await readdir(dirname(path))).includes(basename(path))
}

/** Opens a file; for reading only if it may not be written. */
async function withHandle<T>(path: string, flags: 'r' | 'r+', use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(path, flags).catch(async (error: unknown) => {
    if (flags === 'r' || codeOf(error) !== 'EACCES') throw error
    return open(path, 'r')
  })
  try {
    return await use(handle)
  } finally {
    // GlusterFS opens a file when something is read, and may report a failure here: the content was read all the same.
    await closeQuietly(handle)
  }
}
