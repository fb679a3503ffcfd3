import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import {
  EMPTY_DOCUMENT,
  type StatusDocument,
  findEntry,
  keyOf,
  readDocument,
  toBytes,
} from '../../../src/status/document.ts'
import { Draft } from '../../../src/status/draft.ts'
import { mergeSnapshot } from '../../../src/status/merge.ts'
import { reconcile } from '../../../src/status/reconcile.ts'
import { reread } from '../../../src/status/reread.ts'
import type { SavedDocument, SavedStatus, Snapshot, Status } from '../../../src/status/schema.ts'
import { readSnapshots } from '../../../src/status/snapshot.ts'
import { flipsAt, isStale } from '../../../src/status/staleness.ts'
import { formatTime, parseTime } from '../../../src/status/time.ts'
import { DRIFTED, SYNCED, anyName, anySnapshot, snapshotOf } from '../../support/snapshots.ts'

const NOW = Date.parse('2026-04-21T10:32:16Z')
const TERMS = { now: NOW, staleAfter: 600 }

t.test('times are read in every form that names its zone, and kept in one', async (t) => {
  const good: Record<string, string> = {
    '2026-04-21T10:32:15Z': '2026-04-21T10:32:15Z',
    '2026-04-21t10:32:15z': '2026-04-21T10:32:15Z',
    '2026-04-21T10:32:15.999Z': '2026-04-21T10:32:15Z',
    '2026-04-21T10:32:15,5Z': '2026-04-21T10:32:15Z',
    '2026-04-21T12:32:15+02:00': '2026-04-21T10:32:15Z',
    '2026-04-21T12:32:15+0200': '2026-04-21T10:32:15Z',
    '2026-04-21T12:32:15+02': '2026-04-21T10:32:15Z',
    '2026-04-20T20:02:15-14:30': '2026-04-21T10:32:15Z',
    '2026-04-21T10:32Z': '2026-04-21T10:32:00Z',
    '2026-01-01T00:30:00+01:00': '2025-12-31T23:30:00Z',
    '2024-02-29T00:00:00Z': '2024-02-29T00:00:00Z',
    '2016-12-31T23:59:60Z': '2017-01-01T00:00:00Z',
    '0099-01-01T00:00:00Z': '0099-01-01T00:00:00Z',
  }
  for (const [posted, kept] of Object.entries(good)) {
    t.equal(formatTime(parseTime(posted) ?? Number.NaN), kept, posted)
  }
  const bad = [
    '',
    '2026-04-21',
    '2026-04-21T10:32:15',
    '2026-04-21 10:32:15Z',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-04-21T24:00:00Z',
    '2026-04-21T10:60:00Z',
    '2026-04-21T10:32:61Z',
    '2026-04-21T10:32:15+24:00',
    '2026-04-21T10:32:15+02:60',
    '0000-01-01T00:00:00+01:00',
    '9999-12-31T23:59:59-01:00',
    ' 2026-04-21T10:32:15Z',
    '2026-04-21T10:32:15Z\n',
    '1776767535',
  ]
  for (const text of bad) t.equal(parseTime(text), undefined, JSON.stringify(text))
})

