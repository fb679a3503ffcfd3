import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type Shipped, shippedPackages } from '../shipped.ts'

interface Component {
  readonly 'bom-ref': string
  readonly name: string
  readonly properties: readonly { readonly name: string; readonly value: string }[]
  readonly [property: string]: unknown
}
interface Bom {
  readonly metadata: { readonly component: Component; readonly [property: string]: unknown }
  readonly components: readonly Component[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
  readonly [property: string]: unknown
}

/**
 * The list of everything in the package and in the image, in the format CycloneDX. It is what npm makes of package-lock.json, without the
 * packages that users do not get. `npm sbom --omit=dev` cannot be used: it leaves out what development uses too, such as `ajv`, and knows
 * nothing of what is in the files of the page.
 */
export function sbom(): Bom {
  const { name }: { name: string } = JSON.parse(readFileSync('package.json', 'utf8'))
  const bom: Bom = JSON.parse(
    execFileSync('npm', ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'], {
      encoding: 'utf8',
      maxBuffer: Infinity,
    }),
  )
  const shipped = new Map(shippedPackages().map((each) => [`${each.name}@${each.version}`, each]))
  const root = bom.metadata.component['bom-ref']
  const isShipped = (ref: string): boolean => ref === root || shipped.has(ref)
  return {
    ...bom,
    // npm names the component after the directory.
    metadata: { ...bom.metadata, component: { ...bom.metadata.component, name } },
    components: bom.components.flatMap((component) => {
      const found = shipped.get(component['bom-ref'])
      return found === undefined ? [] : [asShipped(component, found)]
    }),
    dependencies: bom.dependencies
      .filter(({ ref }) => isShipped(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter(isShipped) })),
  }
}

/** npm marks as packages of development also the libraries of the page, and what is installed a second time for development. */
function asShipped(component: Component, { bundled }: Shipped): Component {
  const own = component.properties.filter(({ name }) => name !== 'cdx:npm:package:development')
  const properties = bundled ? [...own, { name: 'cdx:npm:package:bundled', value: 'true' }] : own
  return { ...component, scope: 'required', properties }
}
