import { execFile, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { directory } from '../../support/directory.ts'
import { ask, post } from '../../support/http.ts'
import { needs } from '../../support/machine.ts'
import { type Server, serve } from '../../support/server.ts'
import { DRIFTED, HOSTILE_NAMES, SYNCED, snapshotOf } from '../../support/snapshots.ts'
import { ADMIN, bearer, guarded } from '../../support/tokens.ts'

const CONFIGURATION = join(import.meta.dirname, 'contract')
const SEED = '1'
const EXAMPLES = '4'

t.test('Python’s jsonschema: takes the schema, the file, and refuses what is wrong', needs('jsonschema'), async (t) => {
  const server = await serve(t)
  await post(server.url, [DRIFTED, ...HOSTILE_NAMES.map((name) => snapshotOf({ repo: name, server: name }, [name]))])
  const schema = join(server.dataDir, 'status.schema.json')
  const wrong = {
    twice: [DRIFTED, DRIFTED],
    contradiction: [{ ...SYNCED, drift_count: 1 }],
    control: [{ ...DRIFTED, server: 'a\u0085' }],
    date: [{ ...DRIFTED, last_check: '2026-02-30T10:32:15Z' }],
  }
  const place = directory(
    t,
    Object.fromEntries(Object.entries(wrong).map(([name, statuses]) => [name, JSON.stringify({ statuses })])),
  )
  const check = (file: string) => spawnSync('jsonschema', ['--instance', file, schema], { encoding: 'utf8' })
  const { status, stdout, stderr } = check(server.file)
  t.equal(status, 0, stdout + stderr)
  for (const name of Object.keys(wrong)) {
    const { status: refused, stderr: reason } = check(join(place, name))
    t.equal(refused, 1, name)
    t.notMatch(reason, 'Traceback', name)
  }
})

t.test('Redocly and Spectral: find nothing wrong with /openapi.json', needs('redocly', 'spectral'), async (t) => {
  const server = await serve(t)
  const file = join(directory(t, { 'openapi.json': (await ask(`${server.url}/openapi.json`)).text }), 'openapi.json')
  const linters = [
    ['redocly', 'lint', '--format=json', file],
    ['spectral', 'lint', '--fail-severity=warn', `--ruleset=${join(CONFIGURATION, 'spectral.yaml')}`, file],
  ] as const
  for (const [command, ...args] of linters) {
    // `NODE_OPTIONS` has the modules that tap loads into every child process.
    const env = { ...process.env, NODE_OPTIONS: '', REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env })
    t.equal(status, 0, `${command}: ${stdout}${stderr}`)
    if (command === 'redocly') t.match(JSON.parse(stdout), { totals: { errors: 0, warnings: 0, ignored: 0 } })
  }
})

const SCHEMATHESIS = { timeout: 300_000, ...needs('schemathesis') }

t.test('schemathesis: every answer is as described, without tokens', SCHEMATHESIS, async (t) => {
  await schemathesis(t, await serve(t))
})

t.test('schemathesis: every answer is as described, with tokens', SCHEMATHESIS, async (t) => {
  await schemathesis(t, await guarded(t, true), bearer(ADMIN))
})

async function schemathesis(t: Test, { url, lines }: Server, headers: Record<string, string> = {}): Promise<void> {
  const args = [
    `--config-file=${join(CONFIGURATION, 'schemathesis.toml')}`,
    'run',
    `${url}/openapi.json`,
    '--checks=all',
    `--seed=${SEED}`,
    `--max-examples=${EXAMPLES}`,
    '--generation-database=none',
    '--continue-on-failure',
    '--no-color',
    ...Object.entries(headers).map(([name, value]) => `--header=${name}: ${value}`),
  ]
  const env = { ...process.env, SCHEMATHESIS_HOOKS: 'hooks', PYTHONPATH: CONFIGURATION, PYTHONDONTWRITEBYTECODE: '1' }
  // It keeps a cache in its working directory, and begins the next run with it.
  const options = { cwd: directory(t), env, maxBuffer: 64 * 1024 * 1024 }
  const { stdout, failed } = await promisify(execFile)('schemathesis', args, options).then(
    (result) => ({ stdout: result.stdout, failed: false }),
    (error: unknown) => ({
      stdout: error instanceof Error && 'stdout' in error ? String(error.stdout) : '',
      failed: true,
    }),
  )
  t.notOk(failed, stdout)
  const [, cases = '0'] = /(\d+) generated/.exec(stdout) ?? []
  t.ok(Number(cases) > 300, `${cases} cases`)
  t.match(stdout, /Selected: (\d+)\/\1\s+Tested: \1\n/, 'every operation')
  const posted = lines.filter(({ msg }) => msg === 'posted').length
  t.ok(posted > 20, `${posted} posts were accepted`)
}
