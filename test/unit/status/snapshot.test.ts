import t from 'tap'
import { readPosted } from '../../../src/status/snapshot.ts'
import { DRIFTED } from '../../support/snapshots.ts'
import { NOW } from '../../support/documents.ts'

t.test('all faults of all snapshots are reported, and none is accepted', async (t) => {
  const outcome = readPosted([DRIFTED, { ...DRIFTED, repo: '', files: [{ name: '' }, {}] }, 7], NOW)
  t.same(outcome, {
    ok: false,
    faults: [
      { pointer: '/1/repo', detail: 'must not be empty' },
      { pointer: '/1/files/0/name', detail: 'must not be empty' },
      { pointer: '/1/files/1/name', detail: 'must be present' },
      { pointer: '/2', detail: 'must be object, not number' },
    ],
  })
})
