import t from 'tap'
import { EMPTY_DOCUMENT } from '../../../src/status/document.ts'
import { Draft } from '../../../src/status/draft.ts'
import { mergeSnapshot } from '../../../src/status/merge.ts'
import { toBytes } from '../../../src/store/render.ts'
import { CLOCK, at, posted } from '../../support/documents.ts'
import { DRIFTED, snapshotOf } from '../../support/snapshots.ts'

t.test('a change that throws leaves no trace among the others', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, DRIFTED)
  const draft = new Draft(document, CLOCK)
  mergeSnapshot(draft, snapshotOf({ server: 'one' }, [], at('10:32:00')))
  const before = toBytes(draft.finish()).toString()
  const failing = (): never => {
    mergeSnapshot(draft, snapshotOf({ server: 'one' }, ['x'], at('10:32:01')))
    mergeSnapshot(draft, snapshotOf({ server: 'one' }, ['x', 'y'], at('10:32:02')))
    mergeSnapshot(draft, snapshotOf({ server: 'two' }, [], at('10:32:01')))
    mergeSnapshot(draft, snapshotOf({ server: 'three' }, [], at('10:32:01')))
    draft.remove(DRIFTED, { origin: 'delete' })
    draft.putHead({ ...draft.head, note: 'x' }, { origin: 'edit' })
    throw new Error('no')
  }
  t.throws(() => draft.attempt(failing), /no/)
  t.equal(toBytes(draft.finish()).toString(), before)
  t.equal(draft.size, 2)
  t.equal(
    draft.bytes,
    draft.finish().entries.reduce((sum, { bytes }) => sum + bytes, 0),
  )
})
