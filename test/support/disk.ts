import { strictEqual } from 'node:assert'
import { spawnSync } from 'node:child_process'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { directory } from './directory.ts'
import { eventually } from './http.ts'

/** A small volume in memory. */
export function tmpfs(t: Test, size: string): string {
  const mount = directory(t)
  execute('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', mount)
  t.teardown(() => spawnSync('umount', ['-l', mount]))
  return mount
}

/** A file system of its own in a file, whose plug can be pulled. */
export class Disk {
  readonly mountPoint: string
  readonly #image: string

  constructor(t: Test, kind: 'xfs' | 'ext4') {
    const place = directory(t)
    this.#image = join(place, 'image')
    this.mountPoint = join(place, 'mount')
    mkdirSync(this.mountPoint)
    writeFileSync(this.#image, '')
    truncateSync(this.#image, 320 * 1024 * 1024)
    execute(`mkfs.${kind}`, '-q', this.#image)
    execute('mount', '-o', 'loop', this.#image, this.mountPoint)
    t.teardown(() => spawnSync('umount', ['-l', this.mountPoint]))
  }

  /** From now on nothing reaches the disk, not even what its journal still holds in memory. */
  cut(): void {
    execute('xfs_io', '-x', '-c', 'shutdown', this.mountPoint)
  }

  /** Mounts it as a machine does that starts again. */
  async replug(): Promise<void> {
    execute('umount', '-l', this.mountPoint)
    // Two mounts of one image at once would not be the same as a machine that starts again.
    await eventually(() => strictEqual(spawnSync('losetup', ['-j', this.#image], { encoding: 'utf8' }).stdout, ''))
    execute('mount', '-o', 'loop', this.#image, this.mountPoint)
  }
}

/**
 * Runs a program in a mount namespace of its own that lets go of the disks of other tests: it would keep them from being
 * unmounted. Put after `unshare`.
 */
export const WITHOUT_DISKS = [
  'sh',
  '-c',
  'sed -n "s,^/dev/loop[^ ]* \\([^ ]*\\) .*,\\1,p" /proc/mounts | xargs -r umount -l; exec "$@"',
  'sh',
] as const

/** Runs a command; throws what it says where it fails. */
export function execute(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
}
