import t from 'tap'
import { EMPTY_DOCUMENT } from '../../../src/status/document.ts'
import { nearMissesIn, newNearMisses } from '../../../src/status/near-misses.ts'
import { posted, saved } from '../../support/documents.ts'
import { DRIFTED } from '../../support/snapshots.ts'

const pointersIn = (document: Record<string, unknown>, status = {}, file = {}): string[] =>
  nearMissesIn({ ...document, statuses: [{ ...status, files: [file] }] }).map(({ pointer }) => pointer)

t.test('a name that is one or two letters from a known one', async (t) => {
  t.same(pointersIn({}, { stale_aftr: 1 }), ['/statuses/0/stale_aftr'])
  t.same(pointersIn({}, { sync_state: 1, label: {} }), ['/statuses/0/sync_state', '/statuses/0/label'])
  t.same(pointersIn({ acepted: [], Expected: [], 'updated-at': '' }), ['/acepted', '/Expected', '/updated-at'])
  t.same(pointersIn({}, {}, { nam: 'x', knd: 'other' }), ['/statuses/0/files/0/nam', '/statuses/0/files/0/knd'])
  t.match(nearMissesIn({ links_: 1, statuses: [] }), [{ detail: 'is not known; did you mean links?' }])
})

t.test('every known name, and names of people, are no near-misses', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, { ...DRIFTED, labels: { env: 'lab' }, commit: 'a', branch: 'b' })
  t.same(nearMissesIn(saved(document)), [])
  t.same(pointersIn({ title: '', owner: '' }, { note: '', owner: '', tickets: [], tags: [], date: '', x: 1 }), [])
})

t.test('only what has come in is new', async (t) => {
  const before = posted(EMPTY_DOCUMENT, { ...DRIFTED, comit: 'a' }).document
  const { document, draft } = posted(before, { ...DRIFTED, comit: 'b', brnch: 'c', last_check: '2026-04-21T10:33:00Z' })
  t.match(newNearMisses(before, document, draft.targets), [{ pointer: '/brnch', target: { server: 'rsyslog-lab' } }])
  t.match(newNearMisses(EMPTY_DOCUMENT, before, [DRIFTED]), [{ pointer: '/comit' }])
  const typed = { ...before, head: { ...before.head, link: {} } }
  t.match(newNearMisses(before, typed, []), [{ pointer: '/link', target: undefined }])
})
