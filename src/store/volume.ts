import { link, lstat, rename, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { swap } from 'fs-native-extensions'
import { PRIVATE, STATUS_FILE } from './directory.ts'
import { syncDirectory } from './durable-file.ts'
import { StoreError, codeOf } from './store-error.ts'

/** Magic numbers of file systems: statfs(2) and linux/magic.h. */
const NAMES: Readonly<Record<number, string>> = {
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x2fc12fc1: 'zfs',
  0x01021994: 'tmpfs',
  0x794c7630: 'overlayfs',
  0x6969: 'nfs',
  0xff534d42: 'cifs',
  0xfe534d42: 'smb2',
  0x00c36400: 'ceph',
  0x65735546: 'fuse',
  0x01021997: '9p',
}

/** File systems on which other machines can change files without an event on this one. */
const NETWORK: ReadonlySet<string> = new Set(['nfs', 'cifs', 'smb2', 'ceph', 'fuse', '9p'])

/** The file system of the data directory, and what it can do. */
export interface Volume {
  /** Its name, or its number if the name is not known. */
  readonly fileSystem: string
  readonly freeBytes: number
  /** True if two files can exchange their names in one step: then an edit saved at the moment of a commit is never lost. */
  readonly exchange: boolean
  /** How edits are found: by events of the kernel, or by a check every 2 seconds. */
  readonly edits: 'events' | 'polling'
}

/**
 * Tries what every commit needs: write, fsync, rename. The caller holds the lock.
 *
 * @throws the system's error if a step fails
 */
export async function inspectVolume(directory: string): Promise<Volume> {
  const [one, two] = [join(directory, `${PRIVATE}probe-1`), join(directory, `${PRIVATE}probe-2`)]
  try {
    for (const path of [one, two]) await writeFile(path, 'can this be written?\n', { flush: true })
    const exchange = await canExchange(one, two)
    await rename(one, two)
    await syncDirectory(directory)
    return { ...(await describe(directory)), exchange }
  } finally {
    await rm(one, { force: true })
    await rm(two, { force: true })
  }
}

/**
 * Refuses a `status.json` that is a mount of its own or a symbolic link: a commit could not replace it.
 *
 * @throws {StoreError} that says what to do instead
 */
export async function refuseMountedFile(directory: string): Promise<void> {
  const path = join(directory, STATUS_FILE)
  const probe = join(directory, `${PRIVATE}probe-link`)
  try {
    if ((await lstat(path)).isSymbolicLink()) {
      throw new StoreError('unavailable', `${path} is a symbolic link; put the file itself into the data directory`)
    }
    await link(path, probe)
  } catch (error) {
    if (codeOf(error) !== 'EXDEV') {
      if (error instanceof StoreError) throw error
      return
    }
    const remedy = 'mount the directory instead, so that a commit can replace the file'
    throw new StoreError('unavailable', `${path} is a mount of its own (a bind mount or a subPath): ${remedy}`)
  } finally {
    await rm(probe, { force: true })
  }
}

async function canExchange(one: string, two: string): Promise<boolean> {
  try {
    await swap(one, two)
    return true
  } catch {
    return false
  }
}

async function describe(directory: string): Promise<Omit<Volume, 'exchange'>> {
  const { type, bavail, bsize } = await statfs(directory)
  // The kernel's number is unsigned, Node's may come out negative.
  const number = type >>> 0
  const fileSystem = NAMES[number] ?? `0x${number.toString(16)}`
  return { fileSystem, freeBytes: bavail * bsize, edits: NETWORK.has(fileSystem) ? 'polling' : 'events' }
}
