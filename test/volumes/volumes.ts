import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The file systems, each brought up by the script of its name; by program, the packages of Debian that they need. */
const VOLUMES = {
  nfs: {
    'linux.uml': 'user-mode-linux',
    exportfs: 'nfs-kernel-server',
    'mount.nfs4': 'nfs-common',
    modprobe: 'kmod',
    'mkfs.ext4': 'e2fsprogs',
    ip: 'iproute2',
    curl: 'curl',
    perl: 'perl',
  },
  gluster: {
    glusterd: 'glusterfs-server',
    glusterfs: 'glusterfs-client',
    'mkfs.xfs': 'xfsprogs',
    ip: 'iproute2',
    perl: 'perl',
  },
  bindfs: { bindfs: 'bindfs', fusermount3: 'fuse3', perl: 'perl' },
  ceph: {
    'linux.uml': 'user-mode-linux',
    'ceph-mon': 'ceph-mon',
    'ceph-osd': 'ceph-osd',
    'ceph-mds': 'ceph-mds',
    ceph: 'ceph-common',
    modprobe: 'kmod',
    ip: 'iproute2',
    curl: 'curl',
    perl: 'perl',
  },
  smb: {
    'linux.uml': 'user-mode-linux',
    smbd: 'samba',
    'mount.cifs': 'cifs-utils',
    modprobe: 'kmod',
    ip: 'iproute2',
    curl: 'curl',
    perl: 'perl',
  },
}

export type Volume = keyof typeof VOLUMES

export const volumes = Object.keys(VOLUMES) as Volume[]

/** Those that are attacked if none is named: the others need large packages. */
export const usualVolumes: readonly Volume[] = ['nfs', 'gluster', 'bindfs']

export function isVolume(name: string): name is Volume {
  return Object.hasOwn(VOLUMES, name)
}

/** Packages that have to be installed first. */
export function missingPackages(names: readonly Volume[]): string[] {
  const path = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
  const programs = names.flatMap((name) => Object.entries(VOLUMES[name]))
  const missing = programs.filter(([program]) => !path.some((directory) => existsSync(join(directory, program))))
  return [...new Set(missing.map(([, name]) => name))]
}

/** Mounts the file system twice; answers with the two sites. */
export async function bringUp(name: Volume): Promise<[string, string]> {
  const out = await script(name, 'up')
  const [, one, other] = /--site (\S+) --site (\S+)/.exec(out) ?? []
  if (one === undefined || other === undefined) throw new Error(`${name} did not come up`)
  return [one, other]
}

/** Unmounts the file system, and removes all that `bringUp` has made. */
export async function bringDown(name: Volume): Promise<void> {
  await script(name, 'down')
}

async function script(name: Volume, command: 'up' | 'down'): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(import.meta.dirname, name), [command], { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.setEncoding('utf8').on('data', (part: string) => (out += part))
    child.on('error', reject)
    // Not 'close': what the script leaves running may hold its output.
    child.on('exit', (code) => {
      if (code === 0) setImmediate(() => resolve(out))
      else reject(new Error(`${name} ${command} failed with ${code}`))
    })
  })
}
