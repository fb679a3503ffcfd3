import fc from 'fast-check'
import t from 'tap'
import { committedDocument, EMPTY_DOCUMENT, type StatusDocument, findEntry } from '../../../src/status/document.ts'
import { Draft } from '../../../src/status/draft.ts'
import { applyChanges, changesBetween } from '../../../src/status/changes.ts'
import { entryOf } from '../../../src/status/document.ts'
import { includesGlob, matchesGlob } from '../../../src/status/glob.ts'
import { readDocument } from '../../../src/status/saved-document.ts'
import type { AcceptedRule, SavedDocument } from '../../../src/status/schema.ts'
import { type Clock, formatTime } from '../../../src/status/time.ts'
import { atOnce } from '../../../src/steps.ts'
import { CLOCK, NOW, merged, posted, saved, statusOf } from '../../support/documents.ts'
import { snapshotOf } from '../../support/snapshots.ts'

const IN = (seconds: number): string => formatTime(NOW + seconds * 1000)
const A = { repo: 'rsyslog', server: 'a' }
const failure = { ...A, check_failed: 'unreachable', attempted_at: IN(-5) }

const rule = (more: Partial<AcceptedRule>): AcceptedRule => ({ until: IN(300), reason: 'ticket 1', ...more })

const list = (...rules: (AcceptedRule | undefined)[]): AcceptedRule[] => rules.flatMap((each) => each ?? [])

/** The document after somebody has saved it with other properties at the top. */
function edited(document: StatusDocument, head: Partial<SavedDocument>): StatusDocument {
  return merged(document, { ...saved(document), ...head })
}

/** The document after some time. */
function later(document: StatusDocument, seconds: number): StatusDocument {
  const draft = new Draft(document, { ...CLOCK, now: NOW + seconds * 1000 })
  atOnce(draft.passTime())
  return draft.changed ? draft.finish() : document
}

function drifted(...files: string[]): StatusDocument {
  return posted(EMPTY_DOCUMENT, snapshotOf(A, files, IN(-10))).document
}

t.test('drift is accepted while rules cover every file, and not a file less', async (t) => {
  const document = drifted('a.conf', 'b.d/c.conf')
  const stateWith = (...accepted: AcceptedRule[]): string => statusOf(edited(document, { accepted }), A).state
  t.equal(stateWith(rule({})), 'accepted')
  t.equal(stateWith(rule({ repo: 'rsys*', server: '?', file: '*.conf' })), 'accepted')
  t.equal(stateWith(rule({ file: 'a.conf' })), 'drifted')
  t.equal(stateWith(rule({ file: 'a.conf' }), rule({ file: 'b.d/*' })), 'accepted')
  t.equal(stateWith(rule({ server: 'b' })), 'drifted')
  t.equal(stateWith(rule({ repo: 'nginx' })), 'drifted')
  t.equal(stateWith(rule({ until: IN(0) })), 'drifted', 'it has ended')
  t.equal(stateWith(rule({ from: IN(10) })), 'drifted', 'it has not begun')
  t.match(edited(document, { accepted: [rule({})] }).summary, { state: 'accepted', accepted: 1, drifted: 0 })
})

t.test('the entry says until when, and why: the rule whose end is felt first', async (t) => {
  const document = drifted('a', 'b')
  const accepted = [
    rule({ file: 'a', until: IN(100), reason: 'short' }),
    rule({ file: 'a', until: IN(400), reason: 'longer' }),
    rule({ file: 'b', until: IN(200), reason: 'first' }),
  ]
  const covered = edited(document, { accepted })
  t.match(statusOf(covered, A), { accepted_until: IN(200), accepted_reason: 'first', sync_status: 'OUT_OF_SYNC' })
  const ended = statusOf(later(covered, 200), A)
  t.match(ended, { state: 'drifted', sync_status: 'OUT_OF_SYNC' })
  t.notOk('accepted_until' in ended || 'accepted_reason' in ended)
  const { changesAt } = covered.entries[0] ?? {}
  t.equal(changesAt, NOW + 200_000)
})

t.test('a rule begins by itself, and a later one takes over', async (t) => {
  const document = edited(drifted('a'), {
    accepted: [rule({ until: IN(100) }), rule({ from: IN(50), until: IN(200) })],
  })
  t.match(statusOf(document, A), { state: 'accepted', accepted_until: IN(100) })
  const second = later(document, 50)
  t.match(statusOf(second, A), { state: 'accepted', accepted_until: IN(200) })
  t.equal(statusOf(later(second, 199), A).state, 'accepted')
  t.equal(statusOf(later(second, 200), A).state, 'drifted')
  const future = edited(drifted('a'), { accepted: [rule({ from: IN(50) })] })
  t.match(
    [49, 50].map((seconds) => statusOf(later(future, seconds), A).state),
    ['drifted', 'accepted'],
  )
})

