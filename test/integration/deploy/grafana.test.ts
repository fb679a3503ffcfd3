import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { parse } from 'yaml'
import { formatTime } from '../../../src/status/time.ts'
import { directory } from '../../support/directory.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { needs } from '../../support/machine.ts'
import { type Server, fileOf, serve } from '../../support/server.ts'
import { HOSTILE_NAMES, snapshotOf } from '../../support/snapshots.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const GRAFANA = join(ROOT, 'deploy/grafana')
const text = (name: string): string => readFileSync(join(GRAFANA, name), 'utf8')

interface Column {
  readonly selector: string
  readonly text: string
  readonly type: string
}

interface Query {
  readonly refId: string
  readonly parser: string
  readonly url: string
  readonly format: string
  readonly root_selector: string
  readonly columns: readonly Column[]
}

interface Panel {
  readonly type: string
  readonly title: string
  readonly targets: readonly Query[]
  readonly transformations: readonly { readonly id: string; readonly options: { readonly indexByName: object } }[]
}

interface Rule {
  readonly uid: string
  readonly condition: string
  readonly data: readonly { readonly refId: string; readonly datasourceUid: string; readonly model: Query }[]
}

const dashboard = JSON.parse(text('dashboards/gitops-drift.json')) as {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: { infinityQuery: Query } }[] }
}
const { groups } = parse(text('alerting/gitops.yaml')) as { groups: readonly { readonly rules: readonly Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)
const panel = (title: string): Query => queryOf(dashboard.panels.find((each) => each.title === title)?.targets[0])
const variable = (name: string): Query =>
  queryOf(dashboard.templating.list.find((each) => each.name === name)?.query.infinityQuery)
const rule = (uid: string): Query => queryOf(rules.find((each) => each.uid === uid)?.data[0]?.model)
const queries = [
  ...dashboard.panels.flatMap(({ targets }) => targets),
  ...dashboard.templating.list.map(({ query }) => query.infinityQuery),
  ...rules.flatMap(({ data }) =>
    data.flatMap(({ model, datasourceUid }) => (datasourceUid === '__expr__' ? [] : model)),
  ),
]

function queryOf(query: Query | undefined): Query {
  if (query === undefined) throw new Error('there is no such query')
  return query
}

type Row = Readonly<Record<string, unknown>>
type Chosen = Readonly<Record<'repo' | 'server', string | readonly string[]>>

/** What the plugin makes of a query: the answer of the server, through the selector, in rows. */
async function rowsOf({ url }: Pick<Server, 'url'>, query: Query, chosen: Chosen): Promise<Row[]> {
  const address = query.url.replace('${__from}', String(Date.now() - 86_400_000)).replace('${__to}', String(Date.now()))
  // What Grafana's own backend sends.
  const headers = { Accept: 'application/json;q=0.9,text/plain' }
  const answer = await ask(url + address, { headers })
  if (answer.status !== 200) throw new Error(answer.text)
  const selector = query.root_selector
    .replaceAll('${repo:json}', JSON.stringify(chosen.repo))
    .replaceAll('${server:json}', JSON.stringify(chosen.server))
  const { status, stdout, stderr } = spawnSync('gojq', ['-c', selector], { input: answer.body, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${stderr}${selector}`)
  const outputs = stdout.trimEnd().split('\n')
  if (outputs.length !== 1) throw new Error(`${outputs.length} outputs: ${selector}`)
  const root: unknown = JSON.parse(outputs[0] ?? '')
  return (Array.isArray(root) ? root : [root]) as Row[]
}

/** The variables as they stand when everything is chosen. */
async function everything(server: Server): Promise<Chosen> {
  const values = async (name: string, chosen: Chosen): Promise<string[]> =>
    (await rowsOf(server, variable(name), chosen)).map(({ __value: value }) => String(value))
  const repo = await values('repo', { repo: '', server: '' })
  return { repo, server: await values('server', { repo, server: '' }) }
}

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number' && Number.isFinite(value),
  timestamp: (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value),
}

/** Where rows are not what the columns name, of their types, and nothing else: a missing key is a column of nulls. */
function faultsOf(rows: readonly Row[], { columns, root_selector: selector }: Query): string[] {
  const names = columns.map((column) => column.selector).toSorted()
  return rows.flatMap((row) => {
    const keys = Object.keys(row).toSorted()
    const strange = columns.filter((column) => TYPES[column.type]?.(row[column.selector]) !== true)
    return keys.join() === names.join() && strange.length === 0 ? [] : `${JSON.stringify(row)} of ${selector}`
  })
}

const minutesAgo = (minutes: number): string => formatTime(Date.now() - minutes * 60_000)

t.test('Grafana: every selector, on real answers, has what its columns name', needs('gojq'), async (t) => {
  const states: Record<string, (server: Server) => Promise<unknown>> = {
    'no target': async () => undefined,
    'one in sync': async ({ url }) => post(url, snapshotOf({}, [])),
    'fifty, none drifted': async ({ url }) =>
      post(
        url,
        Array.from({ length: 50 }, (_, index) => snapshotOf({ server: `s${index}` }, [])),
      ),
    'fifty, many drifted, some stale, hostile names': async ({ url }) =>
      post(url, [
        ...HOSTILE_NAMES.map((name) => snapshotOf({ repo: name, server: name }, [name, 'x'])),
        ...Array.from({ length: 50 }, (_, index) => ({
          ...snapshotOf({ server: `s${index}` }, index % 2 === 0 ? [] : ['a', 'b c', 'ü']),
          pipeline_url: 'https://ci.example.net/7',
          last_check: formatTime(Date.now() - (index % 5 === 0 ? 3600_000 : 0)),
        })),
      ]),
  }
  for (const [name, prepare] of Object.entries(states)) {
    const server = await serve(t)
    await prepare(server)
    const chosen = await everything(server)
    for (const query of queries) {
      const rows = await rowsOf(server, query, chosen)
      t.same(faultsOf(rows, query), [], `${name}: ${query.refId} of ${query.url}`)
      if (query.format === 'timeseries') {
        const times = rows.map(({ time }) => String(time))
        t.same(times, times.toSorted(), `${name}: in order of time, or it is not made wide`)
      }
      // An empty choice is what a panel has before its variables are there.
      await rowsOf(server, query, { repo: '', server: '' })
    }
  }
})

t.test('Grafana: what the panels show', needs('gojq'), async (t) => {
  const server = await serve(t)
  const { url } = server
  const nothing = await everything(server)
  t.same(nothing, { repo: ['(none)'], server: ['(none)'] }, 'a variable without a value throws in Grafana')
  t.same(await rowsOf(server, panel('Targets'), nothing), [{ out_of_sync: 0, stale: 0, in_sync: 0 }], 'no target is 0')

  const hour = formatTime(Date.now() - 3600_000)
  await post(url, [
    { ...snapshotOf({ server: 'drifted' }, ['a', 'b']), pipeline_url: 'https://ci.example.net/7' },
    snapshotOf({ server: 'silent' }, ['c'], hour),
    snapshotOf({ server: 'fine' }, []),
    snapshotOf({ repo: 'other', server: 'fine' }, []),
  ])
  const all = await everything(server)
  t.same(all, { repo: ['other', 'rsyslog'], server: ['drifted', 'fine', 'silent'] })
  t.same(await rowsOf(server, panel('Targets'), all), [{ out_of_sync: 1, stale: 1, in_sync: 2 }])
  t.same(await rowsOf(server, panel('Targets'), { repo: ['other'], server: all.server }), [
    { out_of_sync: 0, stale: 0, in_sync: 1 },
  ])
  t.same(await rowsOf(server, panel('Targets'), { repo: 'rsyslog', server: 'fine' }), [
    { out_of_sync: 0, stale: 0, in_sync: 1 },
  ])
  const table = await rowsOf(server, panel('Status of every target'), all)
  t.match(table, [
    { server: 'drifted', status: 'OUT_OF_SYNC', drift_count: 2, pipeline: 'https://ci.example.net/7' },
    { server: 'silent', status: 'STALE', drift_count: 1, last_check: hour, pipeline: '' },
    { repo: 'other', status: 'SYNCED' },
    { repo: 'rsyslog', status: 'SYNCED' },
  ])
  const files = await rowsOf(server, panel('Drifted files'), all)
  t.match(files, [
    { repo: 'rsyslog', server: 'drifted', file: 'a' },
    { server: 'drifted', file: 'b' },
    { server: 'silent', file: 'c', drifted_since: hour },
  ])
  t.equal(files.length, 3)

  await ask(`${url}/api/status?repo=other`, { method: 'DELETE' })
  const states = await rowsOf(server, panel('State over time'), { repo: ['other', 'rsyslog'], server: all.server })
  const last = new Map(states.map(({ target, state }) => [target, state]))
  t.same(Object.fromEntries(last), {
    'other / fine': 3,
    'rsyslog / drifted': 1,
    'rsyslog / fine': 0,
    'rsyslog / silent': 2,
  })
  t.ok(Date.now() - Date.parse(String(states.at(-1)?.['time'])) < 60_000, 'the last state lasts until now')
})

t.test('Grafana: alerts have one number and labels of their own, fire, and resolve', needs('gojq'), async (t) => {
  const server = await serve(t)
  for (const { uid, condition, data } of rules) {
    const [query, threshold] = data
    t.equal(query?.model.columns.filter(({ type }) => type === 'number').length, 1, uid)
    t.match(threshold, { refId: condition, datasourceUid: '__expr__', model: { type: 'threshold', expression: 'A' } })
    t.equal(data.length, 2)
  }
  const values = async (uid: string): Promise<Record<string, number>> => {
    const rows = await rowsOf(server, rule(uid), { repo: '', server: '' })
    const labelled = rows.map(({ repo, server: name, ...number }) => [
      `${String(repo)} ${String(name)}`,
      ...Object.values(number),
    ])
    t.equal(new Set(labelled.map(([labels]) => labels)).size, rows.length, 'no two rows have the same labels')
    return Object.fromEntries(labelled) as Record<string, number>
  }
  t.same([await values('gitops-drift'), await values('gitops-stale')], [{}, {}])

  const drift = { ...snapshotOf({ server: 'drifted' }, ['a'], minutesAgo(30)), stale_after: 86_400 }
  await post(server.url, [
    drift,
    snapshotOf({ server: 'silent' }, ['a'], minutesAgo(60)),
    snapshotOf({ server: 'fine' }, []),
  ])
  const drifted = await values('gitops-drift')
  const stale = await values('gitops-stale')
  t.ok(Math.abs((drifted['rsyslog drifted'] ?? 0) - 1800) < 60, 'for as long as it has drifted')
  t.match(drifted, { 'rsyslog silent': 0, 'rsyslog fine': 0 })
  t.ok(Math.abs((stale['rsyslog silent'] ?? 0) - 3600) < 60)
  t.match(stale, { 'rsyslog drifted': 0, 'rsyslog fine': 0 })
  t.same(await rowsOf(server, rule('gitops-status-server'), { repo: '', server: '' }), [{ ready: 1 }])

  const until = formatTime(Date.now() + 3600_000)
  const accepted = [
    { server: 'drifted', until, reason: 'a' },
    { server: 'silent', until, reason: 'a', stale: true },
  ]
  const expected = [{ repo: 'rsyslog', servers: ['never'] }]
  writeFileSync(server.file, JSON.stringify({ ...fileOf(server), accepted, expected }))
  const quiet = { 'rsyslog drifted': 0, 'rsyslog silent': 0, 'rsyslog fine': 0, 'rsyslog never': 0 }
  await eventually(async () => matches(await values('gitops-drift'), quiet))
  t.same(await values('gitops-stale'), quiet, 'neither what is accepted, nor what was never checked')

  await post(server.url, [snapshotOf({ server: 'drifted' }, []), snapshotOf({ server: 'silent' }, [])])
  t.match(await values('gitops-drift'), { 'rsyslog drifted': 0, 'rsyslog silent': 0 })
  t.match(await values('gitops-stale'), { 'rsyslog drifted': 0, 'rsyslog silent': 0 })
})

t.test('Grafana: the files are what Grafana and its plugin know', async (t) => {
  for (const query of queries) {
    t.match(query, { type: 'json', source: 'url', parser: 'jq-backend', url_options: { method: 'GET', data: '' } })
    t.ok(query.columns.length > 0)
  }
  for (const { title, targets, transformations } of dashboard.panels) {
    const names = targets[0]?.columns.map((column) => column.text) ?? []
    const [organize] = transformations
    t.equal(organize?.id, 'organize')
    const order = Object.keys(organize?.options.indexByName ?? {})
    if (targets[0]?.format === 'table') t.same(order.toSorted(), names.toSorted(), `${title} orders what it has`)
  }
  t.match(dashboard, { schemaVersion: 41, uid: 'gitops-drift', id: null, timezone: 'browser', refresh: '30s' })
  knows(t, parse(text('datasources/gitops-status.yaml')), {
    '': ['apiVersion', 'datasources', 'deleteDatasources', 'prune'],
    datasources: [
      'name',
      'uid',
      'type',
      'access',
      'url',
      'jsonData',
      'secureJsonData',
      'isDefault',
      'editable',
      'orgId',
      'version',
    ],
    jsonData: [
      'auth_method',
      'allowedHosts',
      'proxy_type',
      'timeoutInSeconds',
      'customHealthCheckEnabled',
      'customHealthCheckUrl',
    ],
  })
  knows(t, parse(text('dashboards/gitops.yaml')), {
    '': ['apiVersion', 'providers'],
    providers: [
      'name',
      'orgId',
      'folder',
      'folderUid',
      'type',
      'disableDeletion',
      'updateIntervalSeconds',
      'allowUiUpdates',
      'options',
    ],
    options: ['path', 'foldersFromFilesStructure'],
  })
  knows(t, parse(text('alerting/gitops.yaml')), {
    '': ['apiVersion', 'groups', 'contactPoints', 'policies', 'templates', 'muteTimes', 'deleteRules'],
    groups: ['orgId', 'name', 'folder', 'interval', 'rules'],
    // prettier-ignore
    rules: ['uid', 'title', 'condition', 'data', 'for', 'keepFiringFor', 'missing_series_evals_to_resolve', 'noDataState', 'execErrState', 'annotations', 'labels', 'dashboardUid', 'panelId', 'isPaused', 'notification_settings', 'record'],
    data: ['refId', 'datasourceUid', 'queryType', 'relativeTimeRange', 'model'],
    relativeTimeRange: ['from', 'to'],
    // prettier-ignore
    model: ['refId', 'type', 'source', 'format', 'parser', 'url', 'url_options', 'root_selector', 'columns', 'expression', 'conditions'],
    columns: ['selector', 'text', 'type', 'timestampFormat'],
  })
  t.same(
    rules.map(({ data }) => data[0]?.datasourceUid),
    rules.map(() => 'gitops-status'),
  )
  t.match(parse(text('datasources/gitops-status.yaml')), { datasources: [{ uid: 'gitops-status' }] })
})

/** Every object below a name has only known keys. What is below an unlisted name is free. */
function knows(t: Test, value: unknown, known: Readonly<Record<string, readonly string[]>>, name = ''): void {
  if (Array.isArray(value)) for (const item of value) knows(t, item, known, name)
  else if (typeof value === 'object' && value !== null && name in known) {
    for (const [key, below] of Object.entries(value)) {
      t.ok(known[name]?.includes(key), `${name}.${key}`)
      knows(t, below, known, key)
    }
  }
}

t.test("Grafana: the dashboard is one of Grafana's own type", async (t) => {
  const faults = typeFaults(text('dashboards/gitops-drift.json'))
  t.same(faults, [])
  t.match(
    typeFaults(text('dashboards/gitops-drift.json').replace('"schemaVersion"', '"schemaversion"')).join(),
    /schemaversion/,
  )
  t.match(typeFaults(text('dashboards/gitops-drift.json').replace('"wideLayout"', '"widelayout"')).join(), /widelayout/)
})

/** Type-checks a dashboard as a literal of `@grafana/schema`; JSON has strings where its types have enums. */
function typeFaults(json: string): string[] {
  const file = join(import.meta.dirname, 'dashboard.generated.ts')
  const raw = '@grafana/schema/dist/esm/raw'
  const kinds = { stat: 'Stat', table: 'Table', 'state-timeline': 'StateTimeline', timeseries: 'TimeSeries' }
  const imports = Object.entries(kinds).map(
    ([kind, name]) =>
      `import type { Options as ${name} } from '${raw}/composable/${kind.replace('-', '')}/panelcfg/x/${name}PanelCfg_types.gen'`,
  )
  const source = `${imports.join('\n')}
import type { Dashboard, Panel, VariableModel } from '${raw}/dashboard/x/Dashboard_types.gen'
type Plain<T> = T extends string ? \`\${T}\` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T
type Options = { ${Object.entries(kinds)
    .map(([kind, name]) => `'${kind}': ${name}`)
    .join('; ')} }
type Free = Pick<Panel, 'targets'> & { fieldConfig: object }
type Common = Plain<Omit<Panel, 'type' | 'options' | keyof Free>> & Free
type OwnPanel = { [K in keyof Options]: Common & { type: K; options: Plain<Options[K]> } }[keyof Options]
type Variable = Plain<Omit<VariableModel, 'query'>> & { query: object }
type Own = Plain<Omit<Dashboard, 'panels' | 'templating' | 'id'>> & { panels: OwnPanel[]; templating: { list: Variable[] }; id: null }
export const dashboard: Own = ${json}`
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    types: [],
  }
  const host = ts.createCompilerHost(options)
  const fileExists = host.fileExists.bind(host)
  const getSourceFile = host.getSourceFile.bind(host)
  host.fileExists = (name) => name === file || fileExists(name)
  host.getSourceFile = (name, target, ...rest) =>
    name === file ? ts.createSourceFile(name, source, target) : getSourceFile(name, target, ...rest)
  const program = ts.createProgram([file], options, host)
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}

t.test('Grafana: the dashboard of the import dialog is made of the one that is provisioned', async (t) => {
  const place = directory(t)
  cpSync(GRAFANA, place, { recursive: true })
  writeFileSync(join(place, 'gitops-drift.import.json'), '')
  t.equal(spawnSync(process.execPath, [join(place, 'import.mjs')]).status, 0)
  const made = readFileSync(join(place, 'gitops-drift.import.json'), 'utf8')
  t.equal(text('gitops-drift.import.json'), made, 'run node deploy/grafana/import.mjs')
  t.match(JSON.parse(made), { __inputs: [{ name: 'DS_GITOPS_STATUS' }], uid: 'gitops-drift' })
  t.notMatch(made, '"gitops-status"')
})
