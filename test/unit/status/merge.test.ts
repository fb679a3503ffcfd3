import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import { EMPTY_DOCUMENT, findEntry } from '../../../src/status/document.ts'
import { keyOf } from '../../../src/status/target.ts'
import type { Snapshot } from '../../../src/status/schema.ts'
import { at, carried, entryIn, merged, posted, saved, statusOf } from '../../support/documents.ts'
import { DRIFTED, SYNCED, anySnapshot } from '../../support/snapshots.ts'

t.test('the two payloads of the contract, in turn', async (t) => {
  const first = posted(EMPTY_DOCUMENT, DRIFTED)
  t.match(first.receipts, [{ result: 'created' }])
  t.match(statusOf(first.document), {
    since: '2026-04-21T10:32:15Z',
    files: [
      { name: 'rsyslog.conf', since: '2026-04-21T10:32:15Z' },
      { name: 'rsyslog.d/30-lab.conf', since: '2026-04-21T10:32:15Z' },
    ],
    stale: false,
    generation: 1,
  })

  const grown = { ...DRIFTED, drift_count: 3, files: [{ name: 'new' }, ...DRIFTED.files], last_check: at('10:34:15') }
  const second = posted(first.document, grown)
  t.match(second.receipts, [{ result: 'updated' }])
  t.match(statusOf(second.document), {
    since: '2026-04-21T10:32:15Z',
    files: [
      { name: 'new', since: at('10:34:15') },
      { name: 'rsyslog.conf', since: at('10:32:15') },
      { name: 'rsyslog.d/30-lab.conf', since: at('10:32:15') },
    ],
    generation: 2,
  })

  const fixed = posted(second.document, { ...SYNCED, last_check: at('10:36:15') })
  t.match(statusOf(fixed.document), { sync_status: 'SYNCED', files: [], since: at('10:36:15') })
  const again = posted(fixed.document, { ...DRIFTED, last_check: at('10:38:15') })
  t.match(
    statusOf(again.document).files[0],
    { name: 'rsyslog.conf', since: at('10:38:15') },
    'drift was broken: starts anew',
  )
})

t.test('fields not carried stay, unknown ones survive, stamps in a post do not count', async (t) => {
  const first = posted(EMPTY_DOCUMENT, {
    ...DRIFTED,
    commit: 'abc',
    stale_after: 3600,
    note: 'ticket 123',
    deep: { a: [1] },
  })
  const second = posted(first.document, { ...DRIFTED, last_check: at('10:34:15') })
  t.match(statusOf(second.document), { commit: 'abc', stale_after: 3600, note: 'ticket 123', deep: { a: [1] } })

  const lies = { since: 'whenever', stale: 'yes', generation: -1, files: [{ name: 'x', since: 12 }], drift_count: 1 }
  const third = posted(second.document, { ...DRIFTED, ...lies, last_check: at('10:36:15') })
  t.match(statusOf(third.document), {
    since: at('10:32:15'),
    stale: false,
    generation: 3,
    files: [{ since: at('10:36:15') }],
  })
  const back = posted(third.document, statusOf(third.document))
  t.equal(back.draft.changed, false, 'an entry read from the file can be posted back')
})

t.test('what is older than the entry is ignored, with the reason, and nothing changes', async (t) => {
  const first = posted(EMPTY_DOCUMENT, DRIFTED)
  const late = posted(first.document, { ...SYNCED, last_check: at('10:32:14') })
  t.match(late.receipts, [
    { result: 'ignored', reason: /older.*2026-04-21T10:32:15Z/, status: { sync_status: 'OUT_OF_SYNC' } },
  ])
  t.equal(late.draft.changed, false)
  const same = posted(first.document, SYNCED)
  t.match(same.receipts, [{ result: 'updated', status: { sync_status: 'SYNCED' } }], 'equally old is not older')

  const ahead = posted(EMPTY_DOCUMENT, DRIFTED)
  const copy = saved(ahead.document)
  copy.statuses[0] = { ...entryIn(copy), last_check: '2062-01-01T00:00:00Z' }
  const typo = merged(ahead.document, copy)
  t.equal(statusOf(typo).stale, true, 'a check from the future is not to be trusted')
  t.match(
    posted(typo, { ...DRIFTED, last_check: at('10:32:16') }).receipts,
    [{ result: 'updated' }],
    'and shuts nobody out',
  )
})

t.test('in whatever order snapshots arrive, every target ends with its newest', async () => {
  const sets = fc.uniqueArray(anySnapshot, {
    minLength: 1,
    maxLength: 12,
    selector: (s) => `${keyOf(s)} ${s.last_check}`,
  })
  const orders = sets.chain((set) => fc.tuple(fc.constant(set), fc.shuffledSubarray(set, { minLength: set.length })))
  fc.assert(
    fc.property(orders, fc.boolean(), ([set, order], atOnce) => {
      const document = atOnce
        ? posted(EMPTY_DOCUMENT, ...order).document
        : order.reduce((before, snapshot) => posted(before, snapshot).document, EMPTY_DOCUMENT)
      const newest = new Map<string, Snapshot>()
      for (const snapshot of set) {
        const other = newest.get(keyOf(snapshot))
        if (other === undefined || other.last_check < snapshot.last_check) newest.set(keyOf(snapshot), snapshot)
      }
      deepStrictEqual(document.entries.map(({ status }) => keyOf(status)).toSorted(), [...newest.keys()].toSorted())
      for (const snapshot of newest.values())
        deepStrictEqual(carried(findEntry(document, snapshot)?.status, snapshot), snapshot)
    }),
  )
})

t.test('posting again changes nothing, and nothing but the named targets ever changes', async () => {
  fc.assert(
    fc.property(fc.array(anySnapshot, { maxLength: 8 }), anySnapshot, (before, snapshot) => {
      const base = posted(EMPTY_DOCUMENT, ...before).document
      const once = posted(base, snapshot)
      for (const entry of once.document.entries) {
        if (keyOf(entry.status) !== keyOf(snapshot)) deepStrictEqual(entry, findEntry(base, entry.status))
      }
      deepStrictEqual(posted(once.document, snapshot).draft.changed, false)
    }),
  )
})
