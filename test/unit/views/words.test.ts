import t from 'tap'
import type { State } from '../../../src/status/schema.ts'
import { summaryOf } from '../../../src/status/states.ts'
import { differencesByName, differencesInWords, countsInWords } from '../../../src/views/words.ts'

const other = (name: string) => ({ name, kind: 'other' as const })
const counts = (...states: State[]) => countsInWords(summaryOf(states.map((state) => ({ state }))))

t.test('differences: files are counted, others are named while they are few', async (t) => {
  const file = { name: 'a.conf' }
  t.equal(differencesInWords([]), '')
  t.equal(differencesInWords([file]), '1 file')
  t.equal(differencesInWords([file, { ...file, kind: 'file' }, other('service rsyslog')]), '2 files, service rsyslog')
  t.equal(differencesInWords([other('service rsyslog'), other('package nginx')]), 'service rsyslog, package nginx')
  t.equal(differencesInWords([file, other('a'), other('b'), other('c')]), '1 file, 3 other differences')
})

const named = (...names: string[]): string => differencesByName(names.map((name) => ({ name })))

t.test('differences: the first three are named, more are counted', async (t) => {
  t.equal(named(), '')
  t.equal(named('a', 'b c', 'd'), 'a, b c, d')
  t.equal(named('a', 'b', 'c', 'd', 'e'), 'a, b, c and 2 more')
})

t.test('the counts name every state that is there, the worst first, and are good only if all is', async (t) => {
  t.equal(counts(), 'There are no targets.')
  t.equal(counts('synced'), '1 target is in sync.')
  t.equal(counts('synced', 'synced'), 'All 2 targets are in sync.')
  t.equal(counts('accepted'), '1 target: 1 accepted.')
  t.equal(
    counts('synced', 'drifted', 'stale', 'missing', 'failing', 'accepted', 'synced'),
    '7 targets: 1 out of sync, 1 check failing, 1 never checked, 1 stale, 1 accepted, 2 in sync.',
  )
})
