import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import { parse, stringify } from 'yaml'
import { directory } from '../../support/directory.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { needs } from '../../support/machine.ts'
import { serve } from '../../support/server.ts'
import { DRIFTED, HOSTILE_NAMES, snapshotOf } from '../../support/snapshots.ts'

const DEPLOY = resolve(import.meta.dirname, '../../../deploy')

t.test(
  'Prometheus: takes the metrics as they are, and answers a query',
  { timeout: 60_000, ...needs('promtool', 'prometheus') },
  async (t) => {
    const server = await serve(t)
    await post(server.url, [DRIFTED, ...HOSTILE_NAMES.map((name) => snapshotOf({ repo: name, server: name }))])
    const { text } = await ask(`${server.url}/metrics`)
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
    t.same([checked.status, checked.stdout, checked.stderr], [0, '', ''])

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
    const args = [
      '--config.file=prometheus.yml',
      `--storage.tsdb.path=${place}/data`,
      '--web.listen-address=127.0.0.1:0',
    ]
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
    const query = async (expression: string): Promise<unknown> => {
      const { json } = await ask(`http://${address}/api/v1/query?query=${encodeURIComponent(expression)}`)
      const { data } = json as { data: { result: { metric: Record<string, string>; value: [number, string] }[] } }
      return data.result.map(({ metric, value }) => [metric['repo'], metric['server'], value[1]])
    }
    await eventually(
      async () => matches(await query('gitops_drift_files > 0'), [['rsyslog', 'rsyslog-lab', '2']]),
      30_000,
    )
    t.same(await query('count(gitops_sync_status)'), [[undefined, undefined, String(HOSTILE_NAMES.length + 1)]])
    for (const name of HOSTILE_NAMES) {
      t.same(await query(`gitops_sync_status{repo=${JSON.stringify(name)}}`), [[name, name, '1']])
    }
  },
)

t.test('Prometheus: the alerting rules do what their own tests say', needs('promtool'), async (t) => {
  promtool(t, 'check', 'config', 'prometheus.yml')
  promtool(t, 'test', 'rules', 'gitops.rules.test.yml')
})

t.test('Prometheus: each rule is tested to fire and not to fire, and the README has it', async (t) => {
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
  const readme = readFileSync(join(DEPLOY, '../README.md'), 'utf8')
  const [, table = ''] = /## Prometheus\n([^]*?)\n## /.exec(readme) ?? []
  t.same(
    [...table.matchAll(/^\| `(Gitops\w+)` +\|/gm)].map(([, name]) => name),
    alerts,
  )
})

function promtool(t: Test, ...args: string[]): void {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: join(DEPLOY, 'prometheus'), encoding: 'utf8' })
  t.equal(status, 0, stdout + stderr)
}
