import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** A package of others that users get with this one. */
export interface Shipped {
  readonly name: string
  readonly version: string
  /** Its licence as an SPDX expression, if its package.json has one. */
  readonly license: string | undefined
  /** Its place in node_modules. */
  readonly path: string
  /** True if its code is in the files of the page, instead of in node_modules. */
  readonly bundled: boolean
}

interface Locked {
  readonly version: string
  readonly license?: string
  readonly dev?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}
type Lock = Readonly<Record<string, Locked>>

/**
 * The packages that users get: the production dependencies, and what the page imports, which the build takes into the files of the page.
 *
 * @param root a clone of this repository
 */
export function shippedPackages(root = '.'): Shipped[] {
  const { packages }: { packages: Lock } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const installed = Object.keys(packages).filter((path) => path !== '' && packages[path]?.dev !== true)
  const bundled = new Set<string>()
  for (const name of importedBy(join(root, 'src/page'))) collect(packages, '', name, bundled)
  return [...new Set([...installed, ...bundled])].toSorted().flatMap((path) => {
    const locked = packages[path]
    if (locked === undefined) return []
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
    return { name, version: locked.version, license: locked.license, path, bundled: bundled.has(path) }
  })
}

/** Adds the place of a package, as seen from another place, and the places of its dependencies. */
function collect(packages: Lock, from: string, name: string, found: Set<string>): void {
  const path = join(from, 'node_modules', name)
  const locked = packages[path]
  if (locked === undefined) {
    if (from === '') throw new Error(`package-lock.json has no ${name}`)
    return collect(packages, from.slice(0, Math.max(from.lastIndexOf('/node_modules/'), 0)), name, found)
  }
  if (found.has(path)) return
  found.add(path)
  for (const each of Object.keys({ ...locked.dependencies })) collect(packages, path, each, found)
}

/** The names of the packages that the page imports. */
function importedBy(directory: string): Set<string> {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(
    (name) => /\.tsx?$/.test(name) && name !== 'vite.config.ts',
  )
  const modules = files.flatMap((file) =>
    [...readFileSync(join(directory, file), 'utf8').matchAll(/(?:from|import) '([^.'][^']*)'/g)].map(
      ([, module = '']) => module,
    ),
  )
  return new Set(modules.map((module) => /^(?:@[^/]+\/)?[^/]+/.exec(module)?.[0] ?? module))
}
