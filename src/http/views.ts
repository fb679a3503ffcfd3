import type { RequestHandler } from 'express'
import { historyRowSchema } from '../status/history.ts'
import type { Clock } from '../status/time.ts'
import type { Store } from '../store/store.ts'
import type { At } from '../views/ages.ts'
import { countsRowSchema, countsRows } from '../views/counts.ts'
import { fileRowSchema, fileRows, fileSumSchema, fileSums } from '../views/files.ts'
import { NAME_KINDS, nameRowSchema, nameRows } from '../views/name-list.ts'
import { reportRowSchema, reportRows } from '../views/report.ts'
import { repositoryRowSchema, repositoryRows } from '../views/repositories.ts'
import { repositoryTimelineRowSchema, repositoryTimelineRows } from '../views/repository-timeline.ts'
import { TARGET_ORDERS, targetRowSchema, targetRows } from '../views/targets.ts'
import { timelineRowSchema, timelineRows } from '../views/timeline.ts'
import { type Row, toCsv } from './csv.ts'
import { matching } from './filter.ts'
import { JSON_HEADERS } from './headers.ts'
import { Prepared } from './prepared.ts'
import { type Asked, type Count, FORMAT, type Parameters, readQuery } from './view-query.ts'

type Views = Pick<Store, 'published' | 'periods' | 'history'>

interface RowSchema {
  readonly title: string
  readonly properties: Readonly<Record<string, object>>
}

/** A read-only answer of flat rows, small whatever the size of the fleet. */
export interface View extends Parameters {
  readonly path: string
  readonly operationId: string
  readonly summary: string
  readonly description: string
  /** The schema of a row, by the value of `by` if there is that parameter. */
  readonly rows: Readonly<Record<string, RowSchema>>
  readonly answer: (store: Views, asked: Asked, clock: Clock) => Promise<At<readonly Row[]>> | At<readonly Row[]>
}

const limit = (fallback: number, max: number, what = 'rows'): Count => ({
  description: `The largest number of ${what}.`,
  min: 1,
  max,
  fallback,
})

/** The past has no ages. */
function always<T>(rows: T): At<T> {
  return () => rows
}

/** Rows of the history differ in size: one names up to 10,000 files. */
const HISTORY_BYTES_MAX = 64 * 1024 * 1024

