import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { DIRECTORY, generated } from '../../../deploy/grafana/source/files.ts'
import { STATES } from '../../../src/status/schema.ts'
import { formatTime } from '../../../src/status/time.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { type Chosen, type Query, type Row, rowsOf, titled } from '../../support/infinity.ts'
import { needs } from '../../support/machine.ts'
import { type Server, fileOf, serve } from '../../support/server.ts'
import { HOSTILE_NAMES, snapshotOf } from '../../support/snapshots.ts'
import { ADMIN, bearer, guarded } from '../../support/tokens.ts'

const GRAFANA = resolve(import.meta.dirname, '../../../deploy/grafana')
const text = (name: string): string => readFileSync(join(GRAFANA, name), 'utf8')

type Target = Query & { readonly datasource: { readonly uid: string }; readonly panelId?: number }

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly Target[]
}

interface Dashboard {
  readonly uid: string
  readonly id: null
  readonly panels: readonly Panel[]
  readonly templating: {
    readonly list: readonly {
      readonly name: string
      readonly type: string
      readonly allValue?: string
      readonly query: string | { readonly infinityQuery?: Query }
    }[]
  }
}

interface Rule {
  readonly uid: string
  readonly title: string
  readonly condition: string
  readonly dashboardUid: string
  readonly panelId: number
  readonly annotations: Readonly<Record<string, string>>
  readonly data: readonly { readonly refId: string; readonly datasourceUid: string; readonly model: Query }[]
}

const dashboardOf = (uid: string): Dashboard => JSON.parse(text(`dashboards/${uid}.json`)) as Dashboard
const fleet = dashboardOf('gitops-fleet')
const target = dashboardOf('gitops-target')
const ofFile = dashboardOf('gitops-fleet-file')
const { groups } = parse(text('alerting/gitops.yaml')) as { groups: readonly { readonly rules: readonly Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)

/** The queries that a dashboard sends; other panels take the answer of one of these. */
const sent = ({ panels }: Dashboard): Target[] =>
  panels.flatMap(({ targets = [] }) => targets.filter(({ datasource }) => datasource.uid === '${datasource}'))
const variablesOf = ({ templating }: Dashboard): Query[] =>
  templating.list.flatMap(({ query }) => (typeof query === 'string' ? [] : (query.infinityQuery ?? [])))
const asked = ({ data }: Rule): Query[] =>
  data.flatMap(({ model, datasourceUid }) => (datasourceUid === '__expr__' ? [] : model))

/** The variables when all is chosen, and what a person has not touched. */
const everything = ({ templating }: Dashboard): Chosen =>
  Object.fromEntries(
    templating.list.map(({ name, allValue, query }) => [
      name,
      allValue === undefined ? [typeof query === 'string' ? query : ''] : { all: allValue },
    ]),
  )

async function panelRows(
  { url }: Pick<Server, 'url'>,
  of: Dashboard,
  title: string,
  chosen = everything(of),
): Promise<Row[]> {
  const query = of.panels.find((panel) => panel.title === title)?.targets?.[0]
  if (query === undefined) throw new Error(`there is no panel ${title}`)
  return titled(await rowsOf(url, query, chosen), query)
}

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number' && Number.isFinite(value),
  timestamp: (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value),
}

const ago = (minutes: number): string => formatTime(Date.now() - minutes * 60_000)
const edit = (server: Server, change: object): void =>
  writeFileSync(server.file, JSON.stringify({ ...fileOf(server), ...change }))

/** A fleet with a target in each state. */
async function postFleet(server: Server, headers: Record<string, string> = {}): Promise<void> {
  await post(
    server.url,
    [
      { ...snapshotOf({ server: 'drifted' }, ['a', 'b c', 'ü', 'd'], ago(30)), stale_after: 86_400 },
      { ...snapshotOf({ server: 'new' }, ['a'], ago(1)), pipeline_url: 'https://ci.example.net/7' },
      snapshotOf({ server: 'silent' }, ['c'], ago(60)),
      { ...snapshotOf({ server: 'accepted' }, ['a']), commit: 'f'.repeat(40), branch: 'main', labels: { env: 'prod' } },
      { repo: 'other', server: 'failing', check_failed: 'unreachable: no route to host', attempted_at: ago(0) },
      snapshotOf({ server: 'fine' }, []),
      snapshotOf({ repo: 'other', server: 'fine' }, []),
    ],
    { headers },
  )
  const until = formatTime(Date.now() + 3600_000)
  edit(server, {
    accepted: [{ server: 'accepted', until, reason: 'ticket 7' }],
    expected: [{ repo: 'rsyslog', servers: ['never'] }],
  })
  await eventually(async () =>
    matches((await ask(`${server.url}/api/summary`, { headers: bearer(ADMIN) })).json, { accepted: 1, missing: 1 }),
  )
}

