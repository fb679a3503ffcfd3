import { execFileSync } from 'node:child_process'
import { lstatSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { sum } from './numbers.ts'
import { count, say } from './report.ts'

const ROOT = resolve(import.meta.dirname, '..')
/** Built, and not installed with it: see "files" in package.json. */
const NOT_INSTALLED = join(ROOT, 'dist', '.tsbuildinfo')

/** What an installation takes of a disk. */
export function cost(): void {
  const list = execFileSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], { cwd: ROOT, encoding: 'utf8' })
  const [, ...dependencies] = list.trim().split('\n')
  const bytes = sum(dependencies.map((path) => bytesIn(path)))
  const own = bytesIn(join(ROOT, 'dist')) - lstatSync(NOT_INSTALLED).size
  say('## Cost')
  say()
  say(`Installed: ${megabytes(own)} of its own, and ${count(dependencies.length)} packages with ${megabytes(bytes)}.`)
  say('The image adds that to the one of Node. Memory and start are among what grows.')
  say()
}

/** The bytes of the files below a path; a package within a package is counted on its own. */
function bytesIn(path: string): number {
  const entries = readdirSync(path, { withFileTypes: true }).filter(({ name }) => name !== 'node_modules')
  return sum(
    entries.map((entry) => {
      const inside = join(path, entry.name)
      return entry.isDirectory() ? bytesIn(inside) : lstatSync(inside).size
    }),
  )
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
