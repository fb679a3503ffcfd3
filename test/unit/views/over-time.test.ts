import fc from 'fast-check'
import t from 'tap'
import { STATES, type State } from '../../../src/status/schema.ts'
import { type TargetPeriods, stretches } from '../../../src/status/periods.ts'
import { countsRows } from '../../../src/views/counts.ts'
import { reportRows } from '../../../src/views/report.ts'
import { type RepositoryTimelineRow, repositoryTimelineRows } from '../../../src/views/repository-timeline.ts'
import { timelineRows } from '../../../src/views/timeline.ts'

const HOUR = 3_600_000
const BEGIN = Date.parse('2026-11-01T00:00:00Z')
const at = (hours: number): number => BEGIN + hours * HOUR

/** A target whose states begin at these hours. */
function target(server: string, ...periods: [hours: number, state: State | null][]): TargetPeriods {
  return { repo: 'r', server, periods: periods.map(([hours, state]) => ({ from: at(hours), state })) }
}

// A history written by hand, with what a person makes of it.
const NIGHT = [
  target('always', [-5, 'synced']),
  target('drifts', [0, 'synced'], [6, 'drifted'], [9, 'accepted'], [12, 'synced']),
  target('new', [10, 'missing'], [11, 'synced'], [20, 'stale']),
  target('gone', [-1, 'drifted'], [3, null]),
  target('fails', [0, 'synced'], [1, 'failing'], [2, 'synced'], [2.5, 'synced']),
  target('later', [30, 'synced']),
]

const hours = (row: object): number[] =>
  ['seconds', 'synced_seconds', 'drifted_seconds', 'accepted_seconds', 'unknown_seconds'].map(
    (name) => Number(Reflect.get(row, name)) / 3600,
  )

t.test('the report of a history written by hand', async (t) => {
  const rows = reportRows(NIGHT, at(0), at(24), 100)
  t.same(
    rows.map((row) => [row.server, ...hours(row)]),
    [
      ['always', 24, 24, 0, 0, 0],
      ['drifts', 24, 18, 3, 3, 0],
      ['new', 24, 9, 0, 0, 15],
      ['gone', 24, 0, 3, 0, 21],
      ['fails', 24, 23, 0, 0, 1],
      ['later', 24, 0, 0, 0, 24],
    ],
  )
  t.match(rows[0], { from: '2026-11-01T00:00:00Z', to: '2026-11-02T00:00:00Z', synced_share: 1, unknown_share: 0 })
  t.match(rows[4], { synced_share: 0.9583, unknown_share: 0.0416 }, 'rounded down')
  t.same(reportRows(NIGHT, at(0), at(0), 100).at(0)?.synced_share, 0, 'no time at all')
  t.equal(reportRows(NIGHT, at(0), at(24), 2).length, 2)
})

t.test('property: the parts of a report are the whole, and unknown is never in sync', async (t) => {
  fc.assert(
    fc.property(periodsOf(), fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 50 }), (one, from, length) => {
      const [row] = reportRows([one], at(from), at(from + length), 1)
      if (row === undefined) return
      const {
        synced_seconds: synced,
        drifted_seconds: drifted,
        accepted_seconds: accepted,
        unknown_seconds: unknown,
      } = row
      t.equal(synced + drifted + accepted + unknown, row.seconds)
      const known = stretches(one, at(from), at(from + length)).filter(({ state }) => state === 'synced')
      t.ok(synced <= known.reduce((sum, part) => sum + part.to - part.from, 0) / 1000)
    }),
  )
})

t.test('property: the counts at a time are those of the periods that hold it', async (t) => {
  fc.assert(
    fc.property(fc.array(periodsOf(), { maxLength: 4 }), fc.integer({ min: 2, max: 9 }), (targets, points) => {
      const [from, to] = [at(3), at(40)]
      for (const [point, row] of countsRows(targets, from, to, points).entries()) {
        const now = from + (point * (to - from)) / (points - 1)
        for (const state of STATES) {
          const holding = targets.filter(
            ({ periods }) => periods.findLast((period) => period.from <= now)?.state === state,
          )
          t.equal(row[state], holding.length, `${state} at ${row.time}`)
        }
      }
    }),
  )
})