t.test('merge: the two payloads of the contract, in turn', async (t) => {
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

t.test('merge: fields not carried stay, unknown ones survive, stamps in a post do not count', async (t) => {
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

t.test('merge: what is older than the entry is ignored, with the reason, and nothing changes', async (t) => {
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
  const typo = reconcile(ahead.document, copy, TERMS).finish()
  t.equal(statusOf(typo).stale, true, 'a check from the future is not to be trusted')
  t.match(
    posted(typo, { ...DRIFTED, last_check: at('10:32:16') }).receipts,
    [{ result: 'updated' }],
    'and shuts nobody out',
  )
})

t.test('merge: in whatever order snapshots arrive, every target ends with its newest', async () => {
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

t.test('merge: posting again changes nothing, and nothing but the named targets ever changes', async () => {
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

t.test('document: sorted, two spaces, a final newline, and read back as it was', async (t) => {
  fc.assert(
    fc.property(fc.array(anySnapshot, { maxLength: 10 }), (snapshots) => {
      const { document } = posted(EMPTY_DOCUMENT, ...snapshots)
      const text = toBytes(document).toString()
      const value = JSON.parse(text) as SavedDocument
      deepStrictEqual(text, `${JSON.stringify(value, null, 2)}\n`)
      deepStrictEqual(
        value.statuses,
        document.entries.map(({ status }) => status),
      )
      const order = value.statuses.map(({ repo, server }) => [repo, server])
      deepStrictEqual(
        order,
        order.toSorted((a, b) => (keyOf2(a) < keyOf2(b) ? -1 : 1)),
      )
      const read = readDocument(toBytes(document))
      deepStrictEqual(read.ok && read.value, value)
      deepStrictEqual(
        toBytes(reconcile(EMPTY_DOCUMENT, value, TERMS).finish(value.generation, value.updated_at)).toString(),
        text,
      )
    }),
  )
  t.equal(Object.hasOwn(Object.prototype, 'repo'), false, 'nothing is polluted')
  t.equal(toBytes(EMPTY_DOCUMENT).toString().includes('"statuses": []'), true)
})

t.test('document: made from the bytes of the one before, it is the same to the letter', async (t) => {
  const snapshots = fc.array(anySnapshot, { maxLength: 12 })
  let copied = 0
  fc.assert(
    fc.property(
      snapshots,
      snapshots,
      fc.array(fc.nat(), { maxLength: 6 }),
      fc.boolean(),
      (first, then, gone, titled) => {
        const before = posted(EMPTY_DOCUMENT, ...first).document
        const { draft } = posted(before, ...then)
        for (const index of gone) {
          const { status } = before.entries[index % Math.max(before.entries.length, 1)] ?? {}
          if (status !== undefined) draft.remove(status)
        }
        if (titled) draft.putHead({ ...before.head, title: 'ünïcode' }, undefined)
        const after = draft.finish()
        const bytes = toBytes(before)
        deepStrictEqual(toBytes(after, { entries: before.entries, bytes }).toString(), toBytes(after).toString())
        // What is unchanged must come from there, not be made again.
        const blank = Buffer.alloc(bytes.length, '.')
        if (toBytes(after, { entries: before.entries, bytes: blank }).includes('....')) copied += 1
      },
    ),
  )
  t.ok(copied > 10, 'entries were copied')
})

t.test('reread: says what a whole reading says, whatever has been done to the text', async () => {
  const lines = fc.array(
    fc.record({
      at: fc.nat(),
      to: fc.nat(),
      what: fc.constantFrom('remove', 'repeat', 'swap', 'indent', 'cut', 'brackets'),
    }),
    { maxLength: 3 },
  )
  fc.assert(
    fc.property(
      fc.array(anySnapshot, { maxLength: 8 }),
      fc.array(anySnapshot, { maxLength: 8 }),
      lines,
      (first, then, mutations) => {
        const known = posted(EMPTY_DOCUMENT, ...first).document
        const text = toBytes(posted(known, ...then).document)
          .toString()
          .split('\n')
        for (const { at, to, what } of mutations) {
          const [one, other] = [at % text.length, to % text.length]
          const [line = '', second = ''] = [text[one], text[other]]
          if (text.length === 1) continue
          else if (what === 'remove') text.splice(one, 1)
          else if (what === 'repeat') text.splice(one, 0, line)
          else if (what === 'swap') [text[one], text[other]] = [second, line]
          else if (what === 'indent') text[one] = `  ${line}`
          else if (what === 'cut') text.length = Math.max(one, 1)
          else text[one] = line.replaceAll(/[{}[\]]/g, (bracket) => '{}[]'['}{]['.indexOf(bracket)] ?? '')
        }
        const bytes = Buffer.from(text.join('\n'))
        deepStrictEqual(reread(bytes, known), readDocument(bytes))
      },
    ),
    { numRuns: 3000 },
  )
})

t.test('document: no two targets share a key', async () => {
  fc.assert(
    fc.property(anyName, anyName, anyName, anyName, (a, b, c, d) => {
      deepStrictEqual(keyOf({ repo: a, server: b }) === keyOf({ repo: c, server: d }), a === c && b === d)
    }),
  )
})

t.test('document: what is wrong is told with line, column and pointer', async (t) => {
  const cases: [text: string, line: number, column: number, pointer: string, detail: RegExp][] = [
    ['', 1, 1, '', /must be JSON/],
    ['{\n  "statuses": [\n  ],\n}', 4, 1, '', /must be JSON: property name expected/],
    ['{\n  "statuses": [ // none\n  ]\n}', 2, 17, '', /must be JSON: invalid comment token/],
    ['[]', 1, 1, '', /must be object, not array/],
    ['{}', 1, 1, '/statuses', /must be present/],
    ['{"statuses":{}}', 1, 13, '/statuses', /must be array, not object/],
    ['{"statuses":[],"generation":1.5}', 1, 29, '/generation', /must be integer/],
    ['{"statuses":[\n  {"repo":"a"}]}', 2, 3, '/statuses/0/server', /must be present/],
    [
      documentText({ sync_status: 'synced' }),
      1,
      columnOf('"SYNCED"'),
      '/statuses/0/sync_status',
      /one of SYNCED, OUT_OF_SYNC/,
    ],
    [
      documentText({ drift_count: 1 }),
      1,
      columnOf('0,'),
      '/statuses/0/drift_count',
      /must be the length of files, which is 0/,
    ],
    [documentText({ last_check: 'today' }), 1, columnOf('"2026-'), '/statuses/0/last_check', /ISO 8601/],
    [
      documentText({ note: 2 ** 60 }),
      1,
      columnOf('}]}') + ',"note":'.length,
      '/statuses/0/note',
      /digits would be lost/,
    ],
    ['{"statuses":[],"note":1,"note":2}', 1, 25, '/note', /only once/],
  ]
  for (const [text, line, column, pointer, detail] of cases) {
    const outcome = readDocument(Buffer.from(text))
    t.match(outcome, { ok: false, faults: [{ line, column, pointer, detail }] }, text.slice(0, 80))
  }
  const twice = `{"statuses":[${entryText({})},${entryText({})}]}`
  t.match(readDocument(Buffer.from(twice)), {
    ok: false,
    faults: [{ pointer: '/statuses/1', detail: /same repo and server as \/statuses\/0/ }],
  })
  t.match(readDocument(Buffer.from([0x7b, 0xff, 0x7d])), { ok: false, faults: [{ detail: 'must be UTF-8 text' }] })
  t.match(readDocument(Buffer.from(`\uFEFF${documentText({})}`)), { ok: true }, 'a byte order mark does no harm')
  t.match(readDocument(Buffer.from('['.repeat(100_000))), { ok: false }, 'depth does no harm')
  t.match(readDocument(Buffer.from(`{"statuses":[],"x":${'['.repeat(40)}${']'.repeat(40)}}`)), {
    ok: false,
    faults: [{ detail: /nested deeper than 32/ }],
  })
})

t.test('document: of very many faults the first hundred are told, and soon', async (t) => {
  const statuses = Array.from({ length: 20_000 }, (_, index) => ({
    ...snapshotOf({ server: `s${index}` }),
    sync_status: 'DRIFT',
  }))
  const outcome = readDocument(Buffer.from(JSON.stringify({ statuses }, null, 2)))
  t.equal(outcome.ok ? 0 : outcome.faults.length, 100)
  t.match(outcome, { faults: [{ line: 6 }, { line: 14 }] })
})

t.test('document: a generation typed by hand never makes a document that cannot be read back', async (t) => {
  const typed = { ...saved(EMPTY_DOCUMENT), generation: 2 ** 52 }
  const document = reconcile(EMPTY_DOCUMENT, typed, TERMS).finish()
  t.match(readDocument(toBytes(posted(document, DRIFTED).document)), { ok: true })
})

t.test('snapshots: all faults of all snapshots are told, and none is taken', async (t) => {
  const outcome = readSnapshots([DRIFTED, { ...DRIFTED, repo: '', files: [{ name: '' }, {}] }, 7], NOW)
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

t.test('staleness: by age, by its own limit, and for a check that lies in the future', async (t) => {
  const status = { last_check: formatTime(NOW) }
  t.equal(isStale(status, NOW + 600_000, 600), false)
  t.equal(isStale(status, NOW + 600_001, 600), true)
  t.equal(isStale({ ...status, stale_after: 10 }, NOW + 10_001, 600), true)
  t.equal(isStale(status, NOW - 5 * 60_000, 600), false)
  t.equal(isStale(status, NOW - 5 * 60_000 - 1, 600), true)
  fc.assert(
    fc.property(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 1, max: 900 }), (seconds, staleAfter) => {
      const now = NOW + seconds * 1000
      const flip = flipsAt(status, now, staleAfter)
      if (flip === Infinity) deepStrictEqual(isStale(status, now + 1e12, staleAfter), isStale(status, now, staleAfter))
      else {
        deepStrictEqual(isStale(status, flip - 1, staleAfter), isStale(status, now, staleAfter))
        deepStrictEqual(isStale(status, flip, staleAfter), !isStale(status, now, staleAfter))
      }
    }),
  )
})

t.test('draft: a request that fails leaves no trace among the others', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, DRIFTED)
  const draft = new Draft(document, TERMS)
  mergeSnapshot(draft, snapshotOf({ server: 'one' }, [], at('10:32:00')))
  const before = toBytes(draft.finish()).toString()
  const failing = (): never => {
    mergeSnapshot(draft, snapshotOf({ server: 'one' }, ['x'], at('10:32:01')))
    mergeSnapshot(draft, snapshotOf({ server: 'two' }, [], at('10:32:01')))
    draft.remove(DRIFTED)
    throw new Error('no')
  }
  t.throws(() => draft.attempt(failing), /no/)
  t.equal(toBytes(draft.finish()).toString(), before)
  t.equal(draft.size, 2)
  t.equal(
    draft.bytes,
    draft.finish().entries.reduce((sum, { bytes }) => sum + bytes, 0),
  )
  t.equal(draft.finish().removals.size, 0)
})

t.test('reconcile: an edit of the document as it stands is taken as saved', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, DRIFTED, snapshotOf({ server: 'b' }, [], at('10:32:00')))
  const copy = saved(document)
  copy['note'] = 'at the top'
  copy.statuses = [
    { ...entryIn(copy, 1), note: 'ticket 123' },
    { repo: 'new', server: 'a', sync_status: 'SYNCED', drift_count: 0, files: [], last_check: at('10:00:00') },
  ]
  const edited = reconcile(document, copy, TERMS).finish()
  t.equal(edited.generation, 2)
  t.match(edited.head, { note: 'at the top' })
  t.equal(edited.entries.length, 2)
  t.equal(findEntry(edited, { repo: 'rsyslog', server: 'b' }), undefined, 'removed')
  t.match(statusOf(edited), { note: 'ticket 123', since: at('10:32:15'), generation: 2 })
  t.match(statusOf(edited, { repo: 'new', server: 'a' }), { since: at('10:00:00'), stale: true, generation: 2 })

  delete copy.generation
  const withoutGeneration = reconcile(document, copy, TERMS).finish()
  t.same(toBytes(withoutGeneration), toBytes(edited), 'a copy without generation counts as current')
})

t.test('reconcile: sync_status changed by hand began now', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, DRIFTED)
  const copy = saved(document)
  copy.statuses = [{ ...entryIn(copy), sync_status: 'SYNCED', drift_count: 0, files: [] }]
  t.match(statusOf(reconcile(document, copy, TERMS).finish()), { since: formatTime(NOW) })
})

t.test('reconcile: an old copy keeps newer snapshots, brings its own edits, and may be saved twice', async (t) => {
  const opened = posted(EMPTY_DOCUMENT, DRIFTED, snapshotOf({ server: 'b' }, [], at('10:32:00'))).document
  const newer = posted(
    opened,
    { ...SYNCED, last_check: at('10:34:15'), environment: 'lab' },
    snapshotOf({ server: 'c' }, [], at('10:34:00')),
  ).document
  const copy = saved(opened)
  copy.statuses = [{ ...entryIn(copy, 1), note: 'one' }]
  const first = reconcile(newer, copy, TERMS).finish()
  t.match(statusOf(first), { sync_status: 'SYNCED', last_check: at('10:34:15'), environment: 'lab', note: 'one' })
  t.equal(findEntry(first, { repo: 'rsyslog', server: 'b' }), undefined, 'removal of what did not change survives')
  t.ok(findEntry(first, { repo: 'rsyslog', server: 'c' }), 'a target that was posted since is kept')

  copy.statuses = [{ ...entryIn(copy), note: 'two' }]
  const second = reconcile(first, copy, TERMS).finish()
  t.match(
    statusOf(second),
    { sync_status: 'SYNCED', note: 'two' },
    'the second save of one copy is no conflict with the first',
  )
  copy.statuses = [{ ...entryIn(saved(opened), 1) }]
  t.equal(statusOf(reconcile(second, copy, TERMS).finish())['note'], undefined, 'nor is taking it back')
})

t.test('reconcile: an old copy undoes neither the edit of another nor a removal', async (t) => {
  const opened = posted(EMPTY_DOCUMENT, DRIFTED, snapshotOf({ server: 'b' }, [], at('10:32:00'))).document
  const old = saved(opened)
  const between = posted(opened, snapshotOf({ server: 'b' }, [], at('10:32:10'))).document
  const other = saved(between)
  other['maintenance'] = 'tonight'
  other.statuses = other.statuses.map((status) => ({ ...status, owner: 'anna' }))
  const edited = reconcile(between, other, TERMS).finish()
  const removing = new Draft(edited, TERMS)
  removing.remove({ repo: 'rsyslog', server: 'b' })

  old['contact'] = 'me'
  old.statuses = old.statuses.map((status) => ({ ...status, note: 'mine' }))
  const result = reconcile(removing.finish(), old, TERMS).finish()
  t.match(statusOf(result), { owner: 'anna', note: 'mine' })
  t.match(result.head, { maintenance: 'tonight', contact: 'me' })
  t.equal(findEntry(result, { repo: 'rsyslog', server: 'b' }), undefined)
})

t.test('reconcile: two who save old copies again and again keep what is theirs', async (t) => {
  const two = posted(EMPTY_DOCUMENT, DRIFTED).document
  const b = saved(two)
  const three = posted(two, { ...DRIFTED, last_check: at('10:33:15') }).document
  const a = saved(three)
  a.statuses = [{ ...entryIn(a), note: 'A1' }]
  const four = reconcile(three, a, TERMS).finish()
  b.statuses = [{ ...entryIn(b), owner: 'B1' }]
  const five = reconcile(four, b, TERMS).finish()
  t.match(statusOf(five), { note: 'A1', owner: 'B1' })
  b.statuses = [{ ...entryIn(b), owner: 'B2' }]
  const six = reconcile(five, b, TERMS).finish()
  t.match(statusOf(six), { note: 'A1', owner: 'B2' })
  a.statuses = [{ ...entryIn(a), note: 'A2' }]
  t.match(statusOf(reconcile(six, a, TERMS).finish()), { note: 'A2', owner: 'B2', last_check: at('10:33:15') })
})

t.test('reconcile: a later generation is another server, and stands as it is', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, DRIFTED)
  const peer = posted(posted(document, SYNCED).document, { ...SYNCED, last_check: at('10:33:00') }).document
  const taken = reconcile(document, saved(peer), TERMS).finish(peer.generation, peer.updatedAt)
  t.same(toBytes(taken), toBytes(peer))
  t.equal(
    reconcile(document, { statuses: [], generation: 0 }, TERMS).generation,
    2,
    'an older one does not push it back',
  )
})

