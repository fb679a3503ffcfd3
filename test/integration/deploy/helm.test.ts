import { Ajv } from 'ajv'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { PAGE, values as valuesOfSchema, withTable } from '../../../deploy/helm/values.ts'
import { repository, version } from '../../../src/project.ts'
import { SETTINGS } from '../../../src/settings.ts'
import { directory } from '../../support/directory.ts'
import { read, ROOT } from '../../support/docs/pages.ts'
import { post } from '../../support/http.ts'
import { CHART, helm, KUBE_VERSION, render, runSync, template, type Values } from '../../support/kubernetes/helm.ts'
import { find, isRestricted, podOf, type Resource, resourcesOf } from '../../support/kubernetes/resources.ts'
import { KUBERNETES_SCHEMAS, writeSchemas } from '../../support/kubernetes/schemas.ts'
import { needs } from '../../support/machine.ts'
import { freePort } from '../../support/port.ts'
import { serve } from '../../support/server.ts'
import { SYNCED } from '../../support/snapshots.ts'

// Each test takes a copy: tap writes into the options of a test that -g leaves out.
const WITH_HELM = needs('helm')
const WITH_SCHEMAS = needs('helm', 'kubeconform', KUBERNETES_SCHEMAS)

const SCHEMA = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Schema
const DEFAULTS = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Values
const FILES = readdirSync(join(CHART, 'ci'))
/** The values of each file in ci. */
const COMBINATIONS = new Map(
  FILES.map((name) => [name, parse(readFileSync(join(CHART, 'ci', name), 'utf8')) as Values]),
)

interface Schema {
  readonly type?: string
  readonly additionalProperties?: unknown
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly definitions?: Readonly<Record<string, Schema>>
}