t.test('counts: the first and the last point are the ends of the range', async (t) => {
  const rows = countsRows(NIGHT, at(0), at(24), 3)
  t.same(
    rows.map(({ time, synced, drifted, stale }) => [time, synced, drifted, stale]),
    [
      ['2026-11-01T00:00:00Z', 3, 1, 0],
      ['2026-11-01T12:00:00Z', 4, 0, 0],
      ['2026-11-02T00:00:00Z', 3, 0, 1],
    ],
  )
  t.equal(countsRows(NIGHT, at(5), at(5), 2).length, 2, 'a range without length')
})

t.test('timeline: what is not in sync at the end first, then what changed last; one row a state', async (t) => {
  const rows = timelineRows(NIGHT, at(0), at(24), 100)
  t.same([...new Set(rows.map(({ server }) => server))], ['new', 'drifts', 'fails', 'always', 'gone'])
  t.same(
    rows.filter(({ server }) => server === 'fails').map(({ status, from, seconds }) => [status, from, seconds / 3600]),
    [
      ['in sync', '2026-11-01T00:00:00Z', 1],
      ['check failing', '2026-11-01T01:00:00Z', 1],
      ['in sync', '2026-11-01T02:00:00Z', 22],
    ],
    'two rows of the history in one state are one stretch',
  )
  t.same([...new Set(timelineRows(NIGHT, at(0), at(24), 2).map(({ server }) => server))], ['new', 'drifts'])
  t.match(rows[0], { target: 'r / new', repo: 'r', to: '2026-11-01T11:00:00Z' })
  const back = target('back', [0, 'synced'], [3, null], [5, 'synced'])
  t.same(
    timelineRows([back], at(0), at(24), 1).map(({ seconds }) => seconds / 3600),
    [3, 19],
    'a gap is not in sync',
  )
})

/** The rows of a timeline of repositories, in hours. */
const intervals = (rows: readonly RepositoryTimelineRow[]): unknown[] =>
  rows.map(({ repo, state, from, to, worst }) => [repo, state, hourOf(from), hourOf(to), worst])
const hourOf = (time: string): number => (Date.parse(time) - BEGIN) / HOUR

t.test('timeline of repositories: the worst of any target, joined, from the first target on, with gaps', async (t) => {
  const rows = repositoryTimelineRows(
    [
      target('a', [2, 'synced'], [4, 'failing'], [6, 'synced'], [12, null]),
      target('b', [2, 'synced'], [4, 'stale'], [5, 'failing'], [7, 'drifted'], [9, 'accepted'], [10, null]),
      target('c', [3, 'synced'], [8, 'drifted'], [9, 'synced'], [12, null], [14, 'synced']),
    ],
    at(0),
    at(15),
    1,
  )
  t.same(intervals(rows), [
    ['r', 'synced', 2, 4, 3],
    ['r', 'failing', 4, 7, 2],
    ['r', 'drifted', 7, 9, 2],
    ['r', 'accepted', 9, 10, 1],
    ['r', 'synced', 10, 12, 2],
    ['r', 'synced', 14, 15, 1],
  ])
  t.same(rows[1], {
    repo: 'r',
    state: 'failing',
    status: 'check failing',
    from: '2026-11-01T04:00:00Z',
    to: '2026-11-01T07:00:00Z',
    seconds: 3 * 3600,
    worst: 2,
  })
})

