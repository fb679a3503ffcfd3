import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { parse, parseAllDocuments } from 'yaml'
import { directory } from '../../support/directory.ts'
import { needs } from '../../support/machine.ts'
import {
  ADDRESS,
  APPLICABLE,
  COMPONENTS,
  KUBERNETES,
  KUSTOMIZE,
  render,
  writeOverlay,
} from '../../support/kubernetes/kustomize.ts'
import { find, isRestricted, podOf, type Resource } from '../../support/kubernetes/resources.ts'
import { KUBERNETES_SCHEMAS, writeSchemas } from '../../support/kubernetes/schemas.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const DEPLOY = join(ROOT, 'deploy')

/** The types of the API by the first part of `apiVersion`, as kubernetes-models names them. */
const PACKAGES: Record<string, string> = {
  'monitoring.coreos.com/v1': '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
}

const WITH_KUSTOMIZE = needs(KUSTOMIZE)
const NAMESPACE = 'observability-stack'
/** How the reporters, Prometheus and Grafana reach the server, unless they are told otherwise. */
const ADDRESS_OF_SERVER = `http://gitops-status-server.${NAMESPACE}.svc.cluster.local:80`

t.test(
  'Kubernetes: every object that is rendered is one of the API, with no key that it does not know',
  WITH_KUSTOMIZE,
  async (t) => {
    const rendered = everything(t)
    const resources = [...rendered.values()].flat()
    t.same(faultsOf(resources), [])
    for (const resource of resources) await validate(resource)
    const deployment = find(rendered.get('base'), 'Deployment', 'gitops-status-server')
    const broken = JSON.parse(
      JSON.stringify(deployment).replace('"readOnlyRootFilesystem"', '"readOnlyRootFileSystem"'),
    ) as Resource
    t.match(faultsOf([broken]), [/readOnlyRootFileSystem/], 'and the check can fail')
  },
)

t.test(
  'Kubernetes: kubeconform finds every object valid, with no key that the API does not know',
  needs(KUSTOMIZE, 'kubeconform', KUBERNETES_SCHEMAS),
  async (t) => {
    const place = directory(t)
    const location = writeSchemas(join(place, 'schemas'))
    const texts = [...everything(t).values()].flat().map((resource) => JSON.stringify(resource))
    texts.push(JSON.stringify(parse(readFileSync(join(KUBERNETES, 'copy-claim.yaml'), 'utf8'))))
    const check = (input: string): unknown => {
      const args = ['-strict', '-summary', '-output', 'json', '-schema-location', location]
      return JSON.parse(spawnSync('kubeconform', args, { input, encoding: 'utf8' }).stdout)
    }
    const all = texts.join('\n---\n')
    t.match(check(all), { resources: [], summary: { valid: texts.length, invalid: 0, errors: 0, skipped: 0 } })
    const broken = all.replace('"policyTypes"', '"policyType"')
    t.match(check(broken), { resources: [{ msg: /policyType/ }], summary: { invalid: 1 } }, 'and the check can fail')
  },
)

t.test('Kubernetes: nothing is rendered that the operator or others own', WITH_KUSTOMIZE, async (t) => {
  const kinds = new Set([...everything(t).values()].flat().map(({ kind }) => kind))
  t.same(
    kinds,
    new Set([
      'ConfigMap',
      'Deployment',
      'Ingress',
      'NetworkPolicy',
      'PersistentVolumeClaim',
      'PodDisruptionBudget',
      'Service',
      'ServiceMonitor',
    ]),
  )
})

