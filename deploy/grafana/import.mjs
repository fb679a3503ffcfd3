// Makes gitops-drift.import.json, for the import dialog, of the dashboard that is provisioned: there the data source is
// asked for, here it has a fixed uid. `node deploy/grafana/import.mjs` after each change of the dashboard.
import { readFileSync, writeFileSync } from 'node:fs'

const here = (name) => new URL(name, import.meta.url)
const dashboard = JSON.parse(
  readFileSync(here('dashboards/gitops-drift.json'), 'utf8').replaceAll(
    '"uid": "gitops-status"',
    '"uid": "${DS_GITOPS_STATUS}"',
  ),
)
const plugin = { type: 'datasource', id: 'yesoreyeram-infinity-datasource', name: 'Infinity', version: '3.3.0' }
const panels = [...new Set(dashboard.panels.map(({ type }) => type))]
const importable = {
  __inputs: [
    {
      name: 'DS_GITOPS_STATUS',
      label: 'GitOps status',
      description: 'An Infinity data source whose base URL is that of gitops-status-server',
      type: 'datasource',
      pluginId: plugin.id,
      pluginName: plugin.name,
    },
  ],
  __requires: [
    { type: 'grafana', id: 'grafana', name: 'Grafana', version: '11.6.0' },
    plugin,
    ...panels.map((id) => ({ type: 'panel', id, name: id, version: '' })),
  ],
  ...dashboard,
}
writeFileSync(here('gitops-drift.import.json'), `${JSON.stringify(importable, null, 2)}\n`)
