import { spawnSync } from 'node:child_process'
import { readdirSync, realpathSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import type { Test } from 'tap'
import { stringify } from 'yaml'
import { directory } from '../directory.ts'
import { type Requirement, has } from '../machine.ts'
import { type Resource, resourcesOf } from './resources.ts'

/** deploy/kubernetes */
export const KUBERNETES = resolve(import.meta.dirname, '../../../deploy/kubernetes')
/** The directories that can be applied as they are, by their place in deploy/kubernetes. */
export const APPLICABLE = ['base', ...readdirSync(join(KUBERNETES, 'overlays')).map((name) => `overlays/${name}`)]
export const COMPONENTS = readdirSync(join(KUBERNETES, 'components')).map((name) => `components/${name}`)
/** The transformer that an overlay with a namespace needs with `components/grafana-sidecar`. */
export const ADDRESS = 'components/grafana-sidecar/address'

const COMMAND = [
  ['kustomize', 'build'],
  ['kubectl', 'kustomize'],
].find(([program = '']) => has(program))

export const KUSTOMIZE: Requirement = {
  there: COMMAND !== undefined,
  what: 'kustomize or kubectl',
  program: 'kustomize',
}

/** The objects of a directory, as kustomize renders them. */
export function render(place: string): Resource[] {
  const [program = '', subcommand = ''] = COMMAND ?? []
  const { status, stdout, stderr } = spawnSync(program, [subcommand, place], { encoding: 'utf8', maxBuffer: 2 ** 28 })
  if (status !== 0) throw new Error(stderr)
  return resourcesOf(stdout)
}

/** The fields of a kustomization. Directories are places in deploy/kubernetes, or absolute. */
export interface Overlay {
  readonly namespace?: string
  readonly resources: readonly string[]
  readonly components?: readonly string[]
  readonly transformers?: readonly string[]
  readonly patches?: readonly { readonly target: object; readonly patch: string }[]
}

/** Writes an overlay into a directory of its own, and returns that. */
export function writeOverlay(t: Test, overlay: Overlay): string {
  // kustomize takes only relative paths, and resolves symbolic links first.
  const place = realpathSync(directory(t))
  const paths = (names: readonly string[] = []): string[] =>
    names.map((name) => relative(place, realpathSync(resolve(KUBERNETES, name))))
  const { resources, components, transformers } = overlay
  const text = stringify({
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    ...overlay,
    resources: paths(resources),
    components: paths(components),
    transformers: paths(transformers),
  })
  writeFileSync(join(place, 'kustomization.yaml'), text)
  return place
}