t.test(
  'Kubernetes: CI finds the server at the address that it posts to, and what runs is restricted',
  WITH_KUSTOMIZE,
  async (t) => {
    const rendered = everything(t)
    for (const [name, resources] of rendered) {
      t.match(
        find(resources, 'Service', 'gitops-status-server'),
        { metadata: { namespace: NAMESPACE }, spec: { ports: [{ port: 80, targetPort: 'http' }] } },
        name,
      )
      for (const resource of resources) {
        const { kind, metadata } = resource
        t.equal(metadata.namespace, NAMESPACE, `${name}: ${kind} ${metadata.name}`)
        if (kind === 'NetworkPolicy') t.match(resource, { spec: { podSelector: { matchLabels: Object } } })
        if (podOf(resource) !== undefined) isRestricted(t, resource)
      }
    }
    t.match(find(rendered.get('overlays/complete'), 'Deployment', 'gitops-status-server'), {
      spec: {
        template: { spec: { containers: [{ env: [{}, {}, {}, {}].map(() => ({ name: String, value: String })) }] } },
      },
    })
    t.match(find(rendered.get('overlays/replicas'), 'Deployment', 'gitops-status-server'), {
      spec: { replicas: 2, strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0 } } },
    })
    for (const name of ['overlays/replicas', 'overlays/static-readers']) {
      const claim = find(rendered.get(name), 'PersistentVolumeClaim', 'gitops-status-server')
      t.same(claim['spec'], { accessModes: ['ReadWriteMany'], resources: { requests: { storage: '1Gi' } } }, name)
    }
  },
)

t.test('Kubernetes: the job that copies a claim copies all, once', async (t) => {
  const job = parse(readFileSync(join(KUBERNETES, 'copy-claim.yaml'), 'utf8')) as Resource
  await validate(job)
  t.same(faultsOf([job]), [])
  const pod = isRestricted(t, job)
  t.match(pod.volumes, [
    { name: 'from', persistentVolumeClaim: { claimName: 'gitops-status-server' } },
    { name: 'to', persistentVolumeClaim: { claimName: 'gitops-status-server-shared' } },
  ])
  const [from, to] = [directory(t), directory(t)]
  const files = { 'status.json': '{}', 'history.jsonl': '', '.status.lock': '' }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(from, name), text)
  mkdirSync(join(from, 'lost+found'))
  const [program = '', ...args] = pod.containers[0]?.command ?? []
  const run = (): number | null => {
    const places = args.map((text) => text.replaceAll('/from', from).replaceAll('/to', to))
    return spawnSync(program, places, { stdio: 'ignore' }).status
  }
  writeFileSync(join(to, 'status.json.new'), 'of an attempt that was interrupted')
  t.equal(run(), 0)
  t.same(readdirSync(to).toSorted(), Object.keys(files).toSorted())
  for (const [name, text] of Object.entries(files)) t.equal(readFileSync(join(to, name), 'utf8'), text)
  writeFileSync(join(to, 'status.json'), '{ "newer": true }')
  t.equal(run(), 1)
  t.equal(readFileSync(join(to, 'status.json'), 'utf8'), '{ "newer": true }')
})

t.test('Kubernetes: an overlay names the namespace once, and everything follows', WITH_KUSTOMIZE, async (t) => {
  const components = COMPONENTS
  const moved = writeOverlay(t, { namespace: 'elsewhere', resources: ['base'], components, transformers: [ADDRESS] })
  const base = writeOverlay(t, { namespace: 'elsewhere', resources: ['base'] })
  const added = writeOverlay(t, { resources: [base], components })
  for (const place of [moved, added]) {
    const resources = render(place)
    t.same(new Set(resources.map(({ metadata }) => metadata.namespace)), new Set(['elsewhere']))
    t.notMatch(JSON.stringify(resources), NAMESPACE)
    const shipped = readFileSync(join(DEPLOY, 'grafana/datasources/gitops-status.yaml'), 'utf8')
    t.equal(shipped.split(ADDRESS_OF_SERVER).length, 4, 'the data source has the address three times')
    t.equal(
      dataOf(resources)['gitops-status.yaml'],
      shipped.replaceAll(ADDRESS_OF_SERVER, ADDRESS_OF_SERVER.replace(NAMESPACE, 'elsewhere')),
    )
  }
  // Whoever copies a shipped overlay changes only its namespace.
  for (const name of APPLICABLE) {
    const copy = directory(t)
    cpSync(KUBERNETES, copy, { recursive: true })
    const file = join(copy, name, 'kustomization.yaml')
    writeFileSync(file, readFileSync(file, 'utf8').replace(`namespace: ${NAMESPACE}`, 'namespace: elsewhere'))
    const text = JSON.stringify(render(join(copy, name)))
    t.match(text, '"namespace":"elsewhere"')
    t.notMatch(text, NAMESPACE, name)
  }
  const complete = dataOf(render(join(KUBERNETES, 'overlays/complete')))
  t.equal(complete['gitops-status.yaml']?.split(ADDRESS_OF_SERVER).length, 4)
})

