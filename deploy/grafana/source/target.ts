import { type DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard'
import { CHANGES_JQ, CHANGES_OF_ONE, DIFFERENCES, DIFFERENCES_JQ, TARGET_DETAILS, TARGET_TILES } from './columns.ts'
import { dashboard, link } from './dashboard.ts'
import { CHECK_STEPS, STATE_TEXTS, steps, texts } from './looks.ts'
import { STRETCHES, STRETCHES_JQ, orRow, statesOverTime, table, tile } from './panels.ts'
import { SHOWN_TIME, answerOf, chosenName, infinity, infinityVariable } from './query.ts'

const ONE = { repo: '${repo}', server: '${server}' }
/** An age is -1 if it is not known. */
const ROW_JQ = `${orRow('status', 'no such target')} | map(.since_seconds //= -1 | .last_check_seconds //= -1)`
const NOT_KNOWN = texts({ '-1': { text: 'unknown', color: 'text' } })
/** A share is -1 if the target was not there in this time. */
const SHARES_JQ = '.[0] // {synced_share: -1, unknown_share: -1}'
const NOT_THERE = texts({ '-1': { text: 'does not exist', color: 'text' } })

/** One target: what is known of it, what differs, what it has been. */
export function target(): DashboardBuilder {
  const row = answerOf(1)
  const shares = answerOf(4)
  return dashboard(
    'gitops-target',
    'GitOps target',
    'One server and one repository: the differences and their ages.',
    'now-7d',
  )
    .link(link('All targets', '/d/gitops-fleet?${datasource:queryparam}'))
    .withVariable(infinityVariable())
    .withVariable(chosenName('repo', 'Repository', { path: '/api/names', params: { of: 'repo' } }))
    .withVariable(chosenName('server', 'Server', { path: '/api/names', params: { of: 'server', repo: ONE.repo } }))
    .withPanel(
      tile({
        id: 1,
        title: 'State, now',
        at: [0, 0, 8, 4],
        query: infinity({
          path: '/api/targets',
          params: ONE,
          jq: ROW_JQ,
          fields: [...TARGET_TILES, ...TARGET_DETAILS],
        }),
        field: 'Status',
        mappings: [STATE_TEXTS],
      }),
    )
    .withPanel(
      tile({
        id: 2,
        title: 'For',
        at: [8, 0, 4, 4],
        query: row,
        field: 'For',
        unit: 's',
        decimals: 1,
        mappings: [NOT_KNOWN],
      }),
    )
    .withPanel(
      tile({
        id: 3,
        title: 'Last check',
        description: 'The age of the last check.',
        at: [12, 0, 4, 4],
        query: row,
        field: 'Checked',
        unit: 's',
        decimals: 1,
        thresholds: CHECK_STEPS,
        mappings: [NOT_KNOWN],
      }),
    )
    .withPanel(
      tile({
        id: 4,
        title: 'In sync, of this time',
        at: [16, 0, 4, 4],
        query: infinity({
          path: '/api/report',
          params: { ...ONE, ...SHOWN_TIME },
          jq: SHARES_JQ,
          fields: [
            { name: 'synced_share', title: 'synced', type: 'number' },
            { name: 'unknown_share', title: 'unknown', type: 'number' },
          ],
        }),
        field: 'synced',
        unit: 'percentunit',
        decimals: 2,
        mappings: [NOT_THERE],
      }),
    )
    .withPanel(
      tile({
        id: 5,
        title: 'Unknown, of this time',
        description: 'The check failed or was too old, or there was no check. This time never counts as in sync.',
        at: [20, 0, 4, 4],
        query: shares,
        field: 'unknown',
        unit: 'percentunit',
        decimals: 2,
        thresholds: steps(['text', null], ['orange', 0.01]),
        mappings: [NOT_THERE],
      }),
    )
    .withPanel(
      table({ id: 6, title: 'Now', at: [0, 4, 24, 4], query: row, columns: TARGET_DETAILS, hidden: TARGET_TILES }),
    )
    .withPanel(
      table({
        id: 7,
        title: 'Differences, now',
        at: [0, 8, 24, 11],
        query: infinity({
          path: '/api/files',
          params: { ...ONE, limit: '100' },
          jq: `${DIFFERENCES_JQ} | ${orRow('name', 'nothing')}`,
          fields: DIFFERENCES,
        }),
        columns: DIFFERENCES,
      }),
    )
    .withPanel(
      statesOverTime({
        id: 8,
        title: 'State over time',
        at: [0, 19, 24, 4],
        query: infinity({
          path: '/api/timeline',
          params: { ...ONE, ...SHOWN_TIME, limit: '1' },
          jq: STRETCHES_JQ,
          fields: STRETCHES,
        }),
      }),
    )
    .withPanel(
      table({
        id: 9,
        title: 'Changes',
        description: 'The newest 100 changes.',
        at: [0, 23, 24, 9],
        query: infinity({
          path: '/api/history',
          params: { ...ONE, ...SHOWN_TIME, order: 'newest', limit: '100' },
          jq: `${CHANGES_JQ} | ${orRow('what', 'no changes in this time')}`,
          fields: CHANGES_OF_ONE,
        }),
        columns: CHANGES_OF_ONE,
      }),
    )
}
