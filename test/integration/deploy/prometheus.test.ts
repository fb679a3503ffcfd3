import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import { parse, stringify } from 'yaml'
import { directory } from '../../support/directory.ts'
import { formatTime } from '../../../src/status/time.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { needs } from '../../support/machine.ts'
import { type Server, serve } from '../../support/server.ts'
import { DRIFTED, HOSTILE_NAMES, snapshotOf } from '../../support/snapshots.ts'

const DEPLOY = resolve(import.meta.dirname, '../../../deploy')

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number]

const byName = (samples: readonly Sample[]): Record<string, number> =>
  Object.fromEntries(samples.map(([labels, value]) => [labels['state'] ?? labels['server'] ?? '', value]))

/** A Prometheus that scrapes a server every second; resolves with what answers a query. */
async function scraping(t: Test, server: Pick<Server, 'url'>): Promise<(expression: string) => Promise<Sample[]>> {
  const place = directory(t)
  const config = parse(readFileSync(join(DEPLOY, 'prometheus/prometheus.yml'), 'utf8')) as {
    rule_files: string[]
    scrape_configs: { scrape_interval: string; static_configs: { targets: string[] }[] }[]
  }
  config.rule_files = [join(DEPLOY, 'prometheus/gitops.rules.yml')]
  for (const scrape of config.scrape_configs) {
    scrape.scrape_interval = '1s'
    scrape.static_configs = [{ targets: [new URL(server.url).host] }]
  }
  writeFileSync(join(place, 'prometheus.yml'), stringify(config))
  const args = ['--config.file=prometheus.yml', `--storage.tsdb.path=${place}/data`, '--web.listen-address=127.0.0.1:0']
  const prometheus = spawn('prometheus', args, { cwd: place, stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = new Promise((done) => prometheus.once('exit', done))
  t.teardown(async () => {
    prometheus.kill('SIGKILL')
    await ended
    rmSync(place, { recursive: true, force: true })
  })
  let log = ''
  prometheus.stderr.on('data', (chunk) => (log += String(chunk)))
  const address = await eventually(() => {
    const [, found] = /msg="Listening on" address=(\S+)/.exec(log) ?? []
    if (found === undefined) throw new Error(log)
    return found
  }, 30_000)
  return async (expression) => {
    const { json } = await ask(`http://${address}/api/v1/query?query=${encodeURIComponent(expression)}`)
    const { data, error } = json as {
      data?: { result: { metric: Record<string, string>; value: [number, string] }[] }
      error?: string
    }
    if (data === undefined) throw new Error(`${expression}: ${error}`)
    return data.result.map(({ metric, value }) => [metric, Number(value[1])])
  }
}

t.test(
  'Prometheus: takes the metrics as they are, and answers a query',
  { timeout: 60_000, ...needs('promtool', 'prometheus') },
  async (t) => {
    const server = await serve(t)
    await post(server.url, [DRIFTED, ...HOSTILE_NAMES.map((name) => snapshotOf({ repo: name, server: name }))])
    const { text } = await ask(`${server.url}/metrics`)
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
    t.same([checked.status, checked.stdout, checked.stderr], [0, '', ''])
    const query = await scraping(t, server)
    await eventually(
      async () => matches(await query('gitops_drift_files > 0'), [[{ repo: 'rsyslog', server: 'rsyslog-lab' }, 2]]),
      30_000,
    )
    t.same(await query('count(gitops_sync_status)'), [[{}, HOSTILE_NAMES.length + 1]])
    for (const name of HOSTILE_NAMES) {
      t.match(await query(`gitops_sync_status{repo=${JSON.stringify(name)}}`), [[{ repo: name, server: name }, 1]])
    }
  },
)

t.test(
  'Prometheus: every query of its dashboard says what is so',
  { timeout: 60_000, ...needs('promtool', 'prometheus') },
  async (t) => {
    const { panels } = JSON.parse(
      readFileSync(join(DEPLOY, 'grafana/dashboards/gitops-fleet-prometheus.json'), 'utf8'),
    ) as { panels: { title: string; targets?: { expr: string }[] }[] }
    const expressions = (title: string): string[] =>
      panels.flatMap((panel) =>
        panel.title === title ? (panel.targets ?? []).map(({ expr }) => expr.replaceAll(/\$(repo|server)/g, '.*')) : [],
      )
    const server = await serve(t)
    const query = await scraping(t, server)
    const first = async (title: string): Promise<Sample[]> => query(expressions(title)[0] ?? '')
    await eventually(async () => matches(await query('gitops_status_server_ready'), [[{}, 1]]), 30_000)
    t.same(await first('Targets by state, now'), [[{ state: 'none' }, 0]])
    t.same([await first('Longest drift'), await first('Newest check'), await first('Targets')].flat(), [
      [{}, 0],
      [{}, -1],
      [{}, 0],
    ])

    await post(server.url, [
      snapshotOf({ server: 'drifted' }, ['a', 'b'], formatTime(Date.now() - 60_000)),
      snapshotOf({ server: 'silent' }, [], formatTime(Date.now() - 3600_000)),
      snapshotOf({ server: 'fine' }, []),
      { repo: 'other', server: 'failing', check_failed: 'unreachable', attempted_at: formatTime(Date.now()) },
    ])
    await eventually(async () => matches(await first('Targets'), [[{}, 4]]), 30_000)
    t.same(byName(await first('Targets by state, now')), { drifted: 1, stale: 1, synced: 1, failing: 1 })
    const [longest = -1] = Object.values(byName(await first('Longest drift')))
    t.ok(longest >= 60 && longest < 120, `${longest}`)
    const [states, since, files, checked, info] = await Promise.all(expressions('Not in sync, now').map(query))
    t.same(byName(states ?? []), { drifted: 1, stale: 1, failing: 1 })
    t.same(Object.keys(byName(since ?? [])), ['drifted'])
    t.same(byName(files ?? []), { drifted: 2, silent: 0 })
    t.same(Object.keys(byName(checked ?? [])).toSorted(), ['drifted', 'silent'])
    t.equal(info?.length, 3)
    t.same(byName(await first('Not in sync over time')), { drifted: 1, stale: 1, failing: 1, missing: 0, accepted: 0 })
    const numbers = byName(await first('State over time'))
    t.same(numbers, { drifted: 0, failing: 1, silent: 3 }, 'the place of the state, and nothing that is in sync')
    t.match(await first('Repositories, now'), { length: 12 })
  },
)

t.test('Prometheus: the alerting rules do what their own tests say', needs('promtool'), async (t) => {
  promtool(t, 'check', 'config', 'prometheus.yml')
  promtool(t, 'test', 'rules', 'gitops.rules.test.yml')
})

t.test('Prometheus: each rule is tested to fire and not to fire, and docs/prometheus.md has it', async (t) => {
  const read = (name: string): unknown => parse(readFileSync(join(DEPLOY, 'prometheus', name), 'utf8'))
  const { groups } = read('gitops.rules.yml') as { groups: { rules: { alert?: string }[] }[] }
  const { tests } = read('gitops.rules.test.yml') as {
    tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[]
  }
  const alerts = groups.flatMap(({ rules }) => rules.flatMap(({ alert }) => alert ?? []))
  const tried = tests.flatMap((each) => each.alert_rule_test)
  for (const fires of [true, false]) {
    const names = tried.filter((each) => each.exp_alerts.length > 0 === fires).map(({ alertname }) => alertname)
    t.same(new Set(names), new Set(alerts), fires ? 'fires' : 'does not fire')
  }
  const page = readFileSync(join(DEPLOY, '../docs/prometheus.md'), 'utf8')
  const [, table = ''] = /<!-- alerts -->([^]*)<!-- \/alerts -->/.exec(page) ?? []
  t.same(
    [...table.matchAll(/^\| `(Gitops\w+)` +\|/gm)].map(([, name]) => name),
    alerts,
  )
})

function promtool(t: Test, ...args: string[]): void {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: join(DEPLOY, 'prometheus'), encoding: 'utf8' })
  t.equal(status, 0, stdout + stderr)
}
