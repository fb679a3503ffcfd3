import t from 'tap'
import { hasLocalLocks, keepsHandles, mountOptionsIn } from '../../../src/store/mount.ts'
import { type Volume, limitsOf } from '../../../src/store/volume.ts'

const MOUNTS = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
41 22 0:45 / /data rw,relatime shared:7 master:2 - cifs //files/status rw,vers=3.1.1,nobrl,actimeo=1,closetimeo=1
42 22 0:300 / /more rw - nfs4 files:/ rw,vers=4.2,local_lock=none,addr=10.0.0.2
`

/** Options as the kernel lists them. */
function options(text: string): ReadonlyMap<string, string> {
  return mountOptionsIn(`1 1 0:1 / / rw - cifs //files/status ${text}`, 1n)
}

const able: Volume = {
  fileSystem: 'ext4',
  freeBytes: 0,
  exchange: true,
  hardLinks: true,
  edits: 'events',
  exclusiveLocks: true,
  sharedLocks: true,
  freshFiles: true,
}

t.test('options are those of the mount with the number of the device', (t) => {
  t.equal(mountOptionsIn(MOUNTS, 45n).get('closetimeo'), '1')
  t.equal(mountOptionsIn(MOUNTS, 45n).get('nobrl'), '')
  // Minor numbers above 255 are in two parts: makedev(3).
  t.equal(mountOptionsIn(MOUNTS, 0x10002cn).get('vers'), '4.2')
  t.ok(mountOptionsIn(MOUNTS, 0xfe00n).has('discard'))
  t.equal(mountOptionsIn(MOUNTS, 46n).size, 0)
  t.end()
})

t.test('locks that the client keeps to itself', (t) => {
  t.ok(hasLocalLocks(options('rw,vers=3.1.1,nobrl')))
  t.ok(hasLocalLocks(options('rw,vers=3,nolock,local_lock=all')))
  t.ok(hasLocalLocks(options('rw,vers=3,local_lock=posix')))
  // OFD locks are POSIX locks.
  t.notOk(hasLocalLocks(options('rw,vers=3,local_lock=flock')))
  t.notOk(hasLocalLocks(options('rw,vers=4.2,local_lock=none')))
  t.notOk(hasLocalLocks(options('rw')))
  t.end()
})

t.test('files that a client of SMB holds open after they were closed', (t) => {
  t.ok(keepsHandles(options('rw,vers=3.1.1,actimeo=1,closetimeo=1')))
  t.ok(keepsHandles(options('rw,vers=3.1.1,cache=none,actimeo=0,closetimeo=1')))
  t.notOk(keepsHandles(options('rw,vers=3.1.1,nolease,actimeo=1,closetimeo=1')))
  t.notOk(keepsHandles(options('rw,vers=3.1.1,actimeo=1,closetimeo=0')))
  t.end()
})

t.test('a limit for each thing that a volume cannot do', (t) => {
  t.same(limitsOf(able), [])
  t.match(limitsOf({ ...able, exclusiveLocks: false }), [
    /^two servers on this mount can hold the lock at the same time/,
  ])
  t.match(limitsOf({ ...able, sharedLocks: false }), [
    /^locks do not keep servers on two machines apart: run one server, or/,
  ])
  t.match(limitsOf({ ...able, freshFiles: false }), [/mount with nolease,actimeo=0$/])
  t.match(limitsOf({ ...able, exchange: false, edits: 'polling' }), [/^no events/, /^names cannot be exchanged/])
  t.equal(limitsOf({ ...able, exchange: false, hardLinks: false }).length, 2)
  t.end()
})
