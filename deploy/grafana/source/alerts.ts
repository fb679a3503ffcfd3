import { type Field, type Request, model } from './query.ts'

/** An alert rule: its query and its threshold. Every query has one number; its texts become labels of the alert. */
interface Rule {
  readonly uid: string
  readonly title: string
  /** The number that decides. */
  readonly query: Request
  /** A query whose labels the message may name: labels of the alert itself would make another alert of each new text. */
  readonly words?: Request
  /** A query whose failure is that of the rule. */
  readonly also?: Request
  readonly fires: readonly ['gt' | 'lt', number]
  readonly for?: string
  readonly severity: 'critical' | 'warning' | 'info'
  readonly summary: string
  readonly description: string
  /** The panel that shows it. */
  readonly panel: number
  /** True if the alert is about a target. */
  readonly ofTarget?: boolean
  /** True if the rule is about a missing answer. Other rules keep their state: an outage ends no alert. */
  readonly onNoAnswer?: boolean
}

const text = (name: string): Field => ({ name, title: name, type: 'string' })
const number = (name: string): Field => ({ name, title: name, type: 'number' })

/** The largest number of alerts of one rule; dashboard and page have all. */
const ALERTS_MAX = '500'

/**
 * Adds a row that does not fire if there are no rows. Without any data, Grafana keeps alerts that fired; if there are other
 * rows, it ends the alert of a row that is gone.
 */
const orRow = (row: Readonly<Record<string, string | number>>): string =>
  `if . == [] then [${JSON.stringify(row)}] else . end`

const repositories = (state: string, ...fields: Field[]): Request => ({
  path: '/api/repositories',
  params: { state, limit: ALERTS_MAX },
  jq: orRow({ repo: '', [state]: 0 }),
  fields: [text('repo'), number(state), ...fields],
})
const drifted = (...fields: Field[]): Request => ({
  path: '/api/targets',
  params: { state: 'drifted', sort: 'longest', limit: ALERTS_MAX },
  jq: orRow({ repo: '', server: '', since_seconds: 0 }),
  fields: [text('repo'), text('server'), number('since_seconds'), ...fields],
})
const problem = (kind: string): Request => ({
  path: '/readyz',
  jq: `{problems: (.problems | map(select(.kind == "${kind}")) | length)}`,
  fields: [number('problems')],
})