t.test(
  'reconcile: nothing newer is undone, no edit to what did not change is lost, removal and addition survive',
  async () => {
    const targets = fc.constantFrom('a', 'b', 'c', 'd', '__proto__').map((server) => ({ repo: 'r', server }))
    const posts = fc.array(fc.tuple(targets, fc.boolean()), { maxLength: 6 })
    const edits = fc.array(
      fc.record({ target: targets, what: fc.constantFrom('note', 'unnote', 'remove', 'status'), text: fc.string() }),
      { maxLength: 6 },
    )
    fc.assert(
      fc.property(posts, posts, edits, fc.boolean(), (before, since, edit, shuffled) => {
        let seconds = 0
        const post = (
          document: StatusDocument,
          [target, drifted]: [{ repo: string; server: string }, boolean],
        ): StatusDocument =>
          posted(document, snapshotOf(target, drifted ? ['x'] : [], formatTime(NOW - 1_000_000 + 1000 * ++seconds)))
            .document
        const opened = before.reduce(post, EMPTY_DOCUMENT)
        const copy = saved(opened)
        for (const { target, what, text } of edit) copy.statuses = edited(copy.statuses, target, what, text)
        if (shuffled) copy.statuses = copy.statuses.toReversed()
        const current = since.reduce(post, opened)
        const result = reconcile(current, copy, TERMS).finish()

        const changed = new Set(since.map(([target]) => keyOf(target)))
        const savedByKey = new Map(copy.statuses.map((status) => [keyOf(status), status]))
        const keys = [...current.entries.map(({ status }) => status), ...copy.statuses].map(keyOf)
        for (const key of new Set(keys)) {
          const [repo = '', server = ''] = key.split('\n')
          const [was, is] = [current, result].map((document) => findEntry(document, { repo, server })?.status)
          const mine = savedByKey.get(key)
          if (changed.has(key)) {
            deepStrictEqual(outcome(is), outcome(was), 'a newer snapshot was undone')
            if (mine !== undefined) deepStrictEqual(is?.['note'], mine['note'], 'a note on a newer snapshot was lost')
          } else {
            deepStrictEqual(is === undefined, mine === undefined, 'a removal or an addition was undone')
            deepStrictEqual(outcome(is), outcome(mine), 'an edit was undone')
            deepStrictEqual(is?.['note'], mine?.['note'], 'a note was undone')
          }
        }
        const again = reconcile(result, saved(result), TERMS)
        deepStrictEqual(again.changed, false, 'saving what was served changes something')
      }),
      { numRuns: 500 },
    )
  },
)

