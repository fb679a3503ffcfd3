/*
 * Fails if npm's registry knows a vulnerability in a package that is shipped: npm run audit. The packages of the page count too, which
 * `npm audit --omit=dev` leaves out. If the registry has no such service, as some mirrors, the exit code is 77: not checked.
 */
import { spawnSync } from 'node:child_process'
import { shippedPackages } from './shipped.ts'

const NOT_CHECKED = 77
/** What a registry without the service answers. Any other failure is one. */
const NO_SERVICE: readonly unknown[] = [404, 405, 501]

interface Report {
  readonly statusCode?: number
  readonly message?: string
  readonly vulnerabilities?: Readonly<Record<string, Vulnerability>>
}
interface Vulnerability {
  readonly name: string
  readonly severity: string
  /** The places of the affected packages in node_modules. */
  readonly nodes: readonly string[]
  /** The advisories, or the names of the packages that bring the vulnerability along. */
  readonly via: readonly (string | { readonly title: string; readonly url: string })[]
}

const { stdout, stderr } = spawnSync('npm', ['audit', '--json', '--package-lock-only'], { encoding: 'utf8' })
const report = parse(stdout)
if (report?.vulnerabilities !== undefined) {
  const shipped = new Set(shippedPackages().map(({ path }) => path))
  const found = Object.values(report.vulnerabilities).filter(({ nodes }) => nodes.some((path) => shipped.has(path)))
  for (const each of found) process.stdout.write(`${describe(each)}\n`)
  process.stdout.write(`${found.length} vulnerable packages of ${shipped.size} that are shipped\n`)
  process.exitCode = found.length === 0 ? 0 : 1
} else if (NO_SERVICE.includes(report?.statusCode)) {
  process.stdout.write(`Not checked: the registry has no audit service (${report?.statusCode})\n`)
  process.exitCode = NOT_CHECKED
} else {
  process.stderr.write(`npm audit failed: ${report?.message ?? stderr}\n`)
  process.exitCode = 1
}

function parse(text: string): Report | undefined {
  try {
    const parsed: Report = JSON.parse(text)
    return parsed
  } catch {
    return undefined
  }
}

function describe({ name, severity, via }: Vulnerability): string {
  const reasons = via.map((each) => (typeof each === 'string' ? `by ${each}` : `${each.title} ${each.url}`))
  return `${name}: ${severity}: ${reasons.join('; ')}`
}