t.test('Helm: the version of the chart is that of package.json', async (t) => {
  t.match(parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')), { version, appVersion: version })
})

t.test(
  'Helm: every value has its default in values.yaml and a description, and is in docs/install/helm.md',
  async (t) => {
    for (const { path, fallback, description } of valuesOfSchema()) {
      t.match(description, /\.$/, path)
      // The server has its own defaults of settings.
      if (!path.startsWith('settings.')) t.same(at(DEFAULTS, path), fallback, path)
    }
    t.same(
      leaves(DEFAULTS).filter(
        (path) => !valuesOfSchema().some((value) => path === value.path || path.startsWith(`${value.path}.`)),
      ),
      ['settings'],
      'values.yaml has nothing else',
    )
    const page = readFileSync(PAGE, 'utf8')
    t.equal(page, await withTable(page), 'npx tsx deploy/helm/values.ts')
  },
)

/** Settings whose values are fewer in a pod than elsewhere, with those of SAMPLES that only the server accepts. */
const NARROWER: Readonly<Record<string, { readonly fallback?: unknown; readonly refused: readonly unknown[] }>> = {
  // A port that a user without rights can listen on, and a known one.
  port: { refused: [0, 1, 16, 17, 1023] },
  // Otherwise no other pod reaches the server.
  host: { fallback: '0.0.0.0', refused: ['x', 'info', 'text', '127.0.0.1', '/data', 'data'] },
  dataDir: { fallback: '/data', refused: ['x', 'info', 'text', '0.0.0.0', '::', '127.0.0.1', 'data'] },
  tokensFile: { refused: ['x', 'info', 'text', '0.0.0.0', '::', '127.0.0.1', 'data'] },
}

const SAMPLES: readonly unknown[] = [
  [-1, 0, 1, 16, 17, 1023, 1024, 3650, 3651, 65_535, 65_536, 315_360_000, 315_360_001, true, false],
  ['', ' ', 'x', 'info', 'text', '0.0.0.0', '::', '127.0.0.1', '/data', 'data'],
  [
    [],
    ['loopback'],
    ['10.0.0.0/8', 'fd00::/8', '192.0.2.1'],
    ['10.0.0.0/33'],
    ['300.0.0.1'],
    ['x y'],
    ['env', 'owner'],
  ],
].flat()

t.test('Helm: the schema knows every setting of the server, and agrees with it about values', async (t) => {
  const settings = SCHEMA.properties?.['settings']?.properties ?? {}
  t.same(Object.keys(settings), Object.keys(SETTINGS))
  const ajv = new Ajv({ strict: false })
  for (const [name, { env, fallback, help, read: parseSetting }] of Object.entries(SETTINGS)) {
    t.equal(name.replaceAll(/[A-Z]/g, '_$&').toUpperCase(), env, 'the template makes the variable of the name')
    const schema = settings[name] ?? {}
    const own = NARROWER[name]
    t.match(schema, { description: help, default: own?.fallback ?? fallback ?? null }, name)
    const isValid = ajv.compile(schema)
    const types = new Set([schema, ...(schema.anyOf ?? [])].map(({ type }) => type))
    const refused: unknown[] = []
    for (const sample of SAMPLES) {
      const isKnown = parseSetting(Array.isArray(sample) ? sample.join(',') : String(sample)) !== undefined
      if (isValid(sample)) t.ok(isKnown, `${name}: ${JSON.stringify(sample)}`)
      else if (isKnown && types.has(typeOf(sample))) refused.push(sample)
    }
    t.same(refused, own?.refused ?? [], name)
  }
})

t.test('Helm: the program of `helm test` waits until the server is ready, and fails if it never is', async (t) => {
  const program = join(CHART, 'files/ready.mjs')
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/readyz`
  t.match(await ready([program], url, '1'), { code: 1, stdout: `${url}: not ready: connect ECONNREFUSED` })
  const waiting = ready([program], url, '60')
  await serve(t, directory(t), { port })
  t.match(await waiting, { code: 0, stdout: `${url}: ready\n` })

  const broken = createServer((_request, response) => {
    response.writeHead(503).end('{"ready":false,"problems":[{"kind":"volume-full"}]}')
  }).listen(0, '127.0.0.1')
  t.teardown(() => broken.close())
  await once(broken, 'listening')
  const address = broken.address()
  const other = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/readyz`
  t.match(await ready([program], other, '1'), { code: 1, stdout: `${other}: not ready: 503 [{"kind":"volume-full"}]` })
})

t.test('Helm: lint, with each combination of values', { ...WITH_HELM }, async (t) => {
  const outcomes = await Promise.all(
    FILES.map(async (name) => {
      const { code, stdout, stderr } = await helm([
        'lint',
        '--strict',
        KUBE_VERSION,
        CHART,
        '--values',
        join(CHART, 'ci', name),
      ])
      return code === 0 ? undefined : `${name}: ${stdout}${stderr}`
    }),
  )
  t.same(outcomes.filter(Boolean), [])
  const copy = chartWith(t, 'Chart.yaml', (text) => text.replace('type: application', 'type: app'))
  t.match(await helm(['lint', '--strict', copy]), { code: 1, stdout: /type must be application or library/ })
})

t.test(
  'Helm: all that is rendered is valid, and has no key that the API does not know',
  { ...WITH_SCHEMAS },
  async (t) => {
    t.ok(FILES.length >= 8, `${FILES.length} combinations`)
    const rendered = directory(t)
    const location = writeSchemas(join(rendered, 'schemas'))
    // What only this combination has is given a key that the API does not know.
    const broken = new Map<string, string>()
    await Promise.all(
      [...COMBINATIONS].map(async ([name, values]) => {
        const resources = await render(values)
        const text = resources.map((each) => JSON.stringify(each)).join('\n---\n')
        writeFileSync(join(rendered, name), text)
        const [key = '', wrong = ''] = BREAKS[name] ?? []
        t.equal(text.split(key).length > 1, true, `${name} has ${key}`)
        writeFileSync(join(rendered, `broken-${name}`), text.replace(key, wrong))
        broken.set(`broken-${name}`, wrong)
      }),
    )
    const args = ['-strict', '-output', 'json', '-schema-location', location]
    const good = runSync('kubeconform', [...args, '-summary', ...FILES.map((name) => join(rendered, name))])
    t.match(JSON.parse(good.stdout), { resources: [], summary: { invalid: 0, errors: 0, skipped: 0 } }, good.stderr)
    t.equal(good.code, 0)
    const { summary } = JSON.parse(good.stdout) as { summary: { valid: number } }
    t.ok(summary.valid > FILES.length * 5, `${summary.valid} objects`)

    const bad = runSync('kubeconform', [...args, ...[...broken.keys()].map((name) => join(rendered, name))])
    const { resources } = JSON.parse(bad.stdout) as { resources: { filename: string; msg: string }[] }
    for (const [name, key] of broken) {
      const faults = resources.filter(({ filename }) => filename.endsWith(`/${name}`))
      t.equal(faults.length, 1, `${name}: ${key}`, { faults })
    }
  },
)

/** For each combination, a text of an object that it has because of its values, and a fault in it. */
const BREAKS: Readonly<Record<string, readonly [string, string]>> = {
  'claim.yaml': ['"minAvailable":1', '"minAvailable":{}'],
  'closed.yaml': ['"cidr":', '"CIDR":'],
  'defaults.yaml': ['"claimName":', '"claim":'],
  'ingress.yaml': ['"ingressClassName":', '"class":'],
  'monitoring.yaml': ['"interval":', '"every":'],
  'open.yaml': ['"fsGroup":65001', '"fsGroup":"65001"'],
  'placement.yaml': ['"preference":', '"prefers":'],
  'protected.yaml': ['"credentials":', '"credential":'],
  'readers.yaml': ['"initContainers":', '"initialContainers":'],
  'registry.yaml': ['"imagePullSecrets":[{', '"imagePullSecrets":["registry",{'],
  'replicas.yaml': ['"storageClassName":', '"storageClass":'],
  'settings.yaml': ['"containerPort":9090', '"containerPort":"9090"'],
  'sign-in.yaml': ['"pathType":', '"pathtype":'],
}

t.test('Helm: each value changes what is rendered, and is in a combination', { ...WITH_HELM }, async (t) => {
  const unused = new Set(valuesOfSchema().map(({ path }) => path))
  const unchanged: string[] = []
  await Promise.all(
    [...COMBINATIONS].map(async ([name, values]) => {
      const whole = await template(values)
      for (const path of unused) {
        if (at(values, path) === undefined) continue
        unused.delete(path)
        const without = await template(copyWithout(values, path))
        if (without.stdout === whole.stdout) unchanged.push(`${name}: ${path}`)
      }
    }),
  )
  t.same([...unused], [], 'in a combination')
  t.same(unchanged, [])
})

t.test('Helm: a value that the chart does not know, or of the wrong kind, is refused', { ...WITH_HELM }, async (t) => {
  const refused: readonly [Values, RegExp][] = [
    [{ replica: 2 }, /additional properties 'replica' not allowed/],
    [{ image: { registry: 'x' } }, /at '\/image': additional properties 'registry' not allowed/],
    [{ settings: { staleafter: 60 } }, /at '\/settings': additional properties 'staleafter' not allowed/],
    [{ settings: { staleAfter: '10m' } }, /at '\/settings\/staleAfter': got string, want integer/],
    [{ persistence: { accessMode: 'RWX' } }, /at '\/persistence\/accessMode': value must be one of/],
    [{ networkPolicy: { from: [{}] } }, /at '\/networkPolicy\/from\/0'/],
    [{ serviceMonitor: { tokenSecret: { secret: 'x' } } }, /additional properties 'secret' not allowed/],
    [{ securityContext: { runAsUser: 0 } }, /at '\/securityContext\/runAsUser'/],
    [{ resources: { memory: '1Gi' } }, /at '\/resources': additional properties 'memory' not allowed/],
  ]
  await Promise.all(
    refused.map(async ([values, message]) => {
      t.match(await template(values), { code: 1, stderr: message }, JSON.stringify(values))
    }),
  )
  t.same(open(SCHEMA, ''), [], 'no object of the schema has room for keys that nobody reads')
})

t.test('Helm: values that do not fit together are refused, with what was expected', { ...WITH_HELM }, async (t) => {
  const tokens = { tokens: { existingSecret: 'tokens' } }
  const shared = { persistence: { accessMode: 'ReadWriteMany' } }
  const refused: readonly [Values, RegExp][] = [
    [{ replicas: 2 }, /^replicas: 2 servers .*expected persistence\.accessMode ReadWriteMany, not ReadWriteOnce$/m],
    [{ replicas: 2, persistence: { existingClaim: 'x' } }, /^replicas: .*expected persistence\.accessMode/m],
    [{ settings: { protectReads: true } }, /^settings\.protectReads: .*expected tokens\.existingSecret/m],
    [
      { settings: { tokensFile: '/x/tokens.json' } },
      /^settings\.tokensFile: no volume has \/x\/tokens\.json; expected /m,
    ],
    [
      {
        ...tokens,
        settings: { tokensFile: '/x' },
        extraVolumes: [{ name: 'x' }],
        extraVolumeMounts: [{ name: 'x', mountPath: '/x' }],
      },
      /^settings\.tokensFile: tokens\.existingSecret is set as well; expected only one of them$/m,
    ],
    [{ ...tokens, ingress: { enabled: true } }, /^ingress\.host: is empty; expected the name/m],
    [
      { ingress: { enabled: true, host: 'a.example.net' } },
      /^ingress\.enabled: .*expected tokens\.existingSecret, or ingress\.withoutTokens/m,
    ],
    [
      { ...tokens, settings: { protectReads: true }, serviceMonitor: { enabled: true } },
      /^serviceMonitor\.tokenSecret\.name: .*expected a Secret/m,
    ],
    [{ ...tokens, settings: { protectReads: true }, grafana: { enabled: true } }, /^grafana\.token: .*expected true/m],
    [
      { readers: { enabled: true } },
      /^readers\.enabled: .*expected persistence\.accessMode ReadWriteMany, not ReadWriteOnce$/m,
    ],
    [
      { ...shared, ...tokens, settings: { protectReads: true }, readers: { enabled: true } },
      /^readers\.enabled: the readers ask for no token/m,
    ],
    [
      { ...shared, settings: { dataDir: '/srv' }, readers: { enabled: true } },
      /^settings\.dataDir: .*expected \/data/m,
    ],
    [{ labels: { 'app.kubernetes.io/name': 'x' } }, /^labels: the chart sets app\.kubernetes\.io\/name itself/m],
    [{ podLabels: { 'app.kubernetes.io/component': 'x' } }, /^podLabels: the chart sets/m],
    [{ extraEnv: [{ name: 'HOST', value: 'x' }] }, /^extraEnv: HOST is set twice/m],
    [{ extraVolumes: [{ name: 'data' }] }, /^extraVolumes: data is there already/m],
    [
      { extraVolumeMounts: [{ name: 'x', mountPath: '/x' }] },
      /^extraVolumeMounts: no volume is named x; expected one of extraVolumes$/m,
    ],
    [{ fullnameOverride: '9' }, /^fullnameOverride: the name would be "9"; expected at most 53 lower-case letters/m],
  ]
  await Promise.all(
    refused.map(async ([values, message]) => {
      t.match(await template(values), { code: 1, stdout: '', stderr: message }, JSON.stringify(values))
    }),
  )
  t.match(await helm(['template', CHART, '--kube-version=1.29.0']), {
    code: 1,
    stderr: /requires kubeVersion: >=1\.30/,
  })
  const several = await template({ replicas: 2, settings: { protectReads: true } })
  t.match(several.stderr, /^replicas: [^]*^settings\.protectReads: /m, 'all faults together')
})

t.test('Helm: pods have no rights, and run as Pod Security `restricted` demands', { ...WITH_HELM }, async (t) => {
  for (const [name, values] of COMBINATIONS) {
    const resources = (await render(values)).filter((each) => podOf(each) !== undefined)
    t.ok(resources.length >= 2, `${name}: the server and its test`)
    for (const resource of resources) t.match(isRestricted(t, resource), { serviceAccountName: String })
  }
})

t.test('Helm: the server is the same as that of the manifests for kustomize', { ...WITH_HELM }, async (t) => {
  const resources = await render()
  const deployment = find(resources, 'Deployment')
  const [chart, manifest] = [podOf(deployment), podOf(manifestOf('base/deployment.yaml'))]
  const { serviceAccountName, ...rest } = chart ?? { containers: [] }
  t.equal(serviceAccountName, 'drift-gitops-status-server', 'an account of its own')
  const [container] = manifest?.containers ?? []
  const { env, image, ...same } = container ?? { env: [], image: '' }
  t.match(image, /^gitops-status-server/)
  t.match(rest, { ...manifest, containers: [same], volumes: [{ name: 'data' }] })
  t.match(await variables({}), Object.fromEntries((env ?? []).map(({ name, value }) => [name, value])))
  t.match(deployment, { spec: { replicas: 1, strategy: { type: 'Recreate' } } })
  t.match(find(resources, 'Service')['spec'], {
    ports: [{ name: 'http', port: 80, targetPort: 'http' }],
    publishNotReadyAddresses: true,
  })
  const claim = manifestOf('base/persistent-volume-claim.yaml')
  // Helm 4 refuses to take over a claim with a label that has another value.
  t.match(find(resources, 'PersistentVolumeClaim'), {
    metadata: {
      labels: claim.metadata.labels,
      annotations: {
        'helm.sh/resource-policy': 'keep',
        'argocd.argoproj.io/sync-options': claim.metadata.annotations?.['argocd.argoproj.io/sync-options'],
      },
    },
    spec: claim['spec'],
  })

  const shared = { persistence: { accessMode: 'ReadWriteMany' } }
  const readers = podOf(find(await render({ ...shared, readers: { enabled: true } }), 'Deployment', '-readers'))
  const nginx = podOf(manifestOf('overlays/static-readers/deployment.yaml'))
  t.match(readers?.containers, nginx?.containers)
  t.match(readers, { volumes: [{ persistentVolumeClaim: { readOnly: true } }, {}, {}, {}] })

  const several = await render({ ...shared, replicas: 2 })
  t.match(find(several, 'Deployment')['spec'], {
    replicas: 2,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    template: {
      spec: { topologySpreadConstraints: [{}], containers: [{ lifecycle: { preStop: { sleep: { seconds: 5 } } } }] },
    },
  })
  t.match(find(several, 'PodDisruptionBudget')['spec'], { minAvailable: 1 })
  t.notMatch(find(several, 'Service')['spec'], { publishNotReadyAddresses: true })
})

t.test('Helm: the network policy admits what is named, and never everybody', { ...WITH_HELM }, async (t) => {
  const from = async (values: Values): Promise<unknown> => {
    const policy = find(await render(values), 'NetworkPolicy')['spec'] as {
      ingress: { from: unknown }[]
      policyTypes: unknown
    }
    t.same(policy.policyTypes, ['Ingress', 'Egress'], 'the server makes no connections')
    t.equal(policy.ingress.length, 1)
    return policy.ingress[0]?.from
  }
  t.same(await from({}), [{ podSelector: {} }, namespace('monitoring'), namespace('woodpecker')])
  t.same(await from(COMBINATIONS.get('ingress.yaml') ?? {}), [
    { podSelector: {} },
    namespace('monitoring'),
    namespace('woodpecker'),
    namespace('ingress'),
  ])
  const test = find(await render(), 'Pod').metadata.labels
  const own = { podSelector: { matchLabels: { 'app.kubernetes.io/component': 'test' } } }
  const nobody = (await from({ networkPolicy: { ownNamespace: false, namespaces: [] } })) as (typeof own)[]
  t.match(nobody, [own])
  t.equal(nobody.length, 1)
  t.match(test, nobody[0]?.podSelector.matchLabels, 'the pod of `helm test` is admitted')
})

t.test('Helm: settings become the variables that the server reads', { ...WITH_HELM }, async (t) => {
  t.same(await variables({}), { HOST: '0.0.0.0', PORT: '8080', DATA_DIR: '/data' })
  t.same(await variables(COMBINATIONS.get('settings.yaml') ?? {}), {
    PORT: '9090',
    HOST: '::',
    DATA_DIR: '/var/lib/status',
    STALE_AFTER: '1200000',
    HISTORY_RETENTION: '30',
    COMMIT_INTERVAL: '10',
    TOKENS_FILE: '/vault/secrets/tokens.json',
    PROTECT_READS: 'true',
    REFUSE_DIFFS: 'true',
    TRUST_PROXY: '10.0.0.0/8,loopback',
    METRIC_LABELS: 'env,owner',
    METRICS_BY: 'repository',
    LOG_LEVEL: 'debug',
    LOG_FORMAT: 'text',
  })
  t.match(await variables(COMBINATIONS.get('ingress.yaml') ?? {}), {
    TRUST_PROXY: '1',
    TOKENS_FILE: '/etc/gitops-status-server/tokens.json',
  })
  t.match(await variables(COMBINATIONS.get('sign-in.yaml') ?? {}), { TRUST_PROXY: '2' })
})

t.test('Helm: Grafana gets what deploy/grafana has, with the addresses of this server', { ...WITH_HELM }, async (t) => {
  const resources = await render(COMBINATIONS.get('monitoring.yaml'))
  const texts = new Map(
    resources
      .filter(({ kind }) => kind === 'ConfigMap')
      .flatMap(({ metadata, data }) =>
        Object.entries(data as Record<string, string>).map(([name, text]) => [name, { metadata, text }] as const),
      ),
  )
  const dashboards = readdirSync(join(ROOT, 'deploy/grafana/dashboards')).filter((name) => name.endsWith('.json'))
  t.same(new Set(texts.keys()), new Set([...dashboards, 'gitops.yaml', 'gitops-status.yaml']))
  for (const name of dashboards) {
    const file = read(`deploy/grafana/dashboards/${name}`)
    t.equal(texts.get(name)?.text, file.replace('http://127.0.0.1:8080', 'https://status.example.net'), name)
    t.match(texts.get(name)?.metadata, {
      namespace: 'monitoring',
      labels: { grafana_dashboard: '1' },
      annotations: { grafana_folder: 'GitOps' },
    })
  }
  t.equal(texts.get('gitops.yaml')?.text, read('deploy/grafana/alerting/gitops.yaml'))
  t.match(texts.get('gitops.yaml')?.metadata.labels, { grafana_alert: '1' })
  const url = 'http://drift-gitops-status-server.observability-stack.svc:8080'
  const expected = parse(read('deploy/grafana/datasources/gitops-status.yaml')) as {
    datasources: [{ jsonData: object }]
  }
  const source = (auth: object, token: object): unknown => ({
    ...expected,
    datasources: [
      {
        ...expected.datasources[0],
        ...token,
        url,
        jsonData: {
          ...expected.datasources[0].jsonData,
          ...auth,
          allowedHosts: [url],
          customHealthCheckUrl: `${url}/api/summary`,
        },
      },
    ],
  })
  t.same(parse(texts.get('gitops-status.yaml')?.text ?? ''), source({}, {}))
  t.match(texts.get('gitops-status.yaml')?.metadata.labels, { grafana_datasource: '1' })
  const withToken = find(
    await render({ ...COMBINATIONS.get('monitoring.yaml'), grafana: { enabled: true, token: true } }),
    'ConfigMap',
    '-datasources',
  )
  t.same(
    parse((withToken['data'] as Record<string, string>)['gitops-status.yaml'] ?? ''),
    source({ auth_method: 'bearerToken' }, { secureJsonData: { bearerToken: '$GITOPS_TOKEN' } }),
  )
  const copy = chartWith(t, 'files/dashboards/gitops-fleet.json', (text) =>
    text.replace('http://127.0.0.1:8080', 'http://127.0.0.1:8081'),
  )
  t.match(await template({ grafana: { enabled: true } }, copy), {
    code: 1,
    stderr: /gitops-fleet\.json: expected the address "http:\/\/127\.0\.0\.1:8080" once/,
  })
})

t.test('Helm: the test pod runs the program, with the image of the server', { ...WITH_HELM }, async (t) => {
  const server = await serve(t)
  await post(server.url, SYNCED)
  const resources = await render({ networkPolicy: { ownNamespace: false } })
  const pod = find(resources, 'Pod')
  t.equal(podOf(pod)?.containers[0]?.image, podOf(find(resources, 'Deployment'))?.containers[0]?.image)
  t.match(pod.metadata.annotations, { 'helm.sh/hook': 'test' })
  const { command = [], args = [], env = [] } = podOf(pod)?.containers[0] ?? {}
  t.match(env, [
    { name: 'READY_URL', value: 'http://drift-gitops-status-server.observability-stack.svc/readyz' },
    { name: 'READY_SECONDS', value: /^\d+$/ },
  ])
  t.equal(command[0], 'node')
  const outcome = await ready([...command.slice(1), ...args], `${server.url}/readyz`, '60')
  t.match(outcome, { code: 0, stdout: `${server.url}/readyz: ready\n` })
})

t.test('Helm: the notes say where the server is, and who can post', { ...WITH_HELM }, async (t) => {
  const open = await notes('monitoring.yaml')
  t.match(open, 'CI posts to   http://drift-gitops-status-server.observability-stack.svc:8080/api/status\n')
  t.match(open, 'kubectl -n observability-stack port-forward service/drift-gitops-status-server 8080:8080\n')
  t.match(open, 'helm -n observability-stack test drift\n')
  t.match(open, 'There are no tokens: every client that the network policy admits can post and remove.')
  t.match(await notes('open.yaml'), 'everybody who reaches the Service can post and remove.')
  const closed = await notes('ingress.yaml')
  t.match(closed, 'The page is   https://status.example.net\n')
  t.match(closed, 'when the Secret drift-tokens is there, with the key tokens.json.')
  t.notMatch(closed, 'There are no tokens')
  t.notMatch(await notes('settings.yaml'), 'There are no tokens')
})

t.test('Helm: names of objects come from the release', { ...WITH_HELM }, async (t) => {
  t.equal(await nameOf('gitops-status-server'), 'gitops-status-server')
  t.equal(await nameOf('my-gitops-status-server'), 'my-gitops-status-server')
  t.equal(await nameOf('drift'), 'drift-gitops-status-server')
  t.equal(await nameOf('x'.repeat(53)), 'x'.repeat(53))
  t.equal(await nameOf('x'.repeat(45)), `${'x'.repeat(45)}-gitops`)
  t.match(await nameOf('9'), /fullnameOverride: the name would be "9-gitops-status-server"; expected .* a letter first/)
})

t.test('Helm: two releases in a namespace do not touch each other', { ...WITH_HELM }, async (t) => {
  const both = await Promise.all(
    ['a', 'b'].map(async (name) =>
      resourcesOf(
        (await helm(['template', name, CHART, KUBE_VERSION, '--values', join(CHART, 'ci/readers.yaml')])).stdout,
      ),
    ),
  )
  const names = both.flat().map(({ kind, metadata }) => `${kind} ${metadata.name}`)
  t.equal(new Set(names).size, names.length)
  const [first = [], second = []] = both
  for (const end of ['-server', '-readers']) {
    const service = find(first, 'Service', end)
    const { selector } = service['spec'] as { selector: Record<string, string> }
    const chosen = (resources: readonly Resource[]): number =>
      resources.filter((each) => {
        const labels = each.kind === 'Deployment' ? labelsOfPods(each) : {}
        return Object.entries(selector).every(([label, value]) => labels[label] === value)
      }).length
    t.equal(chosen(first), 1, service.metadata.name)
    t.equal(chosen(second), 0, service.metadata.name)
  }
})

t.test('Helm: the chart can be a part of another one', { ...WITH_HELM }, async (t) => {
  const place = directory(t, {
    'Chart.yaml': 'apiVersion: v2\nname: platform\nversion: 1.0.0\n',
    'values.yaml':
      'global: { registry: registry.example.net }\ngitops-status-server: { settings: { staleAfter: 60 } }\n',
  })
  mkdirSync(join(place, 'charts'))
  await archive(t, join(place, 'charts'), [])
  const resources = await render({}, place)
  t.match(JSON.stringify(podOf(find(resources, 'Deployment'))), '{"name":"STALE_AFTER","value":"60"}')
})

t.test('Helm: the archive has all files, and the addresses of package.json', { ...WITH_HELM }, async (t) => {
  const place = directory(t)
  const file = await archive(t, place, ['--image', 'registry.example.net/gitops-status-server'])
  const chart = parse((await helm(['show', 'chart', file])).stdout) as Record<string, unknown>
  t.match(chart, {
    name: 'gitops-status-server',
    version,
    appVersion: version,
    home: repository,
    sources: [repository],
  })

  const listing = runSync('tar', ['--list', '--verbose', '--file', file]).stdout.trim().split('\n')
  t.same(
    listing.filter((line) => !line.startsWith('-')),
    [],
    'no links',
  )
  t.notMatch(listing.join('\n'), /\/ci\//, 'no values of tests')
  for (const name of ['readers.yaml', 'sign-in.yaml']) {
    const values = COMBINATIONS.get(name) ?? {}
    const image = {
      repository: 'registry.example.net/gitops-status-server',
      ...(values['image'] as object | undefined),
    }
    const [packed, plain] = await Promise.all([template(values, file), template({ ...values, image })])
    t.equal(packed.stdout, plain.stdout)
  }
})

/** The peer of a network policy that is all pods of a namespace. */
function namespace(name: string): unknown {
  return { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } }
}

/** The variables of the server. */
async function variables(values: Values): Promise<Record<string, string | undefined>> {
  const [container] = podOf(find(await render(values), 'Deployment', 'server'))?.containers ?? []
  return Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]))
}

