import t from 'tap'
import { readCommandLine } from '../../src/settings.ts'

t.test('settings: a flag goes before its variable, an empty variable is not set', async (t) => {
  t.match(readCommandLine([], {}), {
    command: 'run',
    settings: { port: 8080, host: '127.0.0.1', dataDir: './data', staleAfter: 600, logLevel: 'info' },
  })
  const env = { PORT: '1', HOST: '::1', DATA_DIR: '/data', STALE_AFTER: '60', LOG_LEVEL: 'debug' }
  t.match(readCommandLine([], env), {
    settings: { port: 1, host: '::1', dataDir: '/data', staleAfter: 60, logLevel: 'debug' },
  })
  t.match(readCommandLine(['--port', '2', '--stale-after=30'], env), {
    settings: { port: 2, staleAfter: 30, host: '::1' },
  })
  t.match(readCommandLine([], { PORT: '' }), { settings: { port: 8080 } })
  t.match(readCommandLine([], { GITOPS_STATUS_SERVER_PORT: 'tcp://10.0.0.1:80' }), { settings: { port: 8080 } })
})

t.test('settings: all faults are told together', async (t) => {
  const env = { PORT: '80a', HOST: ' ', STALE_AFTER: '0', LOG_LEVEL: 'loud' }
  const asked = readCommandLine(['--prot', '80', 'start', '--data-dir'], env)
  t.match(asked, { command: 'usage-error' })
  const faults = asked.command === 'usage-error' ? asked.faults : []
  for (const expected of [
    '--prot: unknown option',
    'start: unknown command',
    'PORT: must be a whole number from 0 to 65535, not "80a"',
    'HOST: must be an IP address or a host name, not " "',
    'STALE_AFTER: must be a whole number of seconds',
    'LOG_LEVEL: must be one of fatal, error',
    '--data-dir: must be a path, not nothing',
  ]) {
    t.ok(
      faults.some((fault) => fault.startsWith(expected)),
      expected,
    )
  }
  t.match(readCommandLine(['--data-dir', '--port', '80'], {}), { command: 'usage-error' }, 'a forgotten value')
  for (const port of ['-1', '65536', '1e3', '0x50', '8080.0', ' 80']) {
    t.match(readCommandLine([`--port=${port}`], {}), { command: 'usage-error' }, port)
  }
})

t.test('settings: an interval between commits that ends before a reporter gives up', async (t) => {
  t.match(readCommandLine([], {}), { settings: { commitInterval: 0 } })
  t.match(readCommandLine(['--commit-interval', '0'], { COMMIT_INTERVAL: '10' }), { settings: { commitInterval: 0 } })
  t.match(readCommandLine([], { COMMIT_INTERVAL: '20' }), { settings: { commitInterval: 20 } })
  for (const wrong of ['21', '-1', '0.5', '10s']) {
    t.same(
      readCommandLine([], { COMMIT_INTERVAL: wrong }),
      {
        command: 'usage-error',
        faults: [`COMMIT_INTERVAL: must be a whole number of seconds from 0 to 20, not "${wrong}"`],
      },
      wrong,
    )
  }
})

t.test('settings: metrics by target or by repository', async (t) => {
  t.match(readCommandLine([], {}), { settings: { metricsBy: 'target' } })
  t.match(readCommandLine([], { METRICS_BY: 'repository' }), { settings: { metricsBy: 'repository' } })
  t.match(readCommandLine(['--metrics-by=target'], { METRICS_BY: 'repository' }), { settings: { metricsBy: 'target' } })
  t.same(readCommandLine(['--metrics-by', 'server'], {}), {
    command: 'usage-error',
    faults: ['--metrics-by: must be target or repository, not "server"'],
  })
})

t.test('settings: labels for metrics, of which no two are one for Prometheus', async (t) => {
  t.match(readCommandLine([], {}), { settings: { metricLabels: undefined } })
  t.match(readCommandLine([], { METRIC_LABELS: 'env, app.kubernetes.io/name' }), {
    settings: { metricLabels: ['env', 'app.kubernetes.io/name'] },
  })
  t.same(readCommandLine(['--metric-labels', 'a.b,env,a-b'], {}), {
    command: 'usage-error',
    faults: ['METRIC_LABELS: a.b and a-b have the same name in metrics, label_a_b; remove one of them'],
  })
  t.match(readCommandLine(['--metric-labels=env,env'], {}), {
    faults: [/env and env have the same name in metrics, label_env/],
  })
  for (const wrong of ['env,', ',', '1st', 'a b', 'ü', `a${'b'.repeat(63)}`]) {
    t.match(readCommandLine([`--metric-labels=${wrong}`], {}), { faults: [/must be names of labels/] }, wrong)
  }
})

