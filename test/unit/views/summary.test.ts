import t from 'tap'
import type { State } from '../../../src/status/schema.ts'
import { formatTime } from '../../../src/status/time.ts'
import { atOnce } from '../../../src/steps.ts'
import { summarize } from '../../../src/views/summary.ts'

const NOW = Date.parse('2026-04-21T10:32:16.500Z')

/** A target in a state since some seconds, last checked some seconds ago. */
const target = (state: State, since: number, check: number | null) => ({
  repo: 'rsyslog',
  state,
  since: formatTime(NOW - since * 1000),
  last_check: check === null ? null : formatTime(NOW - check * 1000),
})

t.test('the counts, the longest drift, the newest check and the verdict', async (t) => {
  const statuses = [target('drifted', 60, 30), target('drifted', 900, 20), target('synced', 5000, 10)]
  t.same(atOnce(summarize(statuses, NOW))(NOW), {
    state: 'drifted',
    targets: 3,
    drifted: 2,
    failing: 0,
    missing: 0,
    stale: 0,
    accepted: 0,
    synced: 1,
    longest_drift_seconds: 900,
    newest_check_seconds: 10,
    verdict: '2 targets are out of sync (2 new, 1 min ago). 1 target is in sync.',
  })
})

t.test('without drift or checks there is no age', async (t) => {
  const none = { longest_drift_seconds: null, newest_check_seconds: null }
  t.match(atOnce(summarize([], NOW))(NOW), { ...none, state: 'empty', targets: 0, verdict: 'There are no targets.' })
  t.match(atOnce(summarize([target('missing', 60, null)], NOW))(NOW), none)
  t.match(atOnce(summarize([target('accepted', 60, 5), target('stale', 60, 50)], NOW))(NOW), {
    longest_drift_seconds: null,
    newest_check_seconds: 5,
  })
})

t.test('a clock that is ahead makes no negative age, an impossible future no fresh check', async (t) => {
  t.match(atOnce(summarize([target('drifted', -30, -30)], NOW))(NOW), {
    longest_drift_seconds: 0,
    newest_check_seconds: 0,
  })
  t.match(atOnce(summarize([target('stale', 60, -301), target('stale', 60, 900)], NOW))(NOW), {
    newest_check_seconds: 900,
  })
  t.match(atOnce(summarize([target('stale', 60, -301)], NOW))(NOW), { newest_check_seconds: null })
})