const RULES: readonly Rule[] = [
  {
    uid: 'gitops-drift',
    title: 'A server differs from Git',
    query: drifted(),
    words: drifted(text('what')),
    // `for` is not needed: the query has the time of the drift, also after a restart of Grafana.
    fires: ['gt', 600],
    severity: 'warning',
    summary: '{{ $labels.server }} differs from {{ $labels.repo }}',
    description:
      '{{ with $values.W }}{{ .Labels.what }}{{ end }}: drifted{{ with $values.A }} for {{ humanizeDuration .Value }}{{ end }}.',
    panel: 5,
    ofTarget: true,
  },
  {
    uid: 'gitops-failing',
    title: 'Drift checks fail',
    query: repositories('failing'),
    words: repositories('failing', text('newest_reason')),
    fires: ['gt', 0],
    for: '10m',
    severity: 'warning',
    summary: 'servers of {{ $labels.repo }} with failing checks: {{ with $values.A }}{{ .Value }}{{ end }}',
    description:
      'Drift on these servers is unknown. The newest reason: {{ with $values.W }}{{ .Labels.newest_reason }}{{ end }}',
    panel: 8,
  },
  {
    uid: 'gitops-stale',
    title: 'Drift checks have stopped',
    query: repositories('stale'),
    fires: ['gt', 0],
    severity: 'warning',
    summary: 'servers of {{ $labels.repo }} without a recent check: {{ with $values.A }}{{ .Value }}{{ end }}',
    description: 'The pipeline does not run, does not reach the servers, or cannot report.',
    panel: 8,
  },
  {
    uid: 'gitops-missing',
    title: 'Servers were never checked',
    query: repositories('missing'),
    fires: ['gt', 0],
    for: '10m',
    severity: 'warning',
    summary: 'servers of {{ $labels.repo }} that were never checked: {{ with $values.A }}{{ .Value }}{{ end }}',
    description:
      'They are expected to report, and their drift is unknown. Are they in the inventory of the drift check?',
    panel: 8,
  },
  {
    uid: 'gitops-nothing-checked',
    title: 'Nothing is checked',
    query: { path: '/api/summary', fields: [number('newest_check_seconds')] },
    fires: ['gt', 900],
    severity: 'critical',
    summary: 'no server has been checked for 15 minutes',
    description:
      '{{ with $values.A }}The newest check was {{ humanizeDuration .Value }} ago. {{ end }}CI has stopped, or cannot report.',
    panel: 3,
  },
  {
    uid: 'gitops-acceptance-ends',
    title: 'Accepted drift becomes an alert soon',
    query: {
      path: '/api/targets',
      params: { state: 'accepted', limit: ALERTS_MAX },
      jq: `map({repo, server, left: (.accepted_until | fromdate - now | floor)} | select(.left < 86400))
        | ${orRow({ repo: '', server: '', left: 86_400 })}`,
      fields: [text('repo'), text('server'), number('left')],
    },
    fires: ['lt', 86_400],
    severity: 'info',
    summary: 'the acceptance of {{ $labels.server }} in {{ $labels.repo }} ends within a day',
    description:
      '{{ with $values.A }}The rule ends in {{ humanizeDuration .Value }}. {{ end }}Remove the drift, or accept it again.',
    panel: 5,
    ofTarget: true,
  },
  {
    uid: 'gitops-status-server',
    title: 'gitops-status-server cannot be read or written',
    query: {
      path: '/readyz',
      jq: '{ready: (if .ready then 1 else 0 end)}',
      fields: [number('ready')],
    },
    // /readyz needs no token. Other reads may need one, which may have expired.
    also: { path: '/api/summary', fields: [number('targets')] },
    fires: ['lt', 1],
    for: '5m',
    severity: 'critical',
    summary: 'gitops-status-server cannot be read or written',
    description:
      'For 5 minutes drift has been unknown, or CI could not report. The other alerts keep their state. "Save & test" of the data source shows the cause.',
    panel: 4,
    onNoAnswer: true,
  },
  {
    uid: 'gitops-rejected-edit',
    title: 'An edit of status.json is not valid',
    query: problem('rejected-edit'),
    fires: ['gt', 0],
    for: '5m',
    severity: 'warning',
    summary: 'an edit of status.json is not valid',
    description: 'The server does not serve it. /readyz of the server names file, line and column.',
    panel: 1,
  },
  {
    uid: 'gitops-internal-error',
    title: 'Internal error of gitops-status-server',
    query: problem('internal-error'),
    fires: ['gt', 0],
    severity: 'critical',
    summary: 'internal error of gitops-status-server',
    description: 'The log of the server has the stack. Please report it.',
    panel: 1,
  },
]

const DATA_SOURCE = 'gitops-status'
const DASHBOARD = 'gitops-fleet'
const TARGET_PAGE =
  '{{ externalURL }}d/gitops-target?var-repo={{ $labels.repo | urlquery }}&var-server={{ $labels.server | urlquery }}'

/** The rules, as Grafana provisions them. */
export function alerting(): object {
  return {
    apiVersion: 1,
    groups: [{ orgId: 1, name: 'gitops', folder: 'GitOps', interval: '1m', rules: RULES.map(provisioned) }],
  }
}

function provisioned({
  query,
  words,
  also,
  fires,
  panel,
  ofTarget = false,
  onNoAnswer = false,
  ...rule
}: Rule): object {
  const links = ofTarget ? { target: TARGET_PAGE } : {}
  const state = onNoAnswer ? 'Alerting' : undefined
  return {
    uid: rule.uid,
    title: rule.title,
    condition: 'C',
    data: [
      asked('A', query),
      ...(words === undefined ? [] : [asked('W', words)]),
      ...(also === undefined ? [] : [asked('T', also), computed('B', { type: 'math', expression: '$A * ($T >= 0)' })]),
      computed('C', {
        type: 'threshold',
        expression: also === undefined ? 'A' : 'B',
        conditions: [{ evaluator: { type: fires[0], params: [fires[1]] } }],
      }),
    ],
    for: rule.for ?? '0s',
    // No data is a summary without a check, of a fleet that has none yet.
    noDataState: state ?? 'OK',
    execErrState: state ?? 'KeepLast',
    // A row that is gone ends its alert.
    missing_series_evals_to_resolve: 1,
    labels: { severity: rule.severity },
    annotations: {
      summary: rule.summary,
      description: rule.description,
      ...links,
      // They link the message; those below link the rule.
      __dashboardUid__: DASHBOARD,
      __panelId__: String(panel),
    },
    dashboardUid: DASHBOARD,
    panelId: panel,
  }
}

function asked(refId: string, request: Request): object {
  return {
    refId,
    datasourceUid: DATA_SOURCE,
    relativeTimeRange: { from: 600, to: 0 },
    model: { refId, ...model(request) },
  }
}

function computed(refId: string, expression: object): object {
  return { refId, datasourceUid: '__expr__', model: { refId, ...expression } }
}
