import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import { EMPTY_DOCUMENT, type StatusDocument, findEntry } from '../../../src/status/document.ts'
import { keyOf } from '../../../src/status/target.ts'
import { Draft } from '../../../src/status/draft.ts'
import { mergeEdit } from '../../../src/status/edits.ts'
import type { SavedStatus, Status } from '../../../src/status/schema.ts'
import { formatTime } from '../../../src/status/time.ts'
import { atOnce } from '../../../src/steps.ts'
import { CLOCK, NOW, at, entryIn, merged, posted, saved, statusOf } from '../../support/documents.ts'
import { DRIFTED, SYNCED, snapshotOf } from '../../support/snapshots.ts'

const B = { repo: 'rsyslog', server: 'b' }
const C = { repo: 'rsyslog', server: 'c' }

t.test('an edit of the present document is taken as saved', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, DRIFTED, snapshotOf(B, [], at('10:32:00')))
  const copy = saved(document)
  copy['note'] = 'at the top'
  copy.statuses = [
    { ...entryIn(copy, 1), note: 'ticket 123' },
    { repo: 'new', server: 'a', sync_status: 'SYNCED', drift_count: 0, files: [], last_check: at('10:00:00') },
  ]
  const edited = merged(document, copy)
  t.equal(edited.generation, 2)
  t.match(edited.head, { note: 'at the top' })
  t.equal(edited.entries.length, 2)
  t.equal(findEntry(edited, B), undefined, 'removed')
  t.match(statusOf(edited), { note: 'ticket 123', since: at('10:32:15'), generation: 2 })
  t.match(statusOf(edited, { repo: 'new', server: 'a' }), { since: at('10:00:00'), stale: true, generation: 2 })
})

t.test('sync_status changed by hand began now', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, DRIFTED)
  const copy = saved(document)
  copy.statuses = [{ ...entryIn(copy), sync_status: 'SYNCED', drift_count: 0, files: [] }]
  t.match(statusOf(merged(document, copy)), { since: formatTime(NOW) })
})

t.test('an old copy keeps newer checks and brings its own changes', async (t) => {
  const opened = posted(EMPTY_DOCUMENT, DRIFTED, snapshotOf(B, [], at('10:32:00'))).document
  const newer = posted(
    opened,
    { ...SYNCED, last_check: at('10:34:15'), environment: 'lab' },
    snapshotOf(C, [], at('10:34:00')),
  ).document
  const copy = saved(opened)
  copy.statuses = [{ ...entryIn(copy, 1), note: 'one' }]
  const first = merged(newer, copy, opened)
  t.match(statusOf(first), { sync_status: 'SYNCED', last_check: at('10:34:15'), environment: 'lab', note: 'one' })
  t.equal(findEntry(first, B), undefined, 'the removal of what was not checked since counts')
  t.ok(findEntry(first, C), 'a target that was posted since is kept')

  copy.statuses = [{ ...entryIn(copy), note: 'two' }]
  t.match(statusOf(merged(first, copy, opened)), { sync_status: 'SYNCED', note: 'two' }, 'the later edit wins')
})

t.test('a removed target stays, if it was checked since the copy was opened', async (t) => {
  const opened = posted(EMPTY_DOCUMENT, DRIFTED, snapshotOf(B, [], at('10:32:00'))).document
  const copy = saved(opened)
  copy.statuses = []
  const newer = posted(opened, { ...DRIFTED, last_check: at('10:33:15') }).document
  const result = merged(newer, copy, opened)
  t.same(
    result.entries.map(({ status }) => status.server),
    ['rsyslog-lab'],
  )
})

t.test('an old copy undoes neither the edit of another nor a removal', async (t) => {
  const opened = posted(EMPTY_DOCUMENT, DRIFTED, snapshotOf(B, [], at('10:32:00'))).document
  const between = posted(opened, snapshotOf(B, [], at('10:32:10'))).document
  const other = saved(between)
  other['maintenance'] = 'tonight'
  other.statuses = other.statuses.map((status) => ({ ...status, owner: 'anna' }))
  const removing = new Draft(merged(between, other), CLOCK)
  removing.remove(B, { origin: 'delete' })

  const old = saved(opened)
  old['contact'] = 'me'
  old.statuses = old.statuses.map((status) => ({ ...status, note: 'mine' }))
  const result = merged(removing.finish(), old, opened)
  t.match(statusOf(result), { owner: 'anna', note: 'mine' })
  t.match(result.head, { maintenance: 'tonight', contact: 'me' })
  t.equal(findEntry(result, B), undefined)
})

