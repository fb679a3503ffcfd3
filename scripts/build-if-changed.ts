/*
 * Runs `npm run build`, unless dist was built from what the build would read now: npm run build:if-changed. Contents count, not times, which
 * `git checkout` changes. `npm start` and `npm test` begin with it.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Everything that the build reads. The lock file stands for the compiler and the libraries of the page. */
const INPUTS = ['src', 'tsconfig.json', 'package.json', 'package-lock.json']
const STAMP = join('dist', '.inputs')

const inputs = fingerprint()
if (!existsSync(STAMP) || readFileSync(STAMP, 'utf8') !== inputs) {
  // A build that fails may leave the output of these inputs behind, so dist is no longer what the stamp says.
  rmSync(STAMP, { force: true })
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
  writeFileSync(STAMP, inputs)
}

/** A hash of the names and contents of all inputs. */
function fingerprint(): string {
  const hash = createHash('sha256')
  for (const file of INPUTS.flatMap(filesIn)) {
    const content = readFileSync(file)
    hash.update(`${file}\n${content.length}\n`).update(content)
  }
  return hash.digest('hex')
}

function filesIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
}