t.test('Grafana: every query, on real answers, gives what its columns name', needs('gojq'), async (t) => {
  const states: Record<string, (server: Server) => Promise<unknown>> = {
    'no target': async () => undefined,
    'one in sync': async ({ url }) => post(url, snapshotOf({}, []), { headers: bearer(ADMIN) }),
    'each state': async (server) => postFleet(server, bearer(ADMIN)),
    'hostile names': async ({ url }) =>
      post(
        url,
        HOSTILE_NAMES.map((name) => snapshotOf({ repo: name, server: name }, [name, 'x'])),
        { headers: bearer(ADMIN) },
      ),
  }
  const one = { repo: ['rsyslog'], server: ['drifted'] }
  const seen = new Set<string>()
  for (const [name, prepare] of Object.entries(states)) {
    const server = await guarded(t)
    await prepare(server)
    const choices: [Query[], Chosen][] = [
      ...[fleet, ofFile].map((each): [Query[], Chosen] => [[...sent(each), ...variablesOf(each)], everything(each)]),
      ...[fleet, ofFile].map((each): [Query[], Chosen] => [sent(each), { ...everything(each), ...one }]),
      [[...sent(target), ...variablesOf(target)], { ...everything(target), ...one }],
      [[...sent(target)], { ...everything(target), repo: ['rsyslog'], server: ['accepted'] }],
      [rules.flatMap(asked), {}],
    ]
    for (const [queries, chosen] of choices) {
      for (const query of queries) {
        const rows = titled(await rowsOf(server.url, query, chosen), query)
        const values = rows.flatMap((row) =>
          query.columns.map((column) => ({ column, value: row[column.text] ?? null })),
        )
        const wrong = values.filter(({ column, value }) => value !== null && TYPES[column.type]?.(value) !== true)
        t.same(wrong, [], `${name}: ${query.url} ${query.root_selector}`)
        for (const { column, value } of values) if (value !== null) seen.add(`${query.url} ${column.text}`)
      }
    }
  }
  const all = [
    ...[fleet, ofFile, target].flatMap((each) => [...sent(each), ...variablesOf(each)]),
    ...rules.flatMap(asked),
  ]
  const named = all.flatMap(({ url, columns }) => columns.map((column) => `${url} ${column.text}`))
  t.same(
    [...new Set(named)].filter((column) => !seen.has(column)),
    [],
    'every column has a value somewhere',
  )
})

t.test('Grafana: what the fleet shows, from the server and from the file alone', needs('gojq'), async (t) => {
  const server = await serve(t)
  for (const each of [fleet, ofFile]) {
    const tiles = { targets: 0, longest: 0, newest: -1, none: 0 }
    t.same(
      await panelRows(server, each, 'Targets by state, now'),
      [tiles],
      'nothing is green of which nothing is known',
    )
    t.match(await panelRows(server, each, 'Not in sync, now'), [{ Differences: 'none', Server: null }])
  }
  await postFleet(server)
  for (const each of [fleet, ofFile]) {
    t.match(await panelRows(server, each, 'Targets by state, now'), [
      { targets: 8, drifted: 2, failing: 1, missing: 1, stale: 1, accepted: 1, synced: 2 },
    ])
    t.match(await panelRows(server, each, 'Not in sync, now'), [
      { Server: 'drifted', Status: 'out of sync', Differences: 'a, b c, ü and 1 more' },
      { Server: 'new', Status: 'out of sync', 'Checked by': 'https://ci.example.net/7' },
      { Server: 'failing', Status: 'check failing', Why: 'unreachable: no route to host' },
      { Server: 'never', Status: 'never checked', For: null, Checked: null },
      { Server: 'silent', Status: 'stale' },
      { Server: 'accepted', Status: 'accepted', Why: 'ticket 7', Commit: 'f'.repeat(40), Branch: 'main' },
    ])
    t.match(await panelRows(server, each, 'Repositories, now'), [
      { Repository: 'rsyslog', 'Out of sync': 2, 'Never checked': 1, Stale: 1, Accepted: 1, 'In sync': 1, Failing: 0 },
      { Repository: 'other', Failing: 1, 'In sync': 1 },
    ])
    t.match(await panelRows(server, each, 'Files, now'), [
      { File: 'a', Repository: 'rsyslog', Servers: 2 },
      { Servers: 1 },
      { Servers: 1 },
      { Servers: 1 },
    ])
    const other = { ...everything(each), repo: ['other'] }
    t.match(await panelRows(server, each, 'Targets by state, now', other), [{ targets: 2, failing: 1, synced: 1 }])
    const two = { ...everything(each), server: ['fine', 'new'] }
    t.match(await panelRows(server, each, 'Targets by state, now', two), [{ targets: 3, drifted: 1, synced: 2 }])
    const nobody = { ...everything(each), server: ['nobody'] }
    t.match(await panelRows(server, each, 'Targets by state, now', nobody), [{ none: 0 }])
  }
  const [first, second] = await Promise.all(
    [fleet, ofFile].map(async (each) => panelRows(server, each, 'Not in sync, now')),
  )
  for (const [index, row] of (first ?? []).entries()) {
    for (const age of ['For', 'Checked']) {
      const difference = Number(row[age]) - Number(second?.[index]?.[age])
      t.ok(Math.abs(difference) <= 2, `${String(row['Server'])}: ${age} is the same in both`)
    }
  }
})

