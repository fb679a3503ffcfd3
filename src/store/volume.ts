import { statfs } from 'node:fs/promises'

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

/** What the data directory is on. */
export interface Volume {
  /** The name of the file system, or its number where the name is not known. */
  readonly fileSystem: string
  readonly freeBytes: number
}

/** Asks the kernel what a directory is on. */
export async function volumeOf(directory: string): Promise<Volume> {
  const { type, bavail, bsize } = await statfs(directory)
  // The kernel's number is unsigned, Node's may come out negative.
  const number = type >>> 0
  return { fileSystem: NAMES[number] ?? `0x${number.toString(16)}`, freeBytes: bavail * bsize }
}
