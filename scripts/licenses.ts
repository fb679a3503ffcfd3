/*
 * Fails if a package that is shipped has a licence that is not in the list: npm run lint. Before you add one, make sure that it lets users of
 * this program do what its own licence lets them do.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Shipped, shippedPackages } from './shipped.ts'

export const ALLOWED: ReadonlySet<string> = new Set(['MIT', 'ISC', 'BSD-3-Clause', 'Apache-2.0', 'CC0-1.0'])

/** A licence, and the file of the package and a text in it that say so. */
type Reading = readonly [license: string, file: string, text: string]
/** Packages whose package.json names no licence. */
const READ_IN_A_FILE: Readonly<Record<string, Reading>> = {
  'color-convert@0.5.3': ['MIT', 'LICENSE', 'Permission is hereby granted, free of charge, to any person obtaining'],
}

/** The packages whose licences are not in the list, a line each. */
export function faultsOf(
  packages: readonly Shipped[],
  allowed: ReadonlySet<string> = ALLOWED,
  read = READ_IN_A_FILE,
): string[] {
  return packages.flatMap(({ name, version, path, license = licenseInFile(read[`${name}@${version}`], path) }) =>
    license !== undefined && isAllowed(license, allowed) ? [] : `${name} ${version}: ${license ?? 'no licence'}`,
  )
}

function licenseInFile(reading: Reading | undefined, path: string): string | undefined {
  if (reading === undefined) return undefined
  const [license, file, text] = reading
  return readFileSync(join(path, file), 'utf8').includes(text) ? license : undefined
}

/** Understands `A`, `(A OR B)` and `(A AND B)`. */
function isAllowed(expression: string, allowed: ReadonlySet<string>): boolean {
  const licenses = expression.replaceAll(/[()]/g, '')
  if (licenses.includes(' AND ')) return licenses.split(' AND ').every((each) => isAllowed(each, allowed))
  return licenses.split(' OR ').some((each) => allowed.has(each))
}

if (process.argv[1] === import.meta.filename) {
  const faults = faultsOf(shippedPackages())
  if (faults.length > 0) {
    process.stderr.write(
      `These packages have licences that scripts/licenses.ts does not allow:\n${faults.join('\n')}\n`,
    )
    process.exitCode = 1
  }
}
