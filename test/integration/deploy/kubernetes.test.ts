import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { parseAllDocuments } from 'yaml'
import { has, needs } from '../../support/machine.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const DEPLOY = join(ROOT, 'deploy')
const KUBERNETES = join(DEPLOY, 'kubernetes')

interface Resource {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly [property: string]: unknown
}

/** The types of the API by the first part of `apiVersion`, as kubernetes-models names them. */
const PACKAGES: Record<string, string> = {
  'monitoring.coreos.com/v1': '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
}

const KUSTOMIZE = [
  ['kustomize', 'build'],
  ['kubectl', 'kustomize'],
].find(([program = '']) => has(program))
const WITH_KUSTOMIZE = needs({ there: KUSTOMIZE !== undefined, what: 'kustomize or kubectl', program: 'kustomize' })

t.test(
  'Kubernetes: every object that is rendered is one of the API, with no key that it does not know',
  WITH_KUSTOMIZE,
  async (t) => {
    const rendered = render(t)
    const resources = Object.values(rendered).flat()
    t.same(faultsOf(resources), [])
    for (const resource of resources) await validate(resource)
    const [deployment] = rendered['base']?.filter(({ kind }) => kind === 'Deployment') ?? []
    const broken = JSON.parse(
      JSON.stringify(deployment).replace('"readOnlyRootFilesystem"', '"readOnlyRootFileSystem"'),
    ) as Resource
    t.match(faultsOf([broken]), [/readOnlyRootFileSystem/], 'and the check can fail')
  },
)

t.test(
  'Kubernetes: CI finds the server at the address that it posts to, and what runs is restricted',
  WITH_KUSTOMIZE,
  async (t) => {
    const rendered = render(t)
    for (const [name, resources] of Object.entries(rendered)) {
      t.match(
        find(resources, 'Service', 'gitops-status-server'),
        { metadata: { namespace: 'observability-stack' }, spec: { ports: [{ port: 80, targetPort: 'http' }] } },
        name,
      )
      for (const { kind, metadata, ...rest } of resources) {
        if (kind !== 'Namespace') t.equal(metadata.namespace, 'observability-stack', `${kind} ${metadata.name}`)
        if (kind === 'NetworkPolicy') t.match(rest, { spec: { podSelector: { matchLabels: Object } } })
        if (kind !== 'Deployment') continue
        const pod = (rest as unknown as { spec: { template: { spec: Pod } } }).spec.template.spec
        t.match(pod, {
          enableServiceLinks: false,
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        })
        for (const container of [...pod.containers, ...(pod.initContainers ?? [])]) {
          t.match(container, {
            securityContext: {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ['ALL'] },
            },
            resources: { requests: { memory: String }, limits: { memory: String } },
          })
          t.notMatch(JSON.stringify(container.volumeMounts), 'subPath')
        }
      }
    }
    t.match(find(rendered['complete'] ?? [], 'Deployment', 'gitops-status-server'), {
      spec: {
        template: { spec: { containers: [{ env: [{}, {}, {}, {}].map(() => ({ name: String, value: String })) }] } },
      },
    })
    t.match(find(rendered['replicas'] ?? [], 'Deployment', 'gitops-status-server'), {
      spec: { replicas: 2, strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0 } } },
    })
  },
)

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

interface Pod {
  readonly containers: readonly { readonly volumeMounts: unknown }[]
  readonly initContainers?: readonly { readonly volumeMounts: unknown }[]
}

/** The objects of every overlay, by its name. */
function render(t: Test): Record<string, Resource[]> {
  const [program = '', subcommand = ''] = KUSTOMIZE ?? []
  const names = ['base', ...readdirSync(join(KUBERNETES, 'overlays')).map((name) => `overlays/${name}`)]
  return Object.fromEntries(
    names.map((name) => {
      const { status, stdout, stderr } = spawnSync(program, [subcommand, join(KUBERNETES, name)], { encoding: 'utf8' })
      t.equal(status, 0, stderr)
      return [name.replace('overlays/', ''), parseAllDocuments(stdout).map((each) => each.toJS() as Resource)]
    }),
  )
}

function find(resources: readonly Resource[], kind: string, name: string): Resource | undefined {
  return resources.find((each) => each.kind === kind && each.metadata.name === name)
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
