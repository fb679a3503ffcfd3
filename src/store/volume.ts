import { link, lstat, open, rename, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { swap, tryLock } from 'fs-native-extensions'
import { STATUS_FILE, newPrivateName } from './directory.ts'
import { syncDirectory } from './durable-file.ts'
import { hasLocalLocks, keepsHandles, mountOptionsOf } from './mount.ts'
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

/** File systems whose files other machines can change: without an event on this one, and while it remembers their past. */
const SHARED: ReadonlySet<string> = new Set(['nfs', 'cifs', 'smb2', 'ceph', 'fuse', '9p'])

/** The file system of the data directory, and what it can do. */
export interface Volume {
  /** Its name, or its number if the name is not known. */
  readonly fileSystem: string
  readonly freeBytes: number
  /** True if two files can exchange their names in one step: then there is no moment without a `status.json`. */
  readonly exchange: boolean
  /** True if a file can have two names. Without that and without exchange, an edit saved within a commit can be lost. */
  readonly hardLinks: boolean
  /**
   * Edits are found by events of the kernel, or by a check every 2 seconds if other machines may change the files.
   */
  readonly edits: 'events' | 'polling'
  /** False if two open files get the same lock on this mount, as bindfs may grant it. */
  readonly exclusiveLocks: boolean
  /** False if locks are known not to reach other machines. True says nothing about what the file server does with them. */
  readonly sharedLocks: boolean
  /** False if the client may keep using a file whose name belongs to another file by now. */
  readonly freshFiles: boolean
}

/**
 * Tries what every commit needs: write, fsync, rename; and what only some file systems can. The caller holds the lock.
 *
 * @throws the system's error if a step fails
 */
export async function inspectVolume(directory: string): Promise<Volume> {
  const described = await describe(directory)
  const probe = join(directory, newPrivateName())
  const [one, two, three] = [`${probe}-1`, `${probe}-2`, `${probe}-3`]
  try {
    for (const path of [one, two]) await writeFile(path, 'can this be written?\n', { flush: true })
    const exchange = await canDo(async () => swap(one, two))
    const hardLinks = await canDo(async () => link(one, three))
    const exclusiveLocks = !(await canLockTwice(one))
    await rename(one, two)
    await syncDirectory(directory)
    return { ...described, exchange, hardLinks, exclusiveLocks }
  } finally {
    for (const path of [one, two, three]) await rm(path, { force: true })
  }
}

/** The limits of a volume and their consequences. Empty if there are none. */
export function limitsOf({ exchange, hardLinks, edits, exclusiveLocks, sharedLocks, freshFiles }: Volume): string[] {
  const limits: [boolean, string][] = [
    [edits === 'events', 'no events for changes by other machines: the server finds them within 2 seconds'],
    [
      exclusiveLocks,
      'two servers on this mount can hold the lock at the same time: run one server per mount, and stop it before you use the command restore',
    ],
    [
      sharedLocks,
      'locks do not keep servers on two machines apart: run one server, or mount with vers=3.1.1 and no nobrl (SMB), vers=4.2 (NFS)',
    ],
    [
      freshFiles,
      'the client may use an old file for a second: an edit on another machine can be lost; mount with nolease,actimeo=0',
    ],
    [
      exchange,
      'names cannot be exchanged: at each write, status.json is missing for a moment; HTTP readers are not affected',
    ],
    [
      exchange || hardLinks,
      'no hard links: an edit that is saved by rename during a write can be lost; use another volume for edits',
    ],
  ]
  return limits.filter(([isMet]) => !isMet).map(([, limit]) => limit)
}

/**
 * Refuses a `status.json` that is a mount of its own or a symbolic link: a commit could not replace it.
 *
 * @throws {StoreError} that says what to do instead
 */
export async function refuseMountedFile(directory: string): Promise<void> {
  const path = join(directory, STATUS_FILE)
  const probe = join(directory, newPrivateName())
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
    const remedy = 'mount the directory instead, so that the file can be replaced'
    throw new StoreError('unavailable', `${path} is a mount of its own (a bind mount or a subPath): ${remedy}`)
  } finally {
    await rm(probe, { force: true })
  }
}

async function canDo(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work()
    return true
  } catch {
    return false
  }
}

async function canLockTwice(path: string): Promise<boolean> {
  const handles = await Promise.all([open(path, 'a'), open(path, 'a')])
  try {
    return handles.every(({ fd }) => tryLock(fd))
  } finally {
    for (const handle of handles) await handle.close()
  }
}

async function describe(directory: string): Promise<Omit<Volume, 'exchange' | 'hardLinks' | 'exclusiveLocks'>> {
  const [{ type, bavail, bsize }, options] = await Promise.all([statfs(directory), mountOptionsOf(directory)])
  // The kernel's number is unsigned, Node's may come out negative.
  const number = type >>> 0
  const fileSystem = NAMES[number] ?? `0x${number.toString(16)}`
  return {
    fileSystem,
    freeBytes: bavail * bsize,
    edits: SHARED.has(fileSystem) ? 'polling' : 'events',
    // SMB 1, with and without Unix extensions: two machines had the lock at once, one time in ten.
    sharedLocks: fileSystem !== 'cifs' && !hasLocalLocks(options),
    freshFiles: fileSystem !== 'smb2' || !keepsHandles(options),
  }
}