t.test('Grafana: a file that nobody writes any more does not stay green', needs('gojq'), async (t) => {
  const server = await serve(t)
  await postFleet(server)
  const old = (minutes: number): Chosen => ({ ...everything(ofFile), stale_after: [String(minutes * 60)] })
  // The server itself takes 10 minutes: nothing here is old for it but what is silent.
  const tiles = async (chosen: Chosen): Promise<Row[]> => panelRows(server, ofFile, 'Targets by state, now', chosen)
  t.match(await tiles(old(10)), [{ synced: 2, stale: 1 }])
  await eventually(async () => matches(await tiles({ ...old(0), stale_after: ['0'] }), [{ stale: 5, missing: 2 }]))
  const [row] = await tiles({ ...old(0), stale_after: ['0'] })
  t.notOk(row !== undefined && ('synced' in row || 'accepted' in row), 'neither in sync nor accepted')
  t.match(await panelRows(server, ofFile, 'Not in sync, now', old(0.5)), [{ Server: 'drifted' }, {}, {}, {}, {}])
})

t.test('Grafana: a copy of the file is judged by the clock', needs('gojq'), async (t) => {
  const entry = {
    repo: 'rsyslog',
    sync_status: 'OUT_OF_SYNC',
    drift_count: 1,
    last_check: ago(1),
    since: ago(90),
    stale: false,
  }
  const files = [{ name: 'a', since: ago(90) }]
  const failed = { since: ago(60), reason: 'no route', pipeline_url: 'https://ci.example.net/8' }
  const statuses = [
    { ...entry, server: 'ended', state: 'accepted', files, accepted_until: ago(2), accepted_reason: 'a' },
    { ...entry, server: 'accepted', state: 'accepted', files, accepted_until: ago(-60), accepted_reason: 'b' },
    // Maintenance: the server knew that the last check is old.
    {
      ...entry,
      server: 'maintained',
      state: 'accepted',
      files,
      accepted_until: ago(-60),
      last_check: ago(60),
      stale: true,
    },
    { ...entry, server: 'failing', state: 'failing', files, failed_check: { ...failed, at: ago(1) } },
    { ...entry, server: 'failed', state: 'failing', files, failed_check: { ...failed, at: ago(30) } },
    { ...entry, server: 'future', state: 'stale', stale: true, files, last_check: ago(-600) },
    {
      ...entry,
      server: 'old',
      state: 'drifted',
      files: [],
      drift_count: 0,
      sync_status: 'SYNCED',
      last_check: ago(30),
    },
    { ...entry, server: 'own', state: 'drifted', files, last_check: ago(30), stale_after: 3600 },
    // Of version 0.1: no state.
    { ...entry, server: 'plain', files: [], drift_count: 0, sync_status: 'SYNCED' },
  ]
  const copy = createServer((_, response) => response.end(JSON.stringify({ generation: 2, statuses })))
  copy.listen(0, '127.0.0.1')
  await once(copy, 'listening')
  t.teardown(() => copy.close())
  const url = `http://127.0.0.1:${(copy.address() as AddressInfo).port}`
  const rows = await panelRows({ url }, ofFile, 'Not in sync, now')
  t.same(Object.fromEntries(rows.map((row) => [row['Server'], row['Status']])), {
    ended: 'out of sync',
    failed: 'out of sync',
    own: 'out of sync',
    failing: 'check failing',
    future: 'stale',
    old: 'stale',
    accepted: 'accepted',
    maintained: 'accepted',
  })
  t.match(
    rows.find((row) => row['Server'] === 'failing'),
    { Why: 'no route', 'Checked by': failed.pipeline_url },
  )
  const old = Number(rows.find((row) => row['Server'] === 'old')?.['For'])
  t.ok(old >= 1200 && old < 1260, `stale since the last check became too old: ${old}`)
  t.match(await panelRows({ url }, ofFile, 'Targets by state, now'), [{ targets: 9, synced: 1 }])
})

