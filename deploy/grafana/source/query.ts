import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog'
import {
  DatasourceVariableBuilder,
  type DataSourceRef,
  QueryVariableBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard'

/** The data source of a dashboard is a variable: one server or another, and the same file for provisioning and import. */
const DATA_SOURCE: DataSourceRef = { type: 'yesoreyeram-infinity-datasource', uid: '${datasource}' }
/** The answer of another panel of the dashboard. */
const DASHBOARD = '-- Dashboard --'

/** A field of an answer: the plugin gives fields in the order of their titles, whatever the order of the columns. */
export interface Field {
  readonly name: string
  readonly title: string
  readonly type: 'string' | 'number' | 'timestamp'
}

export interface Request {
  readonly path: string
  readonly params?: Readonly<Record<string, string>>
  /** The jq program that makes rows of the answer; without it, the answer itself has the rows. */
  readonly jq?: string
  /** Without them, the properties of the rows, with the types that their values have. */
  readonly fields?: readonly Field[]
}

/** A query of the Infinity plugin. All are answered by its backend: only those work in alerts and public dashboards. */
export function infinity(request: Request): Builder<Dataquery> {
  return query({ datasource: DATA_SOURCE, ...model(request) })
}

/** A query of the Infinity plugin, without its data source. */
export function model({ path, params = {}, jq = '', fields = [] }: Request): object {
  return {
    type: 'json',
    source: 'url',
    format: 'table',
    parser: jq === '' ? 'backend' : 'jq-backend',
    url: path,
    url_options: {
      method: 'GET',
      data: '',
      params: Object.entries(params).map(([key, value]) => ({ key, value })),
    },
    root_selector: jq,
    columns: fields.map(({ name, title, type }) => ({ selector: name, text: title, type })),
    filters: [],
  }
}

/** What another panel has got: one request for several panels. */
export function answerOf(panelId: number): Builder<Dataquery> {
  return query({ datasource: { type: 'datasource', uid: DASHBOARD }, panelId })
}

/** The parameters of a view that takes only what is chosen. */
export const CHOSEN = { repo: '${repo:glob}', server: '${server:glob}' }
/** The parameters of a view of the past. */
export const SHOWN_TIME = { from: '${__from}', to: '${__to}' }

/** The choice of the data source. It is shown, since a dashboard can look at several servers. */
export function dataSourceVariable(type: string, name: string, uid: string): DatasourceVariableBuilder {
  return new DatasourceVariableBuilder('datasource').label('Data source').type(type).current({ text: name, value: uid })
}

export function infinityVariable(): DatasourceVariableBuilder {
  return dataSourceVariable('yesoreyeram-infinity-datasource', 'GitOps status', 'gitops-status')
}

/** A choice of one name. */
export function chosenName(name: 'repo' | 'server', label: string, request: Request): QueryVariableBuilder {
  const fields: Field[] = [{ name: 'name', title: 'name', type: 'string' }]
  return (
    new QueryVariableBuilder(name)
      .label(label)
      .datasource(DATA_SOURCE)
      .query({
        queryType: 'infinity',
        refId: 'variable',
        infinityQuery: { ...infinity({ ...request, fields }).build(), refId: 'variable' },
      })
      // The first entry of `/api/names` is the pattern for all names, not a name.
      .regex('/^(?!\\*$)/')
      // Not when the time range changes, which "last 24 hours" always does.
      .refresh(VariableRefresh.OnDashboardLoad)
  )
}

/** A choice of names, or of all: a short pattern, however many names there are. */
export function chosenNames(name: 'repo' | 'server', label: string, request: Request): QueryVariableBuilder {
  return chosenName(name, label, request)
    .multi(true)
    .includeAll(true)
    .allValue('*')
    .current({ text: ['All'], value: ['$__all'] })
}

/** `refId` names the query in its panel, and there is one in each. */
function query(properties: object): Builder<Dataquery> {
  return { build: () => ({ refId: 'A', ...properties, _implementsDataqueryVariant: () => undefined }) }
}
