import { readFileSync } from 'node:fs'
import { stringify } from 'yaml'
import { alerting } from './alerts.ts'
import { fleetFromFile } from './file.ts'
import { fleet } from './fleet.ts'
import { fleetOfPrometheus } from './prometheus.ts'
import { target } from './target.ts'

/** What is provisioned beside what is generated, and is in the ConfigMaps of Kubernetes too. */
const DATA_SOURCE = 'datasources/gitops-status.yaml'
/** deploy/grafana */
export const DIRECTORY = new URL('../', import.meta.url)
const COMPONENT = '../kubernetes/components/grafana-sidecar'
/** The namespace in the address of the data source. */
const NAMESPACE = 'observability-stack'

/** The files that are made of this directory, by their place in deploy/grafana. */
export function generated(): Map<string, string> {
  const dashboards = [fleet(), target(), fleetFromFile(), fleetOfPrometheus()].map((builder) => {
    const dashboard = builder.build()
    return [`dashboards/${dashboard.uid}.json`, `${JSON.stringify(dashboard, null, 2)}\n`] as const
  })
  const rules = ['alerting/gitops.yaml', `${MADE_BY}${stringify(alerting(), { lineWidth: 0 })}`] as const
  const files = new Map<string, string>([...dashboards, rules])
  const dataSource = readFileSync(new URL(DATA_SOURCE, DIRECTORY), 'utf8')
  return files
    .set(`${COMPONENT}/config-maps.yaml`, configMaps([...files, [DATA_SOURCE, dataSource]]))
    .set(`${COMPONENT}/address/namespace.yaml`, namespaceTransformer(dataSource))
}

const MADE_BY = '# Made by "npm run dashboards" of deploy/grafana/source.\n'

/** The label by which Grafana's sidecar finds a ConfigMap, by directory. */
const LABELS: Readonly<Record<string, string>> = {
  dashboards: 'grafana_dashboard',
  datasources: 'grafana_datasource',
  alerting: 'grafana_alert',
}

/** kustomize reads no files outside its own directory. A ConfigMap each: kubectl keeps a copy, of at most 256 kB. */
function configMaps(files: readonly (readonly [path: string, text: string])[]): string {
  const maps = files.map(([path, text]) => {
    const [directory = '', file = ''] = path.split('/')
    const label = LABELS[directory] ?? ''
    return {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: configMapName(path),
        labels: {
          'app.kubernetes.io/name': 'gitops-status-server',
          'app.kubernetes.io/component': 'grafana',
          'app.kubernetes.io/part-of': 'gitops-status',
          [label]: '1',
        },
        ...(directory === 'dashboards' ? { annotations: { grafana_folder: 'GitOps' } } : {}),
      },
      data: { [file]: text },
    }
  })
  return `${MADE_BY}${maps.map((map) => stringify(map, { lineWidth: 0 })).join('---\n')}`
}

function configMapName(path: string): string {
  const [directory = '', file = ''] = path.split('/')
  return `${file.replace(/\..*/, '')}-${directory}`
}

/**
 * Configuration of kustomize that copies the namespace of the Service to the ConfigMaps and into the addresses of the data source.
 * kustomize can only replace a part of a text by its number, counted between delimiters.
 */
function namespaceTransformer(dataSource: string): string {
  const key = DATA_SOURCE.split('/').at(-1)?.replaceAll('.', '\\.') ?? ''
  const places = dataSource.split('.').flatMap((part, index) => (part === NAMESPACE ? [index] : []))
  const transformer = {
    apiVersion: 'builtin',
    kind: 'ReplacementTransformer',
    metadata: { name: 'namespace-of-the-server' },
    replacements: [
      {
        source: { kind: 'Service', name: 'gitops-status-server', fieldPath: 'metadata.namespace' },
        targets: [
          {
            select: {
              kind: 'ConfigMap',
              labelSelector: 'app.kubernetes.io/component=grafana,app.kubernetes.io/part-of=gitops-status',
            },
            fieldPaths: ['metadata.namespace'],
            options: { create: true },
          },
          ...places.map((index) => ({
            select: { kind: 'ConfigMap', name: configMapName(DATA_SOURCE) },
            fieldPaths: [`data.${key}`],
            options: { delimiter: '.', index },
          })),
        ],
      },
    ],
  }
  return `${MADE_BY}${stringify(transformer, { lineWidth: 0 })}`
}