t.test('timeline of repositories: a drift of one second is an interval', async (t) => {
  const second = 1 / 3600
  const targets = [target('a', [0, 'synced']), target('b', [0, 'synced'], [6, 'drifted'], [6 + second, 'synced'])]
  t.same(
    repositoryTimelineRows(targets, at(0), at(24), 1).map(({ state, from, seconds }) => [state, from, seconds]),
    [
      ['synced', '2026-11-01T00:00:00Z', 6 * 3600],
      ['drifted', '2026-11-01T06:00:00Z', 1],
      ['synced', '2026-11-01T06:00:01Z', 18 * 3600 - 1],
    ],
  )
})

t.test(
  'timeline of repositories: the worst at the end first, then what changed last; a limit of repositories',
  async (t) => {
    const targets = [
      { ...target('a', [-5, 'synced']), repo: 'always' },
      { ...target('a', [0, 'synced'], [6, 'drifted'], [9, 'synced']), repo: 'drifted' },
      { ...target('a', [0, 'drifted'], [23, null]), repo: 'gone' },
      { ...target('a', [0, 'synced'], [20, 'stale']), repo: 'late' },
      { ...target('a', [30, 'drifted']), repo: 'later' },
      { ...target('a', [0, 'synced']), repo: 'fails' },
      { ...target('b', [0, 'synced'], [1, 'failing']), repo: 'fails' },
    ]
    const shown = (limit: number): string[] => [
      ...new Set(repositoryTimelineRows(targets, at(0), at(24), limit).map(({ repo }) => repo)),
    ]
    t.same(shown(100), ['fails', 'late', 'drifted', 'always', 'gone'])
    t.same(shown(2), ['fails', 'late'])
    t.equal(repositoryTimelineRows(targets, at(0), at(24), 2).length, 4, 'all the intervals of two repositories')
  },
)

t.test('property: at each time a repository is in the worst state of its targets, in joined intervals', async (t) => {
  const targetsOf = fc.array(fc.tuple(fc.constantFrom('a', 'b'), periodsOf()), { maxLength: 6 })
  fc.assert(
    fc.property(
      targetsOf.map((list) => list.map(([repo, one]) => ({ ...one, repo }))),
      fc.integer({ min: 0, max: 24 }),
      fc.integer({ min: 0, max: 30 }),
      (targets, from, length) => {
        const rows = repositoryTimelineRows(targets, at(from), at(from + length), 2)
        // All changes are at whole hours: the middles of the hours are all that there is to see.
        const samples = Array.from({ length: 60 }, (_, hour) => hour + 0.5)
        for (const repo of ['a', 'b']) {
          const own = rows.filter((row) => row.repo === repo)
          const holds = (row: RepositoryTimelineRow, hour: number): boolean =>
            hourOf(row.from) <= hour && hour < hourOf(row.to)
          const statesAt = (hour: number): (State | null | undefined)[] =>
            targets
              .filter((one) => one.repo === repo && from <= hour && hour < from + length)
              .map(({ periods }) => periods.findLast((period) => period.from <= at(hour))?.state)
          t.same(
            samples.map((hour) => own.filter((row) => holds(row, hour)).map(({ state }) => state)),
            samples.map((hour) => STATES.filter((state) => statesAt(hour).includes(state)).slice(0, 1)),
          )
          for (const [index, row] of own.entries()) {
            const within = samples.filter((hour) => holds(row, hour))
            const counts = within.map((hour) => statesAt(hour).filter((state) => state === row.state).length)
            const next = own[index + 1]
            t.equal(row.worst, Math.max(...counts))
            t.equal(row.seconds, within.length * 3600)
            t.notOk(next?.from === row.to && next.state === row.state, 'joined')
          }
        }
      },
    ),
  )
})

/** A target with periods in the order of time. */
function periodsOf(): fc.Arbitrary<TargetPeriods> {
  return fc
    .array(fc.tuple(fc.integer({ min: 0, max: 48 }), fc.constantFrom(...STATES, null)), { maxLength: 6 })
    .map((list) => target('s', ...list.toSorted(([one], [other]) => one - other)))
}
