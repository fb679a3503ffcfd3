import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { parseDocument } from 'yaml'
import { repository, version } from '../../src/project.ts'

// npx tsx deploy/helm/package.ts [--image REPOSITORY] [--destination DIRECTORY]
//
// Makes the archive of the chart with `helm package`, with the version and the address that package.json has. --image is the repository of
// the published image, which becomes the default.

const CHART = 'gitops-status-server'

const { values } = parseArgs({
  options: { image: { type: 'string' }, destination: { type: 'string', default: '.' } },
})
const place = mkdtempSync(join(tmpdir(), 'chart-'))
try {
  const chart = join(place, CHART)
  // The dashboards, alerts and nginx.conf are links to the files in deploy.
  cpSync(join(import.meta.dirname, CHART), chart, { recursive: true, dereference: true })
  edit('Chart.yaml', { version, appVersion: version, home: repository, sources: [repository] })
  if (values.image !== undefined) {
    edit('values.yaml', { 'image.repository': values.image })
    edit('values.schema.json', { 'properties.image.properties.repository.default': values.image })
  }
  const args = ['package', chart, '--destination', resolve(values.destination)]
  const { status, error } = spawnSync('helm', args, { stdio: 'inherit' })
  if (error !== undefined) process.stderr.write(`package.ts: helm: ${error.message}; expected Helm in PATH\n`)
  process.exitCode = status ?? 1

  /** Sets properties of a file, by their paths. */
  function edit(name: string, properties: Readonly<Record<string, unknown>>): void {
    const file = join(chart, name)
    const document = parseDocument(readFileSync(file, 'utf8'))
    for (const [path, value] of Object.entries(properties)) document.setIn(path.split('.'), value)
    writeFileSync(file, name.endsWith('.json') ? JSON.stringify(document.toJS(), null, 2) : document.toString())
  }
} finally {
  rmSync(place, { recursive: true, force: true })
}
