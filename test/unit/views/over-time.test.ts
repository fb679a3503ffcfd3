import fc from 'fast-check'
import t from 'tap'
import { STATES, type State } from '../../../src/status/schema.ts'
import { type TargetPeriods, stretches } from '../../../src/status/periods.ts'
import { countsRows } from '../../../src/views/counts.ts'
import { reportRows } from '../../../src/views/report.ts'
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
})

/** A target with periods in the order of time. */
function periodsOf(): fc.Arbitrary<TargetPeriods> {
  return fc
    .array(fc.tuple(fc.integer({ min: 0, max: 48 }), fc.constantFrom(...STATES, null)), { maxLength: 6 })
    .map((list) => target('s', ...list.toSorted(([one], [other]) => one - other)))
}