/** All views but the summary, which is one object. */
export const VIEWS: readonly View[] = [
  {
    path: '/api/targets',
    operationId: 'viewTargets',
    summary: 'Lists targets as rows of a table',
    description:
      'Without the differences. Sorted by state, the worst first, then by time in the state, the longest first.',
    rows: { '': targetRowSchema },
    choices: {
      sort: {
        description:
          'The order: by state with the worst first, by time in the state with the longest first, or by name.',
        values: TARGET_ORDERS,
      },
    },
    counts: { limit: limit(200, 100_000) },
    answer: (store, asked, clock) =>
      targetRows(matching(store, asked.matches), asked.choice('sort'), asked.count('limit'), clock),
  },
  {
    path: '/api/files',
    operationId: 'viewFiles',
    summary: 'Lists differences',
    description: 'A row for each difference of each target, or with by=file for each name in a repository.',
    rows: { target: fileRowSchema, file: fileSumSchema },
    choices: { by: { description: 'A row for each target and name, or for each name.', values: ['target', 'file'] } },
    counts: { limit: limit(200, 100_000) },
    answer: (store, asked) =>
      (asked.choice('by') === 'file' ? fileSums : fileRows)(matching(store, asked.matches), asked.count('limit')),
  },
  {
    path: '/api/repositories',
    operationId: 'viewRepositories',
    summary: 'Counts targets by repository',
    description: 'The repository with the most targets that are not in sync first.',
    rows: { '': repositoryRowSchema },
    choices: {},
    counts: { limit: limit(200, 100_000) },
    answer: (store, asked, { now }) => repositoryRows(matching(store, asked.matches), asked.count('limit'), now),
  },
  {
    path: '/api/counts',
    operationId: 'viewCounts',
    summary: 'Counts targets by state over time',
    description: 'At times with equal distances, between from and to.',
    rows: { '': countsRowSchema },
    choices: {},
    counts: { points: { description: 'The number of times.', min: 2, max: 1000, fallback: 240 } },
    range: 'day',
    ofThePast: true,
    answer: async (store, { from, to, matchesTarget, count }) =>
      always(countsRows(await store.periods(matchesTarget), from, to, count('points'))),
  },
  {
    path: '/api/history',
    operationId: 'listHistory',
    summary: 'Lists changes',
    description:
      'With order=oldest, the state of each target at the start of the range comes before the changes; with order=newest, the answer has only changes. If there are more changes than limit, it has the newest.',
    rows: { '': historyRowSchema },
    choices: { order: { description: 'The change that comes first.', values: ['oldest', 'newest'] } },
    counts: { limit: limit(10_000, 100_000, 'changes') },
    range: 'all',
    ofThePast: true,
    answer: async (store, { from, to, matchesTarget: matches, choice, count }) => {
      const range = { from, to, limit: count('limit'), bytes: HISTORY_BYTES_MAX, matches }
      if (choice('order') === 'oldest') return always(await store.history(range))
      return always((await store.history({ ...range, changesOnly: true })).toReversed())
    },
  },
  {
    path: '/api/timeline',
    operationId: 'viewTimeline',
    summary: 'Lists the states that targets or repositories were in',
    description:
      'A row for each period in which a target, or with by=repository a repository, was in one state. Targets that are not in sync at the end come first, the worst first; then those that changed last. A repository has the worst state of its targets, even for one second; without targets it has no row.',
    rows: { target: timelineRowSchema, repository: repositoryTimelineRowSchema },
    choices: {
      by: { description: 'The states of each target, or of each repository.', values: ['target', 'repository'] },
    },
    counts: { limit: limit(20, 1000, 'targets, or with by=repository of repositories') },
    range: 'day',
    ofThePast: true,
    answer: async (store, { from, to, matchesTarget, choice, count }) =>
      always(
        (choice('by') === 'repository' ? repositoryTimelineRows : timelineRows)(
          await store.periods(matchesTarget),
          from,
          to,
          count('limit'),
        ),
      ),
  },
  {
    path: '/api/names',
    operationId: 'viewNames',
    summary: 'Lists names to choose from',
    description: 'For variables of a dashboard: * comes first, so the answer is never empty.',
    rows: { '': nameRowSchema },
    choices: { of: { description: 'The kind of names.', values: NAME_KINDS } },
    counts: { limit: limit(10_000, 100_000) },
    answer: (store, asked) => nameRows(matching(store, asked.matches), asked.choice('of'), asked.count('limit')),
  },
  {
    path: '/api/report',
    operationId: 'viewReport',
    summary: 'Sums the time of targets in each state',
    description: 'Unknown time never counts as in sync; see docs/api/views.md.',
    rows: { '': reportRowSchema },
    choices: {},
    counts: { limit: limit(200, 100_000, 'targets') },
    range: 'day',
    ofThePast: true,
    answer: async (store, { from, to, matchesTarget, count }) =>
      always(reportRows(await store.periods(matchesTarget), from, to, count('limit'))),
  },
]

/** Serves a view. What is of now is computed once for each document. Express adds an ETag. */
export function showView(view: View, store: Views, staleAfter: number): RequestHandler {
  const prepared = new Prepared<ReturnType<View['answer']>>()
  const parameters = { ...view, choices: { ...view.choices, format: FORMAT } }
  return async (req, res) => {
    const clock = { now: Date.now(), staleAfter }
    const asked = readQuery(req.query, parameters, clock.now)
    const answer = (): ReturnType<View['answer']> => view.answer(store, asked, clock)
    const at = await (view.ofThePast === true ? answer() : prepared.of(store.published, req.url, answer))
    const rows = at(clock.now)
    if (asked.choice('format') === 'csv') {
      const { properties = {} } = view.rows[asked.choice('by')] ?? {}
      res.set({ ...JSON_HEADERS, 'Content-Type': 'text/csv; charset=utf-8' }).send(toCsv(Object.keys(properties), rows))
      return
    }
    res
      .set(JSON_HEADERS)
      .send(`[${rows.length === 0 ? '' : '\n'}${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`)
  }
}