t.test(
  'maintenance covers what is stale or failing too, and nothing that is in sync or was never checked',
  async (t) => {
    const window = rule({ stale: true, until: IN(5000) })
    const synced = posted(EMPTY_DOCUMENT, snapshotOf(A, [], IN(-10))).document
    const states = (document: StatusDocument, accepted: AcceptedRule[], seconds = 0): string =>
      statusOf(later(edited(document, { accepted }), seconds), A).state
    t.equal(states(synced, [window]), 'synced')
    t.equal(states(synced, [window], 700), 'accepted')
    t.equal(states(synced, [rule({ until: IN(5000) })], 700), 'stale', 'only a window covers it')
    t.equal(states(posted(synced, failure).document, [window]), 'accepted')
    t.equal(states(posted(EMPTY_DOCUMENT, failure).document, [window]), 'accepted')
    t.equal(states(posted(EMPTY_DOCUMENT, failure).document, [window], 700), 'missing')
    t.equal(states(drifted('a', 'b'), [{ ...window, file: 'a' }], 700), 'stale', 'b was not accepted')
    t.equal(
      statusOf(later(edited(posted(synced, failure).document, { accepted: [rule({ stale: true })] }), 300), A).state,
      'failing',
    )
  },
)

t.test('a snapshot is judged by the rules, and what it adds is not covered', async (t) => {
  const document = edited(drifted('a'), { accepted: [rule({ file: 'a' })] })
  t.equal(statusOf(posted(document, snapshotOf(A, ['a', 'b'], IN(-1))).document, A).state, 'drifted')
  const other = posted(document, { ...snapshotOf(A, [], IN(-1)), accepted_until: IN(900), state: 'accepted' })
  t.equal(statusOf(other.document, A).state, 'synced')
  t.notOk('accepted_until' in statusOf(other.document, A), 'nobody can post that it is accepted')
})

t.test('an ended rule stays as it is written, and its end is noted once', async (t) => {
  const accepted = [rule({ until: IN(100) }), rule({ until: IN(-5), reason: 'long ago' })]
  const document = edited(EMPTY_DOCUMENT, { accepted })
  t.equal(document.changesAt, NOW + 100_000)
  const draft = new Draft(document, { ...CLOCK, now: NOW + 100_000 })
  atOnce(draft.passTime())
  t.same(draft.ended, [{ rule: accepted[0] }])
  t.ok(draft.changed, 'a commit says so, although no target changes')
  const next = draft.finish()
  t.same(next.head['accepted'], accepted)
  t.same(new Draft(next, { ...CLOCK, now: NOW + 100_500 }).ended, [])
  t.equal(next.changesAt, Infinity)
  const restarted = committedDocument(saved(document), { ...CLOCK, now: NOW + 900_000 })
  t.ok(restarted.changesAt <= NOW + 900_000, 'also if no server ran then')
})

t.test('a clock that jumps by a day, in both directions', async (t) => {
  const day = 86_400
  const document = edited(drifted('a'), {
    accepted: [rule({ until: IN(300) })],
    expected: [{ repo: 'r', servers: ['b'] }],
  })
  const ahead = later(document, day)
  t.match(statusOf(ahead, A), { state: 'stale' })
  const back = committedDocument(saved(ahead), CLOCK)
  t.match(statusOf(later(back, 0), A), { state: 'accepted', accepted_until: IN(300) }, 'as after a start')
  const behind = later(edited(document, { note: 'x' }), -day)
  t.match(statusOf(behind, A), { state: 'accepted' })
  t.equal(statusOf(behind, { repo: 'r', server: 'b' }).state, 'missing')
  t.match(
    readDocument(Buffer.from(JSON.stringify(saved(document))), NOW - day),
    { ok: true },
    'its rules are still valid',
  )
  const farthest = edited(document, { accepted: [rule({ until: IN(366 * day) })] })
  t.match(readDocument(Buffer.from(JSON.stringify(saved(farthest))), NOW - day), { ok: true })
})