function edited(
  statuses: SavedStatus[],
  target: { repo: string; server: string },
  what: string,
  text: string,
): SavedStatus[] {
  const others = statuses.filter((status) => keyOf(status) !== keyOf(target))
  const { note: _note, ...status } =
    statuses.find((one) => keyOf(one) === keyOf(target)) ?? snapshotOf(target, [], at('09:00:00'))
  switch (what) {
    case 'remove':
      return others
    case 'unnote':
      return [...others, status]
    case 'status':
      return [
        ...others,
        { ...status, sync_status: 'OUT_OF_SYNC', drift_count: 1, files: [{ name: `by hand ${text}` }] },
      ]
    default:
      return [...others, { ...status, note: text }]
  }
}

function outcome(status: SavedStatus | undefined): unknown {
  return status && [status.sync_status, status.drift_count, status.files.map(({ name }) => name), status.last_check]
}

function posted(document: StatusDocument, ...snapshots: readonly object[]) {
  const outcome = readSnapshots(snapshots.length === 0 ? [DRIFTED] : snapshots, NOW + 3_600_000)
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.faults))
  const draft = new Draft(document, TERMS)
  const receipts = snapshots.length === 0 ? [] : outcome.value.map((snapshot) => mergeSnapshot(draft, snapshot))
  return { draft, receipts, document: draft.finish() }
}

