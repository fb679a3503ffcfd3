/*
 * npm runs this as part of `npm version`, when package.json has the new version, before it commits: it writes the version wherever else it
 * stands, dates the section of the changelog, and refuses a version that cannot be released.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { version } from '../../src/project.ts'
import { CHANGELOG, CHART, kustomizations, obstacles } from './check.ts'

const today = new Date().toISOString().slice(0, 'YYYY-MM-DD'.length)
const changed = [
  replace(CHANGELOG, `## [${version}] - unreleased`, `## [${version}] - ${today}`),
  replace(CHART, /(?<=^(version|appVersion): ).*$/gm, version),
  ...kustomizations().map((file) => replace(file, /(?<=^ *newTag: ).*$/gm, version)),
]

const found = obstacles(`v${version}`)
if (found.length > 0) {
  process.stderr.write(`${found.join('\n')}\n`)
  process.exit(1)
}
execFileSync('git', ['add', ...changed])

function replace(file: string, from: string | RegExp, to: string): string {
  writeFileSync(file, readFileSync(file, 'utf8').replace(from, to))
  return file
}
