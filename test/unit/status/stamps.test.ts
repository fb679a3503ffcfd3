import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import { EMPTY_DOCUMENT, committedDocument, entryOf, findEntry } from '../../../src/status/document.ts'
import { Draft } from '../../../src/status/draft.ts'
import { NO_RULES } from '../../../src/status/rules.ts'
import { type Status, stampProperties, statusSchema } from '../../../src/status/schema.ts'
import { STAMPS, type StampInput, nextChangeOf, stamped } from '../../../src/status/stamps.ts'
import { isStale } from '../../../src/status/states.ts'
import { formatTime } from '../../../src/status/time.ts'
import { atOnce } from '../../../src/steps.ts'
import { CLOCK, NOW, at, merged, posted, saved, statusOf } from '../../support/documents.ts'
import { DRIFTED } from '../../support/snapshots.ts'

const clockAfter = (ms: number) => ({ now: NOW + ms, staleAfter: 600 })

t.test('stale: by age, by the status’s own limit, and for a check in an impossible future', async (t) => {
  const status = { last_check: formatTime(NOW) }
  t.equal(isStale(status, clockAfter(600_000)), false)
  t.equal(isStale(status, clockAfter(600_001)), true)
  t.equal(isStale({ ...status, stale_after: 10 }, clockAfter(10_001)), true)
  t.equal(isStale(status, clockAfter(-5 * 60_000)), false)
  t.equal(isStale(status, clockAfter(-5 * 60_000 - 1)), true)
})

t.test('the next change of a stamp is the first moment at which it has another value', async () => {
  const before: Status = { ...statusOf(posted(EMPTY_DOCUMENT, DRIFTED).document), last_check: formatTime(NOW) }
  fc.assert(
    fc.property(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 1, max: 900 }), (seconds, staleAfter) => {
      const clock = { now: NOW + seconds * 1000, staleAfter }
      const at = (now: number): boolean => isStale(before, { now, staleAfter })
      const stale = at(clock.now)
      const status = { ...before, stale, state: stale ? ('stale' as const) : ('drifted' as const) }
      const next = nextChangeOf(status, clock, NO_RULES)
      if (next === Infinity) deepStrictEqual(at(clock.now + 1e12), at(clock.now))
      else {
        deepStrictEqual(at(next - 1), at(clock.now))
        deepStrictEqual(at(next), !at(clock.now))
      }
    }),
  )
})

t.test('of two servers that disagree only the one that says the worse changes a status of the other', async (t) => {
  const status: Status = { ...statusOf(posted(EMPTY_DOCUMENT, DRIFTED).document), last_check: formatTime(NOW) }
  const late = clockAfter(700_000)
  t.equal(
    entryOf({ ...status, stale: false, state: 'drifted' }, late, NO_RULES).changesAt,
    late.now,
    'overdue, and nobody has said so',
  )
  const worse = { ...status, stale: true, state: 'stale' } as const
  t.equal(entryOf(worse, clockAfter(0), NO_RULES).changesAt, Infinity, 'stale for the other server')
  const failed_check = { since: at('09:00:00'), at: at('09:00:00'), reason: 'unreachable' }
  const over = { ...worse, failed_check }
  t.equal(
    entryOf(over, { ...clockAfter(0), staleAfter: 86_400 }, NO_RULES).changesAt,
    Infinity,
    'its failure is over there',
  )
  t.ok(entryOf({ ...over, state: 'failing' }, clockAfter(0), NO_RULES).changesAt <= NOW, 'and is over here')
})

t.test('since: what a person sets counts; otherwise it is the check, or the moment of a change by hand', async (t) => {
  const before = statusOf(posted(EMPTY_DOCUMENT, DRIFTED).document)
  const synced = { ...before, sync_status: 'SYNCED' as const, drift_count: 0, files: [] }
  const later = { ...synced, last_check: at('10:40:00') }
  const clock = clockAfter(0)
  const sinceOf = (status: Status, origin: 'edit' | 'snapshot', old: Status | undefined = before): string =>
    stamped({ status, before: old, origin, clock, rules: NO_RULES, generation: 2 }).since
  t.equal(sinceOf(before, 'edit'), before.since)
  t.equal(sinceOf(synced, 'edit'), formatTime(NOW))
  t.equal(sinceOf(later, 'snapshot'), at('10:40:00'))
  t.equal(sinceOf({ ...before, since: at('09:00:00') }, 'edit'), at('09:00:00'))
  t.equal(sinceOf({ ...before, since: at('09:00:00') }, 'edit', undefined), at('09:00:00'))
})