const readExpected = (...args: string[]): unknown => readCommandLine(['expected', ...args], { PORT: 'x' })

t.test('settings: the options of expected are its own', async (t) => {
  const options = { command: 'expected', inventories: ['x'], repo: 'y' }
  t.same(readExpected('--inventory', 'x', '--repo=y'), { ...options, limit: undefined })
  t.same(readExpected('-i', '-x', '-i', 'a,b,', '--repo', 'y', '-l', '!z'), {
    ...options,
    inventories: ['-x', 'a,b,'],
    limit: '!z',
  })
  t.same(readExpected('-i', 'x', '-h'), { command: 'help', of: 'expected' })
  const cases: [args: string[], ...faults: string[]][] = [
    [[], '--inventory: must be given at least once', '--repo: must be given exactly once'],
    [['--repo', 'x'], '--inventory: must be given at least once'],
    [['-i', 'x'], '--repo: must be given exactly once'],
    [['--repo', 'x', '--repo', 'y', '-i', 'x'], '--repo: must be given exactly once'],
    [['--inventory', '--repo', 'x'], '--inventory: must have a value'],
    [['--repo', 'x', '-i'], '-i: must have a value'],
    [['--repo=', '-i', 'x'], '--repo: must have a value'],
    [['--repo', 'x', '-i', 'x', '--limit=a', '-l', 'b'], '--limit: must not be given twice'],
    [['--repo', 'x', '-i', 'x', '--port=1'], '--port: unknown option of expected; see expected --help'],
    [['--repo', 'x', '-i', 'x', 'y'], 'y: expected takes no file; see expected --help'],
  ]
  for (const [args, ...faults] of cases)
    t.same(readExpected(...args), { command: 'usage-error', faults }, args.join(' '))
})

const read = (args: readonly string[], env: Record<string, string> = {}) => readCommandLine(['gate', ...args], env)

t.test('settings: the command line of gate', async (t) => {
  const url = ['--url', 'https://status.example.net/drift']
  const faultsOf = (args: readonly string[], env: Record<string, string> = {}): string => {
    const line = read(args, env)
    return line.command === 'usage-error' ? line.faults.join('; ') : line.command
  }
  const plain = read(url, { PORT: 'x' })
  t.match(plain, { command: 'gate', filter: [], timeoutSeconds: 30, token: undefined })
  t.equal(plain.command === 'gate' && plain.url.href, 'https://status.example.net/drift/')
  const many = read(
    [
      ...url,
      '--repo',
      'a',
      '--repo=b*',
      '--server',
      '-x',
      '--label',
      'env!=prod',
      '--allow',
      'stale',
      '--allow=accepted,missing',
    ],
    { STATUS_TOKEN: 'abc' },
  )
  t.match(many, { command: 'gate', token: 'abc' })
  t.same(many.command === 'gate' && many.filter, [
    ['repo', 'a'],
    ['repo', 'b*'],
    ['server', '-x'],
    ['label', 'env!=prod'],
  ])
  t.same(many.command === 'gate' && [...many.allow].toSorted(), ['accepted', 'missing', 'stale'])

  t.match(faultsOf([]), /^--url: must be/)
  for (const address of ['status.example.net', 'ftp://a', 'http://', 'https://u:p@a', 'https://a?b', 'https://a#b'])
    t.match(faultsOf(['--url', address]), /^--url: must be the http or https address/, address)
  t.match(faultsOf([...url, ...url]), '--url: must be given once')
  for (const states of ['drifted', 'fine', 'stale,drifted', 'synced', 'stale,', ',', 'Stale'])
    t.match(
      faultsOf([...url, '--allow', states]),
      /^--allow: must be one or more of failing, missing, stale, accepted/,
      states,
    )
  for (const seconds of ['0', '3601', '1.5', '-1', '1e3', 'x'])
    t.match(faultsOf([...url, '--timeout', seconds]), /^--timeout: must be a whole number/, seconds)
  for (const flag of ['--repo', '--server', '--label', '--allow', '--timeout']) {
    t.match(faultsOf([...url, `${flag}=`]), `${flag}: a value is missing`)
    t.match(faultsOf([...url, flag]), `${flag}: a value is missing`)
    t.match(faultsOf([...url, flag, '--repo', 'x']), `${flag}: a value is missing`)
  }
  t.match(faultsOf([...url, '--port', '80']), '--port: unknown option of gate')
  t.match(faultsOf([...url, '--state', 'drifted']), '--state: unknown option of gate')
  t.match(faultsOf([...url, 'web-1']), 'gate: expected no operand, not "web-1"')
  t.equal(faultsOf(url, { STATUS_TOKEN: 'a b' }), 'STATUS_TOKEN: is not a token')
  t.match(readCommandLine(['--url', 'http://a'], {}), { faults: ['--url: unknown option; see --help'] })
})
