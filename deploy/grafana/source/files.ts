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
const CONFIG_MAPS = '../kubernetes/components/grafana-sidecar/config-maps.yaml'

/** The files that are made of this directory, by their place in deploy/grafana. */
export function generated(): Map<string, string> {
  const dashboards = [fleet(), target(), fleetFromFile(), fleetOfPrometheus()].map((builder) => {
    const dashboard = builder.build()
    return [`dashboards/${dashboard.uid}.json`, `${JSON.stringify(dashboard, null, 2)}\n`] as const
  })
  const rules = ['alerting/gitops.yaml', `${MADE_BY}${stringify(alerting(), { lineWidth: 0 })}`] as const
  const files = new Map<string, string>([...dashboards, rules])
  const dataSource = [DATA_SOURCE, readFileSync(new URL(DATA_SOURCE, DIRECTORY), 'utf8')] as const
  return files.set(CONFIG_MAPS, configMaps([...files, dataSource]))
}

const MADE_BY = '# Made by "npm run dashboards" of deploy/grafana/source.\n'

/** What tells Grafana's sidecar what a ConfigMap has, by the directory. */
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
        name: `${file.replace(/\..*/, '')}-${directory}`,
        namespace: 'observability-stack',
        labels: {
          'app.kubernetes.io/name': 'gitops-status-server',
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
