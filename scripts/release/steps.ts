import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { version } from '../../src/project.ts'
import { plan } from './check.ts'
import { sbom } from './sbom.ts'

/** One of the files that a release consists of, or several. */
export interface Step {
  readonly name: string
  /** The programs that it needs, beside npm. */
  readonly programs: readonly string[]
  /** Writes the files into the directory. */
  readonly build: (directory: string) => void
}

export const NPM_PACKAGE = `gitops-status-server-${version}.tgz`
export const CHART = `gitops-status-server-chart-${version}.tgz`

/** What makes the files of a release. The order matters: the list of checksums is the last. */
export const STEPS: readonly Step[] = [
  {
    name: 'npm package',
    programs: [],
    build: (directory) => run('npm', 'pack', '--silent', '--pack-destination', directory),
  },
  {
    name: 'bill of materials',
    programs: [],
    build: (directory) => {
      const file = join(directory, `gitops-status-server-${version}.cdx.json`)
      writeFileSync(file, `${JSON.stringify(sbom(), undefined, 2)}\n`)
    },
  },
  {
    name: 'Debian package',
    programs: ['nfpm'],
    build: (directory) => run('deploy/debian/build.sh', directory),
  },
  { name: 'Helm chart', programs: ['helm'], build: packageChart },
  { name: 'checksums', programs: [], build: writeChecksums },
]

/** The names of the files in a directory of a release, without signatures. */
export function assetsIn(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => !name.endsWith('.sigstore.json'))
    .toSorted()
}

/** Runs a program; what it prints goes to stderr. */
export function run(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: ['ignore', process.stderr, 'inherit'] })
}

/** Helm names the archive as npm names the package. */
function packageChart(directory: string): void {
  const place = mkdtempSync(join(tmpdir(), 'chart-'))
  try {
    run('npx', 'tsx', 'deploy/helm/package.ts', '--image', plan().image, '--destination', place)
    copyFileSync(join(place, NPM_PACKAGE), join(directory, CHART))
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

/** In the format of `sha256sum`, which also checks it. */
function writeChecksums(directory: string): void {
  const names = assetsIn(directory).filter((name) => name !== 'SHA256SUMS')
  const lines = names.map((name) => {
    const hash = createHash('sha256').update(readFileSync(join(directory, name)))
    return `${hash.digest('hex')}  ${name}\n`
  })
  writeFileSync(join(directory, 'SHA256SUMS'), lines.join(''))
}

/** Makes the directory of a release, which must not have files of another. */
export function emptyDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true })
  const [first] = readdirSync(directory)
  if (first !== undefined) throw new Error(`${directory} is not empty: ${first}`)
}