t.test('Grafana: what the target shows', needs('gojq'), async (t) => {
  const server = await serve(t)
  const one = (name: string): Chosen => ({ ...everything(target), repo: ['rsyslog'], server: [name] })
  t.match(await panelRows(server, target, 'State, now', one('nobody')), [
    { Status: 'no such target', For: -1, Checked: -1 },
  ])
  t.same(await panelRows(server, target, 'In sync, of this time', one('nobody')), [{ synced: -1, unknown: -1 }])
  await postFleet(server)
  const diff = '--- before\n+++ after\n@@ -1 +1 @@\n-  a: 1\n+\ta: 2\n'
  await post(server.url, {
    ...snapshotOf({ server: 'new' }, []),
    sync_status: 'OUT_OF_SYNC',
    drift_count: 1,
    files: [{ name: 'x', diff }],
  })
  t.match(await panelRows(server, target, 'State, now', one('never')), [{ Status: 'never checked', For: -1 }])
  t.match(await panelRows(server, target, 'State, now', one('accepted')), [
    { Status: 'accepted', Labels: 'env=prod', Why: 'ticket 7' },
  ])
  const lines = await panelRows(server, target, 'Differences, now', one('new'))
  t.same(
    lines.map((row) => row['Difference']),
    [
      '---\u00a0before',
      '+++\u00a0after',
      '@@\u00a0-1\u00a0+1\u00a0@@',
      '-\u00a0\u00a0a:\u00a01',
      '+\u00a0\u00a0\u00a0\u00a0a:\u00a02',
    ],
  )
  t.same(
    lines.map((row) => row['Differences']),
    ['x', null, null, null, null],
  )
  t.match(await panelRows(server, target, 'State over time', one('new')), [
    { status: 'out of sync', target: 'rsyslog / new' },
  ])
  t.match(await panelRows(server, target, 'Changes', one('new')), [{ Became: 'out of sync', Differences: 'x' }, {}])
  await eventually(async () => {
    const [share] = await panelRows(server, target, 'In sync, of this time', one('fine'))
    if (share === undefined || Number(share['unknown']) < 0.9) throw new Error(JSON.stringify(share))
  })
})

/** True if a rule fires on a value. */
const fires = (uid: string, value = Number.NaN): boolean => {
  const { model } = rules.find((each) => each.uid === uid)?.data.at(-1) ?? {}
  const [condition] = (model as unknown as { conditions: { evaluator: { type: string; params: [number] } }[] })
    .conditions
  const { type, params } = condition?.evaluator ?? { type: '', params: [Number.NaN] }
  return type === 'gt' ? value > params[0] : value < params[0]
}

