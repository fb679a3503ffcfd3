import { readFile, stat } from 'node:fs/promises'

/**
 * The options of the mount that a directory is on, as the kernel lists them; none if it does not list them.
 *
 * @returns each with its value, or with an empty text if it has none
 */
export async function mountOptionsOf(directory: string): Promise<ReadonlyMap<string, string>> {
  try {
    const [{ dev }, mounts] = await Promise.all([
      stat(directory, { bigint: true }),
      readFile('/proc/self/mountinfo', 'utf8'),
    ])
    return mountOptionsIn(mounts, dev)
  } catch {
    return new Map()
  }
}

/** Finds the options of a device in the text of /proc/self/mountinfo: proc(5). */
export function mountOptionsIn(mounts: string, dev: bigint): ReadonlyMap<string, string> {
  const device = nameOf(dev)
  for (const line of mounts.split('\n')) {
    const [mount = '', superblock = ''] = line.split(' - ')
    if (mount.split(' ')[2] !== device) continue
    // After the type and the source.
    const options = superblock.split(' ')[2] ?? ''
    return new Map(options.split(',').map((option): [string, string] => splitOption(option)))
  }
  return new Map()
}

/** True if the client does not send locks to the file server. */
export function hasLocalLocks(options: ReadonlyMap<string, string>): boolean {
  return options.has('nobrl') || options.has('nolock') || ['all', 'posix'].includes(options.get('local_lock') ?? '')
}

/** True if a client of SMB holds files open that were closed, and uses them again by their old names. */
export function keepsHandles(options: ReadonlyMap<string, string>): boolean {
  return !options.has('nolease') && options.get('closetimeo') !== '0'
}

function splitOption(option: string): [string, string] {
  const [name = '', ...value] = option.split('=')
  return [name, value.join('=')]
}

/** MAJOR:MINOR of a device number: makedev(3). */
function nameOf(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n)
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n)
  return `${major}:${minor}`
}
