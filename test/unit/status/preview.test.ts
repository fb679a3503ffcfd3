import t from 'tap'
import { EMPTY_DOCUMENT } from '../../../src/status/document.ts'
import { Draft } from '../../../src/status/draft.ts'
import { decide, restoration } from '../../../src/status/next.ts'
import { previewOf } from '../../../src/status/preview.ts'
import { Refusal } from '../../../src/status/refusal.ts'
import { TARGETS_MAX } from '../../../src/status/schema.ts'
import { CLOCK, at, posted, saved, statusOf } from '../../support/documents.ts'
import { DRIFTED, SYNCED, snapshotOf } from '../../support/snapshots.ts'

const B = { repo: 'rsyslog', server: 'b' }

t.test('a backup of any age: what changes is told first, then done, and noted once', async (t) => {
  const older = posted(EMPTY_DOCUMENT, { ...DRIFTED, note: 'old' }, snapshotOf(B, ['x'], at('10:32:00'))).document
  const backup = { ...saved(older), title: 'old\u001b[31m', generation: 812 }
  const draft = new Draft(older, CLOCK)
  draft.remove(B, { origin: 'delete' })
  const present = posted(
    draft.finish(),
    { ...SYNCED, last_check: at('10:34:15') },
    snapshotOf({ server: 'c' }, [], at('10:34:00')),
  ).document
  t.same(previewOf(restoration(backup)(new Draft(present, CLOCK))), [
    '1 target comes back',
    '1 target keeps the verdict of a newer check',
    '1 target is not in the file and stays',
    'top-level properties that change: title',
    'rsyslog/b: comes back',
  ])
  const step = decide(present, [], [restoration(backup)], CLOCK)
  t.match(statusOf(step.next), { sync_status: 'SYNCED', note: 'old' })
  t.match(statusOf(step.next, B), { files: [{ name: 'x' }] })
  t.match(step.restorations, [{ from: { generation: 812 }, returned: [B], changed: [], others: 1 }])
  const again = decide(step.next, [], [restoration(backup)], CLOCK)
  t.equal(again.next, step.next)
  t.same(again.restorations, [], 'a restore that changes nothing is none')
  t.same(previewOf(restoration(backup)(new Draft(step.next, CLOCK))), [])
})

t.test(
  'the preview names what changes, without what could steer a terminal, and not more than twenty targets',
  async (t) => {
    const targets = Array.from({ length: 22 }, (_, index) => snapshotOf({ server: `s${index}` }, ['a'], at('10:00:00')))
    const { document } = posted(EMPTY_DOCUMENT, DRIFTED, ...targets)
    const backup = saved(document)
    backup.statuses = backup.statuses.map((status) =>
      status.server === DRIFTED.server
        ? { ...status, ...SYNCED, files: [], note: 'a\u001b[31m\u202eb', 'x\n': {}, long: 'x'.repeat(100), count: 3 }
        : { ...status, files: [{ name: 'b' }] },
    )
    const [changed, first = '', ...others] = previewOf(restoration(backup)(new Draft(document, CLOCK)))
    t.equal(changed, '23 targets change')
    t.equal(
      first,
      'rsyslog/rsyslog-lab: sync_status OUT_OF_SYNC -> SYNCED, files rsyslog.conf rsyslog.d/30-lab.conf -> none, ' +
        'note none -> a%1B[31m%E2%80%AEb, x%0A, long, count none -> 3',
    )
    t.equal(others[0], 'rsyslog/s0: files a -> b')
    t.equal(others.length, 20)
    t.equal(others.at(-1), 'and 3 more')
  },
)

t.test('a backup that makes the document too large is refused, and nothing of it is noted', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, DRIFTED)
  const [status] = saved(document).statuses
  const statuses = Array.from({ length: TARGETS_MAX }, (_, index) => ({ ...DRIFTED, ...status, server: `s${index}` }))
  const step = decide(
    document,
    [],
    [restoration({ statuses: statuses.map((each) => ({ ...each, files: [...each.files] })) })],
    CLOCK,
  )
  t.match(step.answers, [{ kind: 'refused', refusal: new RegExp('must not make the document larger') }])
  t.ok(step.answers[0]?.kind === 'refused' && step.answers[0].refusal instanceof Refusal)
  t.equal(step.next, document)
  t.same(step.restorations, [])
})
