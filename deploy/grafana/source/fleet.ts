import { type DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard'
import { CHANGES, CHANGES_JQ, FILES, REPOSITORIES, TARGETS } from './columns.ts'
import { dashboard } from './dashboard.ts'
import {
  COUNTS,
  STRETCHES,
  STRETCHES_JQ,
  countsOverTime,
  longestDrift,
  newestCheck,
  numberOfTargets,
  orRow,
  stateTiles,
  statesOverTime,
  table,
} from './panels.ts'
import { CHOSEN, SHOWN_TIME, answerOf, chosenNames, infinity, infinityVariable } from './query.ts'

/** The states that some target is in, and what the other tiles say; 0 and -1 are no ages. */
const TILES_JQ = `{targets, longest: (.longest_drift_seconds // 0), newest: (.newest_check_seconds // -1)} +
  if .targets == 0 then {none: 0} else {drifted, failing, missing, stale, accepted, synced} | map_values(select(. > 0)) end`

/** All targets, with their history: small answers, however many targets there are. */
export function fleet(): DashboardBuilder {
  return dashboard('gitops-fleet', 'GitOps fleet', 'Drift of servers from Git.')
    .withVariable(infinityVariable())
    .withVariable(chosenNames('repo', 'Repository', { path: '/api/names', params: { of: 'repo' } }))
    .withVariable(chosenNames('server', 'Server', { path: '/api/names', params: { of: 'server', repo: CHOSEN.repo } }))
    .withPanel(
      stateTiles({
        id: 1,
        title: 'Targets by state, now',
        at: [0, 0, 12, 4],
        query: infinity({ path: '/api/summary', params: CHOSEN, jq: TILES_JQ }),
      }),
    )
    .withPanel(longestDrift(2, [12, 0, 4, 4], answerOf(1)))
    .withPanel(newestCheck(3, [16, 0, 4, 4], answerOf(1)))
    .withPanel(numberOfTargets(4, [20, 0, 4, 4], answerOf(1)))
    .withPanel(
      table({
        id: 5,
        title: 'Not in sync, now',
        description: 'Sorted by state, the worst first, then by time in the state. At most 200.',
        at: [0, 4, 24, 10],
        query: infinity({
          path: '/api/targets',
          params: { ...CHOSEN, state: 'drifted,failing,missing,stale,accepted', limit: '200' },
          jq: orRow('what', 'none'),
          fields: TARGETS,
        }),
        columns: TARGETS,
      }),
    )
    .withPanel(
      countsOverTime({
        id: 6,
        title: 'Not in sync over time',
        at: [0, 14, 12, 12],
        query: infinity({ path: '/api/counts', params: { ...CHOSEN, ...SHOWN_TIME }, fields: COUNTS }),
      }),
    )
    .withPanel(
      statesOverTime({
        id: 7,
        title: 'State over time',
        description: 'The targets that are not in sync at the end, then those that changed last. At most 20.',
        at: [12, 14, 12, 12],
        query: infinity({
          path: '/api/timeline',
          params: { ...CHOSEN, ...SHOWN_TIME, limit: '20' },
          jq: STRETCHES_JQ,
          fields: STRETCHES,
        }),
      }),
    )
    .withPanel(
      table({
        id: 8,
        title: 'Repositories, now',
        at: [0, 26, 12, 9],
        query: infinity({
          path: '/api/repositories',
          params: { ...CHOSEN, limit: '50' },
          jq: orRow('repo', 'none'),
          fields: REPOSITORIES,
        }),
        columns: REPOSITORIES,
      }),
    )
    .withPanel(
      table({
        id: 9,
        title: 'Files, now',
        description: 'The files that differ on most servers come first. At most 50.',
        at: [12, 26, 12, 9],
        query: infinity({
          path: '/api/files',
          params: { ...CHOSEN, by: 'file', state: 'drifted', limit: '50' },
          jq: orRow('name', 'none'),
          fields: FILES,
        }),
        columns: FILES,
      }),
    )
    .withPanel(
      table({
        id: 10,
        title: 'Changes',
        description: 'The newest 100 changes.',
        at: [0, 35, 24, 10],
        query: infinity({
          path: '/api/history',
          params: { ...CHOSEN, ...SHOWN_TIME, order: 'newest', limit: '100' },
          jq: `${CHANGES_JQ} | ${orRow('what', 'no changes in this time')}`,
          fields: CHANGES,
        }),
        columns: CHANGES,
      }),
    )
}
