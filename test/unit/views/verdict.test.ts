import fc from 'fast-check'
import t from 'tap'
import { STATES, type State } from '../../../src/status/schema.ts'
import { type Judged, verdict, verdictText } from '../../../src/views/verdict.ts'

const NOW = Date.parse('2026-04-21T10:32:16Z')
const MINUTE = 60_000
const of = (state: State, repo = 'rsyslog', minutes = 200, checked: number | undefined = 1): Judged => ({
  repo,
  state,
  since: NOW - minutes * MINUTE,
  lastCheck: checked === undefined ? undefined : NOW - checked * MINUTE,
})
const said = (...targets: Judged[]): string => verdictText(verdict(targets)(NOW))

t.test('the verdict says what is wrong, what is new, and who is silent', async (t) => {
  t.equal(said(), 'There are no targets.')
  t.equal(said(of('synced')), '1 target is in sync.')
  t.equal(said(of('synced'), of('synced')), 'All 2 targets are in sync.')
  t.equal(said(of('drifted', 'a', 3)), '1 target is out of sync (1 new, 3 min ago).')
  t.equal(
    said(of('drifted', 'a', 3), of('drifted', 'a', 500), of('synced')),
    '2 targets are out of sync (1 new, 3 min ago). 1 target is in sync.',
  )
  t.equal(said(of('drifted', 'a', 300), of('drifted', 'a', 5000)), '2 targets are out of sync (newest 5 h ago).')
  t.equal(said(of('failing', 'a')), 'The check of 1 target fails (a).')
  t.equal(
    said(of('failing', 'a'), of('failing', 'b'), of('failing', 'c')),
    'The checks of 3 targets fail (3 repositories).',
  )
  t.equal(said(of('missing', 'a', 1, undefined)), '1 target was never checked (a).')
  t.equal(said(of('accepted')), '1 target is accepted.')
})

t.test('a repository of which nothing is known any more is named as silent', async (t) => {
  t.equal(
    said(of('stale', 'a', 1, 300), of('stale', 'a', 1, 400), of('synced', 'b')),
    'a has not reported for 5 h: 2 targets. 1 target is in sync.',
  )
  t.equal(said(of('stale', 'a', 1, 300), of('synced', 'a')), '1 target is stale. 1 target is in sync.')
  t.equal(
    said(...['a', 'b', 'c'].map((repo) => of('stale', repo, 1, 2000))),
    '3 repositories have not reported for 1 d: 3 targets.',
  )
  t.equal(
    said(of('stale', 'a', 1, 300), of('missing', 'a', 1, undefined)),
    '1 target was never checked (a). a has not reported for 5 h: 1 target.',
  )
})

t.test(
  'whatever the targets: each state is spoken of, the worst first, and nothing is good unless all is',
  async (t) => {
    const anyTarget = fc.record({
      repo: fc.constantFrom('a', 'b', 'c', 'd'),
      state: fc.constantFrom(...STATES),
      since: fc.option(fc.integer({ min: NOW - 10 ** 9, max: NOW + 10 ** 6 }), { nil: undefined }),
      lastCheck: fc.option(fc.integer({ min: NOW - 10 ** 9, max: NOW }), { nil: undefined }),
    })
    fc.assert(
      fc.property(fc.array(anyTarget, { minLength: 1, maxLength: 30 }), (targets) => {
        const sentences = verdict(targets)(NOW)
        const states = STATES.filter((state) => targets.some((each) => each.state === state))
        const spoken = [...new Set(sentences.map(({ state }) => state))]
        const isAll = verdictText(sentences).startsWith('All ')
        return (
          spoken.join() === states.join() &&
          isAll === (targets.length > 1 && targets.every(({ state }) => state === 'synced')) &&
          !/undefined|NaN/.test(verdictText(sentences))
        )
      }),
    )
    t.pass('in every case')
  },
)
