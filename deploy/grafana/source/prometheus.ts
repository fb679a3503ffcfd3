import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog'
import {
  type DashboardBuilder,
  type DataTransformerConfig,
  QueryVariableBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import { STATES } from '../../../src/status/schema.ts'
import { PROMETHEUS_REPOSITORIES, PROMETHEUS_TARGETS } from './columns.ts'
import { dashboard } from './dashboard.ts'
import {
  type Column,
  countsOverTime,
  inOrder,
  longestDrift,
  newestCheck,
  note,
  numberOfTargets,
  stateTiles,
  numberedStatesOverTime,
  table,
} from './panels.ts'
import { dataSourceVariable } from './query.ts'

/** No targets, or no answer: Prometheus does not distinguish them. */
const NOTHING = 'No data'
const SOURCE = { type: 'prometheus', uid: '${datasource}' }
const LIMITS = `From the metrics of gitops-status-server, for Prometheus without the Infinity plugin. Metrics have no names of files and
no reasons; see the [status page](\${status_page}).`

const CHOSEN = 'repo=~"$repo",server=~"$server"'
const STATE_OF = `gitops_target_state{${CHOSEN}}`
/** 1 for each target that is in a state; a target has a series for every state. */
const targetsThatAre = (state: string): string =>
  `max by (repo, server, state) (gitops_target_state{${CHOSEN},state${state}}) == 1`
const NOT_IN_SYNC = targetsThatAre('!="synced"')
const ofThose = (expression: string): string => `(${expression}) and on (repo, server) (${NOT_IN_SYNC})`
const latest = (metric: string): string => `max by (repo, server) (${metric}{${CHOSEN}})`
/** A number for an empty result if the server was scraped; otherwise the value is unknown. */
const otherwise = (value: number): string => `or (0 * max(gitops_status_server_ready) + ${value})`
/** The place of the state of each target among all states. */
const stateNumber = (at = ''): string =>
  STATES.map(
    (state, number) => `max by (repo, server) (gitops_target_state{${CHOSEN},state="${state}"}${at} == 1) * ${number}`,
  ).join(' or ')

/** The fleet for those who have Prometheus and not the Infinity plugin. */
export function fleetOfPrometheus(): DashboardBuilder {
  return dashboard('gitops-fleet-prometheus', 'GitOps fleet, from Prometheus', 'Drift of servers from Git.')
    .withVariable(dataSourceVariable('prometheus', 'Prometheus', 'prometheus'))
    .withVariable(labelValues('repo', 'Repository', 'gitops_target_state'))
    .withVariable(labelValues('server', 'Server', 'gitops_target_state{repo=~"$repo"}'))
    .withPanel(
      stateTiles({
        id: 1,
        title: 'Targets by state, now',
        at: [0, 0, 12, 4],
        query: rows(
          `sum by (state) (${STATE_OF}) > 0 or label_replace(absent(${STATE_OF}) - 1 and on () gitops_status_server_ready, "state", "none", "", "")`,
        ),
      }).transformations([VALUES_BY_STATE, inOrder(STATES)]),
    )
    .withPanel(
      longestDrift(
        2,
        [12, 0, 4, 4],
        named(
          'longest',
          `max((time() - ${latest('gitops_since_timestamp_seconds')}) and on (repo, server) (${targetsThatAre('="drifted"')})) ${otherwise(0)}`,
        ),
      ),
    )
    .withPanel(
      newestCheck(
        3,
        [16, 0, 4, 4],
        named('newest', `min(time() - ${latest('gitops_last_check_timestamp_seconds')}) ${otherwise(-1)}`),
      ),
    )
    .withPanel(
      numberOfTargets(
        4,
        [20, 0, 4, 4],
        named('targets', `count(count by (repo, server) (${STATE_OF})) ${otherwise(0)}`),
      ),
    )
    .withPanel(
      table({
        id: 5,
        title: 'Not in sync, now',
        description: 'The longest first. "Differs for" is the known time since the target was in sync.',
        at: [0, 4, 24, 10],
        query: rows(NOT_IN_SYNC, 'state'),
        columns: PROMETHEUS_TARGETS,
      })
        .withTarget(
          rows(
            ofThose(`time() - ${latest('gitops_since_timestamp_seconds')} and ${latest('gitops_drift_files')} > 0`),
            'since',
          ),
        )
        .withTarget(rows(ofThose(latest('gitops_drift_files')), 'files'))
        .withTarget(rows(ofThose(`time() - ${latest('gitops_last_check_timestamp_seconds')}`), 'checked'))
        .withTarget(rows(ofThose(`max by (repo, server, commit) (gitops_target_info{${CHOSEN}})`), 'info'))
        .transformations([
          { id: 'merge', options: {} },
          namedColumns(PROMETHEUS_TARGETS, ['Time', 'Value #state', 'Value #info']),
          LONGEST_FIRST,
        ]),
    )
    .withPanel(
      countsOverTime({
        id: 6,
        title: 'Not in sync over time',
        at: [0, 14, 12, 8],
        query: series(`sum by (state) (gitops_target_state{${CHOSEN},state!="synced"})`, '{{state}}'),
      }).noValue(NOTHING),
    )
    .withPanel(
      numberedStatesOverTime({
        id: 7,
        title: 'State over time',
        description: 'At most 20 of the targets that are not in sync now.',
        at: [12, 14, 12, 8],
        query: series(
          `(${stateNumber()}) and on (repo, server) bottomk(20, (${stateNumber(' @ end()')}) < ${STATES.indexOf('synced')})`,
          '{{repo}} / {{server}}',
        ),
      }),
    )
    .withPanel(
      table({
        id: 8,
        title: 'Repositories, now',
        at: [0, 22, 24, 8],
        query: rows(`sum by (repo, state) (${STATE_OF})`),
        columns: PROMETHEUS_REPOSITORIES,
      })
        .noValue(NOTHING)
        .transformations([STATES_IN_COLUMNS, namedColumns(PROMETHEUS_REPOSITORIES, [])]),
    )
    .withPanel(note(9, [0, 30, 24, 3], LIMITS))
}

const VALUES_BY_STATE: DataTransformerConfig = {
  id: 'rowsToFields',
  options: {
    mappings: [
      { fieldName: 'state', handlerKey: 'field.name' },
      { fieldName: 'Value', handlerKey: 'field.value' },
      { fieldName: 'Time', handlerKey: '__ignore' },
    ],
  },
}
const STATES_IN_COLUMNS: DataTransformerConfig = {
  id: 'groupingToMatrix',
  options: { rowField: 'repo', columnField: 'state', valueField: 'Value', emptyValue: 'zero' },
}
const LONGEST_FIRST: DataTransformerConfig = {
  id: 'sortBy',
  options: { fields: {}, sort: [{ field: 'Differs for', desc: true }] },
}

/** Names and orders the columns of a table; Prometheus has names of its own. */
function namedColumns(columns: readonly Column[], hidden: readonly string[]): DataTransformerConfig {
  return {
    id: 'organize',
    options: {
      indexByName: Object.fromEntries(columns.map(({ name }, index) => [name, index])),
      renameByName: Object.fromEntries(columns.map(({ name, title }) => [name, title])),
      excludeByName: Object.fromEntries(hidden.map((name) => [name, true])),
    },
  }
}

/** The last values, as rows of a table. */
function rows(expression: string, refId = 'A'): Builder<Dataquery> {
  return new DataqueryBuilder().refId(refId).datasource(SOURCE).expr(expression).instant().format(PromQueryFormat.Table)
}

/** The last value, with a name. */
function named(name: string, expression: string): Builder<Dataquery> {
  return new DataqueryBuilder().refId('A').datasource(SOURCE).expr(expression).instant().legendFormat(name)
}

function series(expression: string, legend: string): Builder<Dataquery> {
  return new DataqueryBuilder().refId('A').datasource(SOURCE).expr(expression).range().legendFormat(legend)
}

function labelValues(label: 'repo' | 'server', title: string, metric: string): QueryVariableBuilder {
  return new QueryVariableBuilder(label)
    .label(title)
    .datasource(SOURCE)
    .query({ query: `label_values(${metric}, ${label})`, refId: 'variable' })
    .refresh(VariableRefresh.OnDashboardLoad)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ text: ['All'], value: ['$__all'] })
}