t.test('an expected target is missing until it reports, and leaves when it is no longer expected', async (t) => {
  const expected = [{ repo: 'rsyslog', servers: ['a', 'b'] }]
  const document = edited(drifted('x'), { expected })
  t.equal(statusOf(document, A).state, 'drifted')
  const B = { ...A, server: 'b' }
  t.match(statusOf(document, B), {
    state: 'missing',
    sync_status: null,
    drift_count: 0,
    files: [],
    last_check: null,
    since: IN(0),
  })
  const failed = posted(document, { ...failure, server: 'b' }).document
  t.equal(statusOf(failed, B).state, 'failing')
  t.ok(findEntry(edited(failed, { expected: [] }), B), 'a failed check was reported')
  t.notOk(findEntry(edited(document, { expected: [] }), B))
  t.ok(findEntry(edited(document, { expected: [] }), A))
  const reported = posted(document, snapshotOf(B, [], IN(-1))).document
  t.equal(statusOf(reported, B).state, 'synced')
  const draft = new Draft(reported, CLOCK)
  draft.remove(B, { origin: 'delete' })
  t.match(statusOf(draft.finish(), B), { state: 'missing', last_check: null }, 'it is still expected')
  const without = { ...saved(document), statuses: [] }
  t.equal(statusOf(merged(document, without), B).state, 'missing', 'its entry cannot be removed alone')
})

t.test('an expected target without an entry is added, whoever has committed the document', async (t) => {
  const written = { ...saved(drifted('x')), expected: [{ repo: 'rsyslog', servers: ['b'] }] }
  const document = committedDocument(written, CLOCK)
  t.ok(document.changesAt <= NOW)
  t.equal(statusOf(later(document, 1), { ...A, server: 'b' }).state, 'missing')
})

t.test('rules that two people and a program have written at once are all there', async (t) => {
  const [one, two, three, four] = [1, 2, 3, 4].map((number) => rule({ reason: `ticket ${number}` }))
  const base = edited(EMPTY_DOCUMENT, {
    accepted: list(one, two),
    expected: [{ repo: 'r', servers: ['a', 'b'] }],
  })
  const now = edited(base, { accepted: list(one, two, three), expected: [{ repo: 'r', servers: ['a', 'b', 'c'] }] })
  const copy = { ...saved(base), accepted: list(two, four), expected: [{ repo: 'r', servers: ['b', 'd'] }] }
  const result = merged(now, copy, base)
  t.same(result.head['accepted'], list(two, four, three))
  t.same(result.head['expected'], [{ repo: 'r', servers: ['b', 'd', 'c'] }])
})

t.test('what one server commits another one flips at the same moment', async () => {
  const seconds = fc.integer({ min: -50, max: 1500 })
  const anyRule = fc.record(
    {
      until: seconds.map(IN),
      reason: fc.constant('x'),
      from: seconds.map(IN),
      file: fc.constantFrom('a', 'b', '*'),
      server: fc.constantFrom('a', '*', 'z'),
      stale: fc.boolean(),
    },
    { requiredKeys: ['until', 'reason'] },
  )
  fc.assert(
    fc.property(
      fc.array(anyRule, { maxLength: 5 }),
      fc.option(fc.subarray(['a', 'b'])),
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 6 }),
      (accepted, files, isFailing, steps) => {
        const before = posted(
          EMPTY_DOCUMENT,
          ...(files === null ? [failure] : [snapshotOf(A, files, IN(-10))]),
          ...(isFailing ? [failure] : []),
        ).document
        const after = edited(before, { accepted })
        let [own, peer] = [after, applyChanges(before, [changesBetween(before, after)], CLOCK, entryOf)]
        let now = 0
        for (const step of steps) {
          now += step
          const clock: Clock = { ...CLOCK, now: NOW + now * 1000 }
          own = later(own, now)
          peer = later(peer, now)
          // What would be stamped if the document were made at this moment.
          const fresh = later(committedDocument(saved(own), clock), now)
          if (JSON.stringify(saved(own)) !== JSON.stringify(saved(peer))) return false
          if (JSON.stringify(saved(fresh)) !== JSON.stringify(saved(own))) return false
        }
        return true
      },
    ),
    { numRuns: 500 },
  )
})

t.test('a scope includes a glob only if it includes all that the glob matches', async (t) => {
  for (const [scope, glob, isIncluded] of [
    ['*', 'web-*', true],
    ['web-*', 'web-*', true],
    ['web-*', 'web-1?', true],
    ['web-*', '*', false],
    ['web-?', 'web-*', false],
    ['web-?', 'web-?', true],
    ['web-1', 'web-?', false],
    ['web-1', 'web-1', true],
  ] as const) {
    t.equal(includesGlob(scope, glob), isIncluded, `${scope} ${glob}`)
  }
  const piece = fc.array(fc.constantFrom('a', 'b', '*', '?'), { maxLength: 6 }).map((each) => each.join(''))
  const text = fc.array(fc.constantFrom('a', 'b'), { maxLength: 6 }).map((each) => each.join(''))
  fc.assert(
    fc.property(piece, piece, text, (scope, glob, name) => {
      return !(includesGlob(scope, glob) && matchesGlob(glob, name)) || matchesGlob(scope, name)
    }),
    { numRuns: 5000 },
  )
})