const failureOf = (attempted_at: string, check_failed = 'unreachable'): object => {
  const { repo, server } = DRIFTED
  return { repo, server, check_failed, attempted_at }
}

t.test('a failed check that came meanwhile stays, whatever was saved or restored', async (t) => {
  const opened = posted(EMPTY_DOCUMENT, DRIFTED, failureOf(at('10:32:20'))).document
  const between = posted(opened, failureOf(at('10:32:30'), 'newer')).document
  const copy = saved(opened)
  copy.statuses = copy.statuses.map(({ failed_check: _failed, ...status }) => status)
  t.match(statusOf(merged(between, copy, opened)), { state: 'failing', failed_check: { reason: 'newer' } })
  t.equal(statusOf(merged(opened, copy)).failed_check, undefined, 'a person may take back what they have seen')
  const removing = saved(opened)
  removing.statuses = []
  t.equal(merged(between, removing, opened).entries.length, 1, 'CI has spoken of the target since')
  t.equal(merged(opened, removing).entries.length, 0)

  const older = posted(EMPTY_DOCUMENT, DRIFTED).document
  const back = merged(between, saved(older), older, true)
  t.match(statusOf(back), { state: 'failing', failed_check: { reason: 'newer' } }, 'nothing looks better than it is')
  const checked = posted(between, { ...DRIFTED, last_check: at('10:32:40') }).document
  const restored = statusOf(merged(checked, saved(between), between, true))
  t.match(restored, { state: 'drifted', last_check: at('10:32:40'), failed_check: undefined }, 'nor worse')
})

t.test('an entry that a person adds before its first check has no verdict', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, DRIFTED)
  const copy = saved(document)
  const never = { repo: 'new', server: 'a', sync_status: null, drift_count: 0, files: [], last_check: null }
  copy.statuses = [...copy.statuses, never]
  t.match(statusOf(merged(document, copy), never), { state: 'missing', stale: true, since: formatTime(NOW) })
})

t.test('objects are merged in depth, arrays and scalars as a whole', async (t) => {
  const first = posted(EMPTY_DOCUMENT, { ...DRIFTED, labels: { env: 'lab', owner: 'a' }, tags: [1] }).document
  const copy = saved(first)
  copy['pages'] = { a: { commit: 1 } }
  copy.statuses = [{ ...entryIn(copy), labels: { env: 'prod', owner: 'a' }, tags: [1, 2] }]
  const other = saved(first)
  other['pages'] = { b: 2 }
  other.statuses = [{ ...entryIn(other), labels: { env: 'lab', owner: 'b', rack: '7' }, tags: [3] }]
  const result = merged(merged(first, other), copy, first)
  t.match(statusOf(result), { labels: { env: 'prod', owner: 'b', rack: '7' }, tags: [1, 2] })
  t.same(result.head['pages'], { b: 2, a: { commit: 1 } })
})

t.test('a property that a person removes goes, and one named like an inherited one is a property', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, { ...DRIFTED, note: 'x', toString: 'mine' })
  const copy = saved(document)
  const { note: _note, ...status } = entryIn(copy)
  copy.statuses = [{ ...status, constructor: 'also mine' }]
  const result = statusOf(merged(document, copy))
  t.notOk(Object.hasOwn(result, 'note'))
  t.same([result['toString'], result['constructor']], ['mine', 'also mine'])
})

t.test('a property named like an inherited one can be removed, too', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, { ...DRIFTED, toString: 'mine', ['__proto__']: 'mine' })
  const copy = saved(document)
  copy.statuses = [
    Object.fromEntries(Object.entries(entryIn(copy)).filter(([, value]) => value !== 'mine')) as SavedStatus,
  ]
  const result = statusOf(merged(document, copy))
  t.same(
    Object.keys(result).filter((name) => name === 'toString' || name === '__proto__'),
    [],
  )
})