t.test('stamps are in the order of the schema, and a stamp that a person invents does not count', async (t) => {
  const status = { ...DRIFTED, note: 'x', stale: true, generation: 77, files: [{ since: at('08:00:00'), name: 'a' }] }
  const input = {
    status: { ...status, drift_count: 1 },
    before: undefined,
    origin: 'edit',
    clock: CLOCK,
    rules: NO_RULES,
  } as const
  const result = stamped({ ...input, generation: 3 })
  const names = [
    'repo',
    'server',
    'state',
    'sync_status',
    'drift_count',
    'files',
    'last_check',
    'since',
    'stale',
    'generation',
  ]
  t.same(Object.keys(result), [...names, 'note'])
  t.match(result, { stale: false, generation: 3, files: [{ name: 'a', since: at('08:00:00') }] })
})

t.test('time stamps anew only what it has changed', async (t) => {
  const { document } = posted(EMPTY_DOCUMENT, DRIFTED, { ...DRIFTED, server: 'patient', stale_after: 3600 })
  const before = new Draft(document, clockAfter(598_000))
  atOnce(before.passTime())
  t.equal(before.changed, false)
  const draft = new Draft(document, clockAfter(601_000))
  atOnce(draft.passTime())
  const next = draft.finish()
  t.match(statusOf(next), { stale: true, generation: 2 })
  t.equal(findEntry(next, { repo: 'rsyslog', server: 'patient' })?.status.generation, 1)
  t.match([...draft.causes.values()], [{ origin: 'time' }])
})

t.test(
  'a committed document of an earlier start: what time has changed is due at once, and so is a new stamp',
  async (t) => {
    const copy = saved(posted(EMPTY_DOCUMENT, DRIFTED, { ...DRIFTED, server: 'patient', stale_after: 3600 }).document)
    const due = (clock: typeof CLOCK): string[] => {
      const draft = new Draft(committedDocument(copy, clock), clock)
      atOnce(draft.passTime())
      return [...draft.causes.keys()]
    }
    t.same(due(clockAfter(0)), [])
    t.same(due(clockAfter(700_000)), ['rsyslog\nrsyslog-lab'])
    // Here an earlier version did not know `since`.
    for (const status of copy.statuses) delete status.since
    t.equal(due(clockAfter(0)).length, 2)
  },
)

t.test('every stamp has its place in the file', async (t) => {
  const required: readonly string[] = statusSchema.required
  const optional = Object.keys(stampProperties).filter((name) => !required.includes(name))
  t.same(optional, ['accepted_until', 'accepted_reason'], 'only while it is accepted')
})

t.test(
  'a stamp that a person cannot set is not taken from a saved file, but from a document to go back to',
  async (t) => {
    const { compute } = STAMPS.generation
    // Stands for a stamp that cannot be computed again.
    Object.assign(STAMPS.generation, { compute: ({ status }: StampInput) => status.generation ?? 1 })
    t.teardown(() => Object.assign(STAMPS.generation, { compute }))
    const older = posted(EMPTY_DOCUMENT, DRIFTED).document
    const typed = saved(older)
    typed.statuses = typed.statuses.map((status) => ({ ...status, server: 'added', generation: 77 }))
    t.equal(merged(older, typed).entries[0]?.status.generation, 1)
    const removed = new Draft(older, CLOCK)
    removed.remove(DRIFTED, { origin: 'delete' })
    const back = committedDocument(
      { ...saved(older), statuses: saved(older).statuses.map((s) => ({ ...s, generation: 55 })) },
      CLOCK,
    )
    t.equal(statusOf(merged(removed.finish(), saved(back), back, true)).generation, 55)
  },
)