/** What Helm prints after an installation with the values of a file. */
async function notes(name: string): Promise<string> {
  const args = ['install', 'drift', CHART, '--namespace', 'observability-stack', '--dry-run=client', '--values']
  const { stdout, stderr } = await helm([...args, join(CHART, 'ci', name)])
  return /NOTES:\n([^]*)/.exec(stdout)?.[1] ?? stderr
}

/** The name of the Service of a release, or why there is none. */
async function nameOf(release: string): Promise<string> {
  const { stdout, stderr } = await helm(['template', release, CHART, KUBE_VERSION])
  return stdout === '' ? stderr : find(resourcesOf(stdout), 'Service').metadata.name
}

/** An object of deploy/kubernetes, alone in its file. */
function manifestOf(name: string): Resource {
  return find(resourcesOf(read(`deploy/kubernetes/${name}`)), '')
}

/** Runs package.ts, and returns the archive that it makes. */
async function archive(t: Test, place: string, args: readonly string[]): Promise<string> {
  const program = join(ROOT, 'deploy/helm/package.ts')
  const { code, stderr } = runSync(join(ROOT, 'node_modules/.bin/tsx'), [program, '--destination', place, ...args])
  t.equal(code, 0, stderr)
  return join(place, readdirSync(place).find((each) => each.endsWith('.tgz')) ?? '')
}