t.test('Grafana: alerts have one number and labels of their own, fire, and resolve', needs('gojq'), async (t) => {
  const server = await serve(t)
  const values = async (uid: string): Promise<Record<string, number>> => {
    const rule = rules.find((each) => each.uid === uid)
    const query = rule === undefined ? undefined : asked(rule)[0]
    if (query === undefined) throw new Error(`there is no rule ${uid}`)
    const number = query.columns.find(({ type }) => type === 'number')?.text ?? ''
    const rows = titled(await rowsOf(server.url, query, {}), query)
    const labelled = rows.map((row) => {
      const { [number]: value, ...labels } = row
      return [Object.values(labels).join(' '), value]
    })
    t.equal(new Set(labelled.map(([labels]) => labels)).size, rows.length, 'no two rows have the same labels')
    return Object.fromEntries(labelled) as Record<string, number>
  }
  for (const rule of rules) {
    for (const { columns } of asked(rule)) t.equal(columns.filter(({ type }) => type === 'number').length, 1, rule.uid)
    t.ok(
      fleet.panels.some(({ id }) => id === rule.panelId),
      `${rule.uid} has a panel`,
    )
    t.match(rule.annotations, { __dashboardUid__: rule.dashboardUid, __panelId__: String(rule.panelId) })
  }
  const OF_NOTHING = ['gitops-drift', 'gitops-failing', 'gitops-stale', 'gitops-missing', 'gitops-acceptance-ends']
  const nothing = async (): Promise<void> => {
    for (const uid of OF_NOTHING) {
      const rows = Object.entries(await values(uid))
      t.equal(rows.length, 1, `${uid}: a healthy fleet has one instance`)
      const [labels, value] = rows[0] ?? []
      t.same([labels?.trim(), fires(uid, value)], ['', false], `${uid}: which is of nobody, and does not fire`)
    }
  }
  await nothing()
  await postFleet(server)
  const drifted = await values('gitops-drift')
  t.same(
    Object.values(drifted).map((value) => fires('gitops-drift', value)),
    [true, false],
    'after 10 minutes',
  )
  t.same(Object.keys(drifted), ['rsyslog drifted', 'rsyslog new'], 'neither what is accepted, nor what is stale')
  t.ok(Math.abs((drifted['rsyslog drifted'] ?? 0) - 1800) < 60, 'for as long as it has drifted')
  t.same(await values('gitops-failing'), { other: 1 })
  t.same(await values('gitops-stale'), { rsyslog: 1 })
  t.same(await values('gitops-missing'), { rsyslog: 1 })
  const ends = await values('gitops-acceptance-ends')
  t.ok((ends['rsyslog accepted'] ?? 0) > 3000 && (ends['rsyslog accepted'] ?? 0) <= 3600)
  const [newest = -1] = Object.values(await values('gitops-nothing-checked'))
  t.ok(newest >= 0 && newest < 60)
  t.same(await values('gitops-status-server'), { '': 1 })
  t.same(await values('gitops-rejected-edit'), { '': 0 })

  writeFileSync(server.file, '{')
  await eventually(async () => matches(await values('gitops-rejected-edit'), { '': 1 }))
  t.same(await values('gitops-internal-error'), { '': 0 })

  await post(
    server.url,
    ['drifted', 'new', 'silent', 'accepted', 'never'].map((name) => snapshotOf({ server: name }, [])),
  )
  await post(server.url, snapshotOf({ repo: 'other', server: 'failing' }, []))
  await nothing()
})

t.test('Grafana: the words of an alert are those of what fires', needs('gojq'), async (t) => {
  const server = await serve(t)
  await postFleet(server)
  const words = async (uid: string): Promise<Row[]> => {
    const query = rules.find((each) => each.uid === uid)?.data.find(({ refId }) => refId === 'W')?.model
    if (query === undefined) throw new Error(`${uid} has no words`)
    return titled(await rowsOf(server.url, query, {}), query)
  }
  t.match(await words('gitops-drift'), [{ server: 'drifted', what: 'a, b c, ü and 1 more' }, { server: 'new' }])
  t.match(await words('gitops-failing'), [{ repo: 'other', newest_reason: 'unreachable: no route to host' }])
})

t.test('Grafana: the committed files are what the source makes, and are small enough for kubectl', async (t) => {
  const files = generated()
  for (const [path, made] of files)
    t.equal(readFileSync(new URL(path, DIRECTORY), 'utf8'), made, `${path}: npm run dashboards`)
  for (const [path, made] of files) {
    if (!path.startsWith('..'))
      t.ok(Buffer.byteLength(made) < 200_000, `${path}: kubectl keeps a copy of at most 256 kB`)
  }
  t.equal([...files.keys()].filter((path) => path.startsWith('dashboards/')).length, 4)
})