/** The document as an editor has it. */
function saved(document: StatusDocument): SavedDocument {
  return JSON.parse(toBytes(document).toString()) as SavedDocument
}

function entryIn(copy: SavedDocument, index = 0): SavedStatus {
  const sorted = copy.statuses.toSorted(
    (a, b) => (a.server === 'rsyslog-lab' ? 1 : 0) - (b.server === 'rsyslog-lab' ? 1 : 0),
  )
  const status = sorted[index]
  if (status === undefined) throw new Error('no such entry')
  return status
}

function statusOf(document: StatusDocument, target = { repo: 'rsyslog', server: 'rsyslog-lab' }): Status {
  const entry = findEntry(document, target)
  if (entry === undefined) throw new Error('no such target')
  return entry.status
}

/** The part of a status that a snapshot carried. */
function carried(status: Status | undefined, snapshot: Snapshot): unknown {
  const names = new Set(Object.keys(snapshot))
  const part = Object.fromEntries(Object.entries(status ?? {}).filter(([name]) => names.has(name)))
  return { ...part, files: status?.files.map(({ since: _since, ...file }) => file) }
}

function at(time: string): string {
  return `2026-04-21T${time}Z`
}

function keyOf2([repo = '', server = '']: string[]): string {
  return `${repo}\n${server}`
}

function entryText(over: object): string {
  return JSON.stringify({ ...snapshotOf({ repo: 'a', server: 'b' }, [], at('10:32:15')), ...over })
}

function columnOf(part: string): number {
  return documentText({}).indexOf(part) + 1
}

function documentText(over: object): string {
  return `{"statuses":[${entryText(over)}]}`
}