/** A copy of the chart with a change in one of its files. */
function chartWith(t: Test, name: string, change: (text: string) => string): string {
  const copy = join(directory(t), 'gitops-status-server')
  cpSync(CHART, copy, { recursive: true, dereference: true })
  const file = join(copy, name)
  const text = readFileSync(file, 'utf8')
  t.not(change(text), text, 'is a change')
  writeFileSync(file, change(text))
  return copy
}

/** Runs the program of the test pod. */
async function ready(args: readonly string[], url: string, seconds: string): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], READY_URL: url, READY_SECONDS: seconds }
    execFile(process.execPath, args, { env }, (error, stdout) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout })
    })
  })
}

function labelsOfPods(deployment: Resource): Readonly<Record<string, string>> {
  return (deployment['spec'] as { template: { metadata: { labels: Record<string, string> } } }).template.metadata.labels
}

/** The value at a path such as `image.tag`. */
function at(values: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((each, name) => (isObject(each) ? each[name] : undefined), values)
}

function copyWithout(values: Values, path: string): Values {
  const copy = structuredClone(values) as Record<string, unknown>
  const names = path.split('.')
  const parent = at(copy, names.slice(0, -1).join('.')) ?? copy
  if (isObject(parent)) Reflect.deleteProperty(parent, names.at(-1) ?? '')
  return copy
}

/** The paths of all that is no object, or an empty one. */
function leaves(values: Values, prefix = ''): string[] {
  return Object.entries(values).flatMap(([name, value]) =>
    isObject(value) && Object.keys(value).length > 0 ? leaves(value, `${prefix}${name}.`) : [`${prefix}${name}`],
  )
}

/** The paths of objects in a schema that permit any key beside those that it names. */
function open(schema: Schema, path: string): string[] {
  const isOpen =
    schema.properties !== undefined && schema.additionalProperties !== false && path !== '/extraVolumes/items'
  const inside = Object.entries({
    ...schema.properties,
    ...schema.definitions,
    ...(schema.items === undefined ? {} : { items: schema.items }),
  })
  return [...(isOpen ? [path] : []), ...inside.flatMap(([name, each]) => open(each, `${path}/${name}`))]
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  return typeof value === 'number' ? 'integer' : typeof value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