t.test('a verdict that the person did not touch is not taken from an old copy', async (t) => {
  const opened = posted(EMPTY_DOCUMENT, DRIFTED).document
  const flipped = saved(opened)
  flipped.statuses = [{ ...entryIn(flipped), sync_status: 'SYNCED', drift_count: 0, files: [] }]
  const present = merged(opened, flipped)
  const copy = saved(opened)
  copy.statuses = [{ ...entryIn(copy), note: 'mine' }]
  t.match(statusOf(merged(present, copy, opened)), { sync_status: 'SYNCED', since: formatTime(NOW), note: 'mine' })
})

t.test('since, set by hand, counts, and belongs to the verdict', async (t) => {
  const opened = posted(EMPTY_DOCUMENT, DRIFTED).document
  const copy = saved(opened)
  copy.statuses = [{ ...entryIn(copy), since: at('09:00:00') }]
  t.match(statusOf(merged(opened, copy)), { since: at('09:00:00') })
  const newer = posted(opened, { ...SYNCED, last_check: at('10:34:15') }).document
  t.match(statusOf(merged(newer, copy, opened)), { since: at('10:34:15') }, 'a newer check wins')
  copy.statuses = [{ ...entryIn(copy), stale: true, generation: 77 }]
  t.match(statusOf(merged(opened, copy)), { stale: false, generation: 2 }, 'other stamps do not count')
})

t.test('a verdict is taken from one side as a whole', async (t) => {
  const opened = posted(EMPTY_DOCUMENT, { ...DRIFTED, commit: 'old' }).document
  const copy = saved(opened)
  copy.statuses = [{ ...entryIn(copy), commit: 'by hand' }]
  const newer = posted(opened, { ...SYNCED, commit: 'new', last_check: at('10:33:00') }).document
  t.match(statusOf(merged(newer, copy, opened)), { sync_status: 'SYNCED', commit: 'new' }, 'a newer check wins')

  const flipped = saved(opened)
  flipped.statuses = [{ ...entryIn(flipped), sync_status: 'SYNCED', drift_count: 0, files: [] }]
  const both = merged(merged(opened, flipped), copy, opened)
  t.match(statusOf(both), { sync_status: 'OUT_OF_SYNC', commit: 'by hand' }, 'the later edit wins over an earlier one')
})

t.test('a check that a person has dated into the future shuts nobody out', async (t) => {
  const opened = posted(EMPTY_DOCUMENT, DRIFTED).document
  const typo = saved(opened)
  typo.statuses = [{ ...entryIn(typo), last_check: '2062-01-01T00:00:00Z' }]
  const copy = saved(opened)
  copy.statuses = [{ ...entryIn(copy), commit: 'by hand' }]
  t.match(statusOf(merged(merged(opened, typo), copy, opened)), { commit: 'by hand', last_check: DRIFTED.last_check })
})

t.test('a restore: everything as in the older document, newer verdicts stay, removed targets are back', async (t) => {
  const older = posted(EMPTY_DOCUMENT, { ...DRIFTED, note: 'old' }, snapshotOf(B, [], at('10:32:00'))).document
  const newer = new Draft(
    posted(older, { ...SYNCED, last_check: at('10:34:15') }, snapshotOf(C, ['x'], at('10:34:00'))).document,
    CLOCK,
  )
  newer.remove(B, { origin: 'delete' })
  newer.put({ ...statusOf(newer.finish()), note: 'new', owner: 'anna' }, { origin: 'edit' })
  newer.putHead({ ...newer.head, title: 'new' }, { origin: 'edit' })
  const present = newer.finish()
  const result = merged(present, saved(older), older, true)
  t.match(statusOf(result), { sync_status: 'SYNCED', last_check: at('10:34:15'), note: 'old' })
  t.notOk(Object.hasOwn(statusOf(result), 'owner'))
  t.same(result.head, older.head)
  t.ok(findEntry(result, B), 'a removed target is back')
  t.ok(findEntry(result, C), 'the verdict of a target that was posted since stays')
  t.ok(result.generation > present.generation)
  t.equal(merged(result, saved(older), older, true), result, 'once more changes nothing')
})