t.test('Kubernetes: without the Secret of the operator, the server does not start', WITH_KUSTOMIZE, async (t) => {
  const resources = render(writeOverlay(t, { resources: ['base'], components: ['components/tokens'] }))
  const deployment = find(resources, 'Deployment', 'gitops-status-server')
  const pod = podOf(deployment)
  const secret = { secretName: 'gitops-status-server-tokens', defaultMode: 0o440 }
  t.same(
    pod?.volumes?.filter((volume) => 'secret' in volume),
    [{ name: 'tokens', secret }],
    'and not optional',
  )
  t.match(pod?.containers[0], {
    env: [{ name: 'TOKENS_FILE', value: '/etc/gitops-status-server/tokens.json' }],
    volumeMounts: [{ name: 'tokens', mountPath: '/etc/gitops-status-server', readOnly: true }],
  })
})

t.test('Kubernetes: the network policies admit CI, Prometheus, Grafana, and the ingress', WITH_KUSTOMIZE, async (t) => {
  const rendered = everything(t)
  const admitted = (name: string): string[] =>
    ['observability-stack', 'monitoring', 'woodpecker', 'ingress-nginx', 'default'].filter((namespace) =>
      admits(rendered.get(name) ?? [], namespace),
    )
  t.same(admitted('base'), ['observability-stack', 'monitoring', 'woodpecker'])
  t.same(admitted('overlays/replicas'), ['observability-stack', 'monitoring', 'woodpecker'])
  t.same(admitted('overlays/complete'), ['observability-stack', 'monitoring', 'woodpecker', 'ingress-nginx'])
  const values = '/spec/ingress/0/from/1/namespaceSelector/matchExpressions/0/values'
  const patched = writeOverlay(t, {
    resources: ['base'],
    patches: [
      {
        target: { kind: 'NetworkPolicy' },
        patch: JSON.stringify([{ op: 'replace', path: values, value: ['ci'] }]),
      },
    ],
  })
  const resources = render(patched)
  t.ok(admits(resources, 'ci'))
  t.notOk(admits(resources, 'monitoring'))
})

t.test('Kubernetes: no policy leaves out what the API server fills in', WITH_KUSTOMIZE, async (t) => {
  // Otherwise each `kubectl apply` changes it: a list is compared as a whole, and an empty one is not stored.
  const policies = [...everything(t).values()].flat().filter(({ kind }) => kind === 'NetworkPolicy')
  t.equal(policies.length, 11)
  for (const { metadata, spec } of policies) {
    const { ingress, ...rest } = spec as PolicySpec
    t.same(rest, { podSelector: rest.podSelector, policyTypes: rest.policyTypes }, metadata.name)
    for (const { ports } of ingress) t.match(ports, [{ port: 'http', protocol: 'TCP' }], metadata.name)
  }
})

/** The files in a directory of deploy/grafana, by name. */
const inGrafana = (directory: string, end: string): [string, string][] =>
  readdirSync(join(DEPLOY, 'grafana', directory)).flatMap((name) =>
    name.endsWith(end) ? [[name, readFileSync(join(DEPLOY, 'grafana', directory, name), 'utf8')]] : [],
  )

t.test('Kubernetes: the ConfigMaps for the sidecar hold what is provisioned otherwise', async (t) => {
  const maps = parseAllDocuments(readFileSync(join(KUBERNETES, 'components/grafana-sidecar/config-maps.yaml'), 'utf8'))
  const texts = maps.flatMap((map) => Object.entries((map.toJS() as { data: Record<string, string> }).data))
  // The sidecar finds dashboards itself, without a provider.
  const files = [...inGrafana('dashboards', '.json'), ...inGrafana('datasources', ''), ...inGrafana('alerting', '')]
  t.same(Object.fromEntries(texts), Object.fromEntries(files), 'npm run dashboards')
})

