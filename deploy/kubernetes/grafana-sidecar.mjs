// Makes the ConfigMaps of the component grafana-sidecar of what is provisioned otherwise: kustomize reads no files
// outside its own directory. `node deploy/kubernetes/grafana-sidecar.mjs` after each change in deploy/grafana.
import { readFileSync, writeFileSync } from 'node:fs'
import { stringify } from 'yaml'

const SOURCES = [
  { file: 'dashboards/gitops-drift.json', label: 'grafana_dashboard', annotations: { grafana_folder: 'GitOps' } },
  { file: 'datasources/gitops-status.yaml', label: 'grafana_datasource' },
  { file: 'alerting/gitops.yaml', label: 'grafana_alert' },
]

const maps = SOURCES.map(({ file, label, annotations }) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name: `gitops-${label.replace('_', '-')}`,
    namespace: 'observability-stack',
    labels: {
      'app.kubernetes.io/name': 'gitops-status-server',
      'app.kubernetes.io/part-of': 'gitops-status',
      [label]: '1',
    },
    annotations,
  },
  data: { [file.replace(/.*\//, '')]: readFileSync(new URL(`../grafana/${file}`, import.meta.url), 'utf8') },
}))
const text = maps.map((map) => stringify(map, { lineWidth: 0 })).join('---\n')
writeFileSync(new URL('components/grafana-sidecar/config-maps.yaml', import.meta.url), text)
