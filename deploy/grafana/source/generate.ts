import { writeFileSync } from 'node:fs'
import type { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard'
import { fleetFromFile } from './file.ts'
import { fleet } from './fleet.ts'
import { fleetOfPrometheus } from './prometheus.ts'
import { target } from './target.ts'

/** Writes the dashboards, as they are provisioned and imported. `npm run dashboards` after each change in this directory. */
for (const builder of [fleet(), target(), fleetFromFile(), fleetOfPrometheus()]) write(builder)

function write(builder: DashboardBuilder): void {
  const dashboard = builder.build()
  writeFileSync(
    new URL(`../dashboards/${dashboard.uid}.json`, import.meta.url),
    `${JSON.stringify(dashboard, null, 2)}\n`,
  )
}
