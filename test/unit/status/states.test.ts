import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import { EMPTY_DOCUMENT } from '../../../src/status/document.ts'
import { Draft } from '../../../src/status/draft.ts'
import { NO_RULES } from '../../../src/status/rules.ts'
import type { Snapshot, Status } from '../../../src/status/schema.ts'
import { nextChangeOf, stamped } from '../../../src/status/stamps.ts'
import { summaryOf, verdictOf } from '../../../src/status/states.ts'
import { formatTime } from '../../../src/status/time.ts'
import { CLOCK, NOW, posted, statusOf } from '../../support/documents.ts'
import { snapshotOf } from '../../support/snapshots.ts'

const AGO = (seconds: number): string => formatTime(NOW - seconds * 1000)

const snapshot = (files: readonly string[], lastCheck: string): Snapshot => snapshotOf({}, files, lastCheck)

const failure = (attempted_at: string, check_failed = 'unreachable'): object => {
  const { repo, server } = snapshot([], attempted_at)
  return { repo, server, check_failed, attempted_at }
}

/** The entry after some reports, each posted by itself. */
function after(...reports: readonly object[]): Status {
  let document = EMPTY_DOCUMENT
  for (const report of reports) document = posted(document, report).document
  return statusOf(document)
}

t.test('the state of a target, the first that applies', async (t) => {
  t.equal(after(snapshot([], AGO(10))).state, 'synced')
  t.equal(after(snapshot(['a'], AGO(10))).state, 'drifted')
  t.equal(after(snapshot([], AGO(700))).state, 'stale')
  t.equal(after(snapshot(['a'], AGO(700))).state, 'stale', 'nobody knows whether it is still drifted')
  t.equal(after(snapshot([], AGO(10)), failure(AGO(5))).state, 'failing')
  t.equal(after(snapshot(['a'], AGO(700)), failure(AGO(5))).state, 'failing')
  t.equal(after(failure(AGO(5))).state, 'failing')
  t.equal(after(failure(AGO(700))).state, 'missing', 'the failure says nothing of today')
  t.equal(after(snapshot(['a'], AGO(900)), failure(AGO(700))).state, 'stale')
})

t.test('a failed check leaves the verdict and its times as they were', async (t) => {
  const checked = snapshot(['a'], AGO(100))
  const before = after(checked)
  const status = after(checked, failure(AGO(50), 'first'), failure(AGO(20), 'second'))
  const { failed_check: failed, state, generation, ...verdict } = status
  t.same(failed, { since: AGO(50), at: AGO(20), reason: 'second' })
  t.same({ ...verdict, state: before.state, generation: before.generation }, before)
  t.match([state, generation], ['failing', 3])
})

t.test('failed checks and checks in any order of arrival: the newest counts', async (t) => {
  const late = posted(posted(EMPTY_DOCUMENT, snapshot([], AGO(10))).document, failure(AGO(20)))
  t.match(late.receipts, [{ result: 'ignored', reason: /attempted_at is not newer than last_check/ }])
  t.equal(late.draft.changed, false)
  t.equal(after(snapshot([], AGO(10)), failure(AGO(10))).failed_check, undefined, 'at the same time the check counts')

  t.equal(after(failure(AGO(20)), snapshot([], AGO(10))).failed_check, undefined, 'the next check ends it')
  t.equal(after(failure(AGO(20)), snapshot([], AGO(20))).failed_check, undefined)
  const earlier = after(failure(AGO(30)), failure(AGO(10), 'newest'), snapshot([], AGO(20)))
  t.match(earlier, { state: 'failing', failed_check: { since: AGO(10), at: AGO(10), reason: 'newest' } })
  const lateFailure = after(failure(AGO(10), 'newest'), failure(AGO(30), 'older'))
  t.match(lateFailure, { failed_check: { since: AGO(30), at: AGO(10), reason: 'newest' } })
})

t.test('a target that was never checked has no verdict, and its first check is one', async (t) => {
  const never = after(failure(AGO(20)))
  t.match(never, { sync_status: null, drift_count: 0, files: [], last_check: null, since: AGO(20), stale: true })
  t.match(after(failure(AGO(20)), snapshot(['a'], AGO(10))), {
    state: 'drifted',
    sync_status: 'OUT_OF_SYNC',
    since: AGO(10),
    last_check: AGO(10),
    stale: false,
  })
})

t.test('a failed check has its own properties and those of CI', async (t) => {
  const more = { pipeline_url: 'https://ci.example.net/8', stale_after: 30, owner: 'team-a' }
  t.match(after({ ...failure(AGO(40)), ...more }), {
    state: 'missing',
    failed_check: { pipeline_url: 'https://ci.example.net/8' },
    stale_after: 30,
    owner: 'team-a',
  })
  t.notOk('pipeline_url' in after({ ...failure(AGO(5)), ...more }), 'the address of a check that was not completed')
  t.equal(after({ ...snapshot([], AGO(5)), failed_check: 'invented', state: 'drifted' }).failed_check, undefined)
})

t.test('the next change of the state is the first moment at which it has another value', async () => {
  const seconds = fc.integer({ min: -1000, max: 1000 })
  const check = fc.option(seconds, { nil: null })
  fc.assert(
    fc.property(check, check, fc.integer({ min: 1, max: 900 }), (checked, failed, staleAfter) => {
      const base = checked === null ? after(failure(AGO(0))) : after(snapshot(['a'], AGO(0)))
      const failed_check =
        failed === null ? {} : { failed_check: { since: AGO(-failed), at: AGO(-failed), reason: 'x' } }
      const { failed_check: former, ...others } = base
      const status = {
        ...(former === undefined ? base : others),
        ...failed_check,
        last_check: checked === null ? null : AGO(-checked),
      }
      const clock = { now: NOW, staleAfter }
      const now = stamped({ status, before: undefined, origin: 'edit', clock, rules: NO_RULES, generation: 1 })
      // A time in the future is what a person has typed; time alone never begins a failing state.
      fc.pre((failed ?? 0) <= 0 && (checked ?? 0) <= 0)
      const next = nextChangeOf(now, clock, NO_RULES)
      const at = (ms: number): string => verdictOf(now, { now: ms, staleAfter }, NO_RULES).state
      if (next === Infinity) deepStrictEqual(at(NOW + 1e12), now.state)
      else deepStrictEqual(at(next - 1), now.state)
    }),
  )
})

t.test('the summary counts each state and names the worst', async (t) => {
  t.match(summaryOf([]), { state: 'empty', targets: 0, drifted: 0 })
  const states = ['synced', 'stale', 'missing', 'failing', 'drifted'] as const
  for (const [index, state] of states.entries()) {
    const statuses = states.slice(0, index + 1).map((each) => ({ state: each }))
    t.match(summaryOf(statuses), { state, targets: index + 1, synced: 1, [state]: 1 })
  }
})

t.test('time flips states and the summary', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, snapshot([], AGO(0)), { ...failure(AGO(0)), server: 'never' })
  t.match(document.summary, { state: 'failing', targets: 2, failing: 1, synced: 1 })
  const draft = new Draft(document, { ...CLOCK, now: NOW + 601_000 })
  t.equal([...draft.passTime()].length, 2, 'others can work after each')
  t.match(draft.finish().summary, { state: 'missing', targets: 2, missing: 1, stale: 1, failing: 0, synced: 0 })
})
