import t from 'tap'
import type { State } from '../../../src/status/schema.ts'
import { HistoryIndex } from '../../../src/store/history-index.ts'

t.test('the states of a target are in the order of time, also after a clock was set back', async (t) => {
  const index = new HistoryIndex()
  const add = (server: string, from: number, state: State | null): void =>
    index.add({ repo: 'rsyslog', server, time: from, period: { from, state } }, { from: 0, to: 1 })
  add('a', 10, 'synced')
  add('b', 15, 'synced')
  add('a', 30, 'drifted')
  add('a', 20, 'stale')
  add('a', 40, null)
  t.same(
    index.periods(({ server }) => server === 'a').map(({ repo, server, periods }) => ({ repo, server, periods })),
    [
      {
        repo: 'rsyslog',
        server: 'a',
        periods: [
          { from: 10, state: 'synced' },
          { from: 20, state: 'stale' },
          { from: 30, state: 'drifted' },
          { from: 40, state: null },
        ],
      },
    ],
  )
})