interface PolicySpec {
  readonly podSelector: { readonly matchLabels: Readonly<Record<string, string>> }
  readonly policyTypes: readonly string[]
  readonly ingress: readonly {
    readonly from?: readonly {
      readonly podSelector?: object
      readonly namespaceSelector?: {
        readonly matchLabels?: Readonly<Record<string, string>>
        readonly matchExpressions?: readonly { readonly operator: string; readonly values: readonly string[] }[]
      }
    }[]
    readonly ports: readonly object[]
  }[]
}

/** The objects of every directory that can be applied, and of the base with each component, by their place. */
function everything(t: Test): Map<string, Resource[]> {
  const places = [
    ...APPLICABLE.map((name) => [name, join(KUBERNETES, name)] as const),
    ...COMPONENTS.map((name) => [name, writeOverlay(t, { resources: ['base'], components: [name] })] as const),
  ]
  return new Map(places.map(([name, place]) => [name, render(place)]))
}

/** The files in ConfigMaps, by name. */
function dataOf(resources: readonly Resource[]): Record<string, string> {
  const maps = resources.filter(({ kind }) => kind === 'ConfigMap')
  return Object.fromEntries(maps.flatMap(({ data }) => Object.entries(data as Record<string, string>)))
}

/** Reports whether the policies of the server let in the pods of a namespace. */
function admits(resources: readonly Resource[], namespace: string): boolean {
  const label = { key: 'kubernetes.io/metadata.name', operator: 'In' }
  return resources.some((resource) => {
    if (resource.kind !== 'NetworkPolicy') return false
    const { podSelector, ingress } = resource['spec'] as PolicySpec
    if (podSelector.matchLabels['app.kubernetes.io/name'] !== 'gitops-status-server') return false
    return ingress.some(({ from = [] }) =>
      from.some((peer) => {
        if (peer.namespaceSelector === undefined) return namespace === resource.metadata.namespace
        const { matchLabels = {}, matchExpressions = [] } = peer.namespaceSelector
        const all = [
          ...Object.entries(matchLabels).map(([key, value]) => ({ key, operator: 'In', values: [value] })),
          ...matchExpressions,
        ]
        return all.every(({ values, ...rest }) => {
          if (JSON.stringify(rest) !== JSON.stringify(label)) throw new Error(`not understood: ${JSON.stringify(rest)}`)
          return values.includes(namespace)
        })
      }),
    )
  })
}

/** Holds an object against the API's own schema. */
async function validate(resource: Resource): Promise<void> {
  const models = (await import(moduleOf(resource))) as Record<string, new (data: Resource) => { validate: () => void }>
  const Model = models[resource.kind]
  if (Model === undefined) throw new Error(`${resource.kind} is not known`)
  new Model(resource).validate()
}

function moduleOf({ apiVersion, kind }: Resource): string {
  return `${PACKAGES[apiVersion] ?? `kubernetes-models/${apiVersion}`}/${kind}`
}

/** What the compiler says of the objects, written down as literals of the API's types: also of unknown keys. */
function faultsOf(resources: readonly Resource[]): string[] {
  const file = join(ROOT, 'test', 'rendered.ts')
  const lines = resources.map((resource, index) => {
    const { kind } = resource
    return `import type { I${kind} as T${index} } from '${moduleOf(resource)}'\nexport const o${index}: T${index} = ${JSON.stringify(resource)}`
  })
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    module: ts.ModuleKind.NodeNext,
    types: [],
  }
  const host = ts.createCompilerHost(options)
  const disk = ts.createCompilerHost(options)
  host.fileExists = (name) => name === file || disk.fileExists(name)
  host.getSourceFile = (name, ...rest) =>
    name === file
      ? ts.createSourceFile(name, lines.join('\n'), ts.ScriptTarget.ES2023)
      : disk.getSourceFile(name, ...rest)
  return ts
    .getPreEmitDiagnostics(ts.createProgram([file], options, host))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}