t.test('Grafana: dashboards ask little, and panels do not lie upon each other', async (t) => {
  t.ok(sent(fleet).length + variablesOf(fleet).length <= 10, 'a refresh of the fleet is 10 requests at most')
  for (const { uid, panels, id } of [fleet, target, ofFile, dashboardOf('gitops-fleet-prometheus')]) {
    t.equal(id, null, 'Grafana gives it a number')
    t.equal(new Set(panels.map((panel) => panel.id)).size, panels.length, 'each panel has its number')
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)} ${y + Math.floor(cell / w)}`),
    )
    t.equal(new Set(cells).size, cells.length, uid)
    t.ok(
      panels.every(({ gridPos: { x, w } }) => x + w <= 24),
      uid,
    )
    for (const { targets = [], title } of panels) {
      for (const { panelId } of targets) {
        if (panelId !== undefined)
          t.ok(
            panels.some((panel) => panel.id === panelId),
            `${title} takes the answer of a panel`,
          )
      }
    }
  }
  t.same(
    Object.keys(JSON.parse(text('dashboards/gitops-fleet.json')).panels[0].fieldConfig.overrides).length,
    STATES.length + 1,
    'a tile for each state, and for none',
  )
})

t.test('Grafana: the files are what Grafana and its plugin know', async (t) => {
  for (const query of [fleet, target, ofFile].flatMap((each) => [...sent(each), ...variablesOf(each)])) {
    t.match(query, { type: 'json', source: 'url', format: 'table', url_options: { method: 'GET', data: '' } })
    t.equal(query.parser, query.root_selector === '' ? 'backend' : 'jq-backend', 'a parser of the backend')
  }
  knows(t, parse(text('datasources/gitops-status.yaml')), {
    '': ['apiVersion', 'datasources', 'deleteDatasources', 'prune'],
    // prettier-ignore
    datasources: ['name', 'uid', 'type', 'access', 'url', 'jsonData', 'secureJsonData', 'isDefault', 'editable', 'orgId', 'version'],
    // prettier-ignore
    jsonData: ['auth_method', 'allowedHosts', 'proxy_type', 'timeoutInSeconds', 'customHealthCheckEnabled', 'customHealthCheckUrl'],
  })
  knows(t, parse(text('dashboards/gitops.yaml')), {
    '': ['apiVersion', 'providers'],
    // prettier-ignore
    providers: ['name', 'orgId', 'folder', 'folderUid', 'type', 'disableDeletion', 'updateIntervalSeconds', 'allowUiUpdates', 'options'],
    options: ['path', 'foldersFromFilesStructure'],
  })
  const alerting = {
    '': ['apiVersion', 'groups', 'contactPoints', 'policies', 'templates', 'muteTimes', 'deleteRules'],
    groups: ['orgId', 'name', 'folder', 'interval', 'rules'],
    // prettier-ignore
    rules: ['uid', 'title', 'condition', 'data', 'for', 'keepFiringFor', 'missing_series_evals_to_resolve', 'noDataState', 'execErrState', 'annotations', 'labels', 'dashboardUid', 'panelId', 'isPaused', 'notification_settings', 'record'],
    data: ['refId', 'datasourceUid', 'queryType', 'relativeTimeRange', 'model'],
    relativeTimeRange: ['from', 'to'],
    // prettier-ignore
    model: ['refId', 'type', 'source', 'format', 'parser', 'url', 'url_options', 'root_selector', 'columns', 'filters', 'expression', 'conditions'],
    columns: ['selector', 'text', 'type', 'timestampFormat'],
    contactPoints: ['orgId', 'name', 'receivers'],
    receivers: ['uid', 'type', 'settings', 'disableResolveMessage'],
    templates: ['orgId', 'name', 'template'],
    policies: [
      'orgId',
      'receiver',
      'group_by',
      'routes',
      'object_matchers',
      'group_wait',
      'group_interval',
      'repeat_interval',
      'continue',
    ],
    routes: [
      'receiver',
      'group_by',
      'routes',
      'object_matchers',
      'group_wait',
      'group_interval',
      'repeat_interval',
      'continue',
    ],
  }
  knows(t, parse(text('alerting/gitops.yaml')), alerting)
  knows(t, parse(text('notifications.example.yaml')), alerting)
  const [source] = (parse(text('datasources/gitops-status.yaml')) as { datasources: { uid: string }[] }).datasources
  const uids = rules.flatMap(({ data }) => data.map(({ datasourceUid }) => datasourceUid))
  t.same(new Set(uids), new Set([source?.uid, '__expr__']))
})

t.test('Grafana: docs/grafana.md has every dashboard and every alert', async (t) => {
  const page = readFileSync(join(GRAFANA, '../../docs/grafana.md'), 'utf8')
  const tables = ['dashboards', 'alerts'].map(
    (name) => new RegExp(`<!-- ${name} -->([^]*)<!-- /${name} -->`).exec(page)?.[1],
  )
  const named = [...tables.join('\n').matchAll(/^\| ([^-|][^|]*?) +\|/gm)].map(([, name]) => name)
  const titles = [...generated()].flatMap(([path, made]) =>
    path.startsWith('dashboards/') ? (JSON.parse(made) as { title: string }).title : [],
  )
  t.same(named, ['dashboard', ...titles, 'alert', ...rules.map(({ title }) => title)])
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
