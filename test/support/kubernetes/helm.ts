import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Resource, resourcesOf } from './resources.ts'

export const CHART = join(import.meta.dirname, '../../../deploy/helm/gitops-status-server')

/** What a program has printed. */
export interface Printed {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export type Values = Readonly<Record<string, unknown>>

/** Where Helm keeps its own files: not in the home directory of who runs the tests. */
const HELM_HOME = mkdtempSync(join(tmpdir(), 'helm-'))
process.once('exit', () => rmSync(HELM_HOME, { recursive: true, force: true }))

export const HELM_ENVIRONMENT = {
  HELM_CACHE_HOME: HELM_HOME,
  HELM_CONFIG_HOME: HELM_HOME,
  HELM_DATA_HOME: HELM_HOME,
}

/** Runs Helm, without what tap loads into every child process. */
export async function helm(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Printed> {
  return new Promise((resolve) => {
    const options = { env: { ...env, NODE_OPTIONS: '', ...HELM_ENVIRONMENT }, maxBuffer: 2 ** 28 }
    execFile('helm', args, options, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : 1
      resolve({
        code,
        stdout,
        stderr: `${stderr}${error !== null && code === 1 && stderr === '' ? error.message : ''}`,
      })
    })
  })
}

/** Helm's own default depends on how it was built. */
export const KUBE_VERSION = '--kube-version=1.35.0'

let written = 0

/** Renders the chart with some values. */
export async function template(values: Values = {}, chart = CHART): Promise<Printed> {
  const file = join(HELM_HOME, `values-${(written += 1)}.json`)
  writeFileSync(file, JSON.stringify(values))
  return helm(['template', 'drift', chart, '--namespace', 'observability-stack', '--values', file, KUBE_VERSION])
}

/**
 * The objects of the chart.
 *
 * @throws {Error} with what Helm says, if it refuses the values
 */
export async function render(values: Values = {}, chart = CHART): Promise<Resource[]> {
  const key = JSON.stringify([values, chart])
  const known = rendered.get(key)
  if (known !== undefined) return known
  const { code, stdout, stderr } = await template(values, chart)
  if (code !== 0) throw new Error(stderr)
  const resources = resourcesOf(stdout)
  rendered.set(key, resources)
  return resources
}

/** What was rendered before: reading dashboards as YAML takes longer than to render them. */
const rendered = new Map<string, Resource[]>()

/** Runs a program that is short, and returns what it printed. */
export function runSync(program: string, args: readonly string[], input = ''): Printed {
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    input,
    env: { ...process.env, NODE_OPTIONS: '' },
    maxBuffer: 2 ** 28,
  })
  return { code: status ?? 1, stdout, stderr }
}
