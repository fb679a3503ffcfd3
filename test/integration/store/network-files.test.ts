import { join } from 'node:path'
import t from 'tap'
import { networkFiles } from '../../../src/store/network-files.ts'
import { beforeCalls } from '../../support/calls.ts'
import { directory } from '../../support/directory.ts'

const failures = {
  'the file is gone (NFS, GlusterFS)': { errno: -116, code: 'Unknown system error -116', syscall: 'open' },
  'the lease is that of another file (SMB)': { errno: -22, code: 'EINVAL', syscall: 'open' },
}

for (const [why, failure] of Object.entries(failures)) {
  t.test(`a name is looked up again: ${why}`, async (t) => {
    const path = join(directory(t, { 'status.json': 'saved' }), 'status.json')
    let failing = 6
    beforeCalls(t, 'open', (opened) => {
      failing -= 1
      if (opened === path && failing >= 0) throw Object.assign(new Error(failure.code), failure)
    })
    t.equal((await networkFiles.read(path))?.bytes.toString(), 'saved')
    failing = Infinity
    await t.rejects(networkFiles.read(path), { code: failure.code }, 'but not for ever')
  })
}

t.test('an invalid argument elsewhere is no reason to look again', async (t) => {
  const path = join(directory(t, { 'status.json': 'saved' }), 'status.json')
  let opened = 0
  beforeCalls(t, 'open', () => {
    opened += 1
    throw Object.assign(new Error('EINVAL'), { errno: -22, code: 'EINVAL', syscall: 'read' })
  })
  await t.rejects(networkFiles.read(path), { code: 'EINVAL' })
  t.equal(opened, 1)
})