t.test('nothing newer is undone, no edit is lost, saving what is served changes nothing', async () => {
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
      const present = since.reduce(post, opened)
      const result = merged(present, copy, opened)

      const changed = new Set(since.map(([target]) => keyOf(target)))
      const savedByKey = new Map(copy.statuses.map((status) => [keyOf(status), status]))
      const keys = [...present.entries.map(({ status }) => status), ...copy.statuses].map(keyOf)
      for (const key of new Set(keys)) {
        const [repo = '', server = ''] = key.split('\n')
        const [was, is] = [present, result].map((document) => findEntry(document, { repo, server })?.status)
        const mine = savedByKey.get(key)
        if (changed.has(key)) {
          deepStrictEqual(verdict(is), verdict(was), 'a newer check was undone')
          if (mine !== undefined) deepStrictEqual(is?.['note'], mine['note'], 'a note on a newer check was lost')
        } else {
          deepStrictEqual(is === undefined, mine === undefined, 'a removal or an addition was undone')
          deepStrictEqual(verdict(is), verdict(mine), 'an edit was undone')
          deepStrictEqual(is?.['note'], mine?.['note'], 'a note was undone')
        }
      }
      deepStrictEqual(merged(result, saved(result)), result, 'saving what was served changes something')
      deepStrictEqual(merged(result, copy, opened), result, 'merging an edit again changes something')
    }),
    { numRuns: 500 },
  )
})

t.test('what is the very object of the origin is left alone, as what says the same is', async (t) => {
  const opened = posted(
    EMPTY_DOCUMENT,
    ...Array.from({ length: 6 }, (_, index) => snapshotOf({ server: `s${index}` }, [], at('10:30:00'))),
  ).document
  const present = posted(
    opened,
    snapshotOf({ server: 's1' }, ['x'], at('10:31:00')),
    snapshotOf({ server: 's6' }, [], at('10:31:30')),
  )
  const [first, second, , fourth, ...others] = opened.entries.map(({ status }) => status)
  if (first === undefined || second === undefined || fourth === undefined) throw new Error('no such entry')
  const statuses = [...others.toReversed(), second, { ...fourth, note: 'mine' }, { ...first, server: 'new' }, first]
  const copy = { ...saved(opened), statuses }
  const result = merged(present.document, copy, opened)
  t.same(result, merged(present.document, structuredClone(copy), opened))
  t.same(
    result.entries.map(({ status: { server, note } }) => [server, note]),
    [
      ['new', undefined],
      ['s0', undefined],
      ['s1', undefined],
      ['s3', 'mine'],
      ['s4', undefined],
      ['s5', undefined],
      ['s6', undefined],
    ],
  )
})

t.test('what is the very object of the origin costs next to nothing', async (t) => {
  const document = withThree()
  let looks = 0
  const seen = (status: Status): Status =>
    new Proxy(status, {
      get: (of, name, receiver) => {
        looks += 1
        return Reflect.get(of, name, receiver) as unknown
      },
    })
  const entries = document.entries.map((entry) => ({ ...entry, status: seen(entry.status) }))
  const statuses = entries.map(({ status }) => status)
  const origin = { ...document, entries }
  const draft = new Draft(document, CLOCK)
  atOnce(mergeEdit(draft, { saved: { ...saved(document), statuses }, origin, isRestore: false }))
  t.equal(draft.changed, false)
  t.equal(looks, 0)
})

t.test('a merge lets others work after each target that differs, is gone, or is gone back to', async (t) => {
  const document = withThree()
  const copy = saved(document)
  const noted = copy.statuses.map((status) => ({ ...status, note: 'n' }))
  for (const [statuses, isRestore] of [
    [noted, false],
    [[], false],
    [noted, true],
  ] as const) {
    const draft = new Draft(document, CLOCK)
    const steps = [...mergeEdit(draft, { saved: { ...copy, statuses: [...statuses] }, origin: document, isRestore })]
    t.equal(draft.targets.length, 3)
    t.ok(steps.length >= 3, `${steps.length} steps`)
  }
})

/** A document with three targets. */
function withThree(): StatusDocument {
  const others = [snapshotOf(B, [], at('10:32:00')), snapshotOf(C, [], at('10:31:00'))]
  return posted(EMPTY_DOCUMENT, DRIFTED, ...others).document
}

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

function verdict(status: SavedStatus | undefined): unknown {
  return status && [status.sync_status, status.drift_count, status.files.map(({ name }) => name), status.last_check]
}
