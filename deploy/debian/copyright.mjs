// Prints the copyright file of the Debian package: node copyright.mjs PACKAGE
// PACKAGE is the unpacked npm package, with its license and its dependencies.
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'

const [root = '.'] = process.argv.slice(2)
const { name, homepage } = manifestOf(root)
const dependencies = readdirSync(join(root, 'node_modules'), { recursive: true, encoding: 'utf8' })
  .filter((path) => /(^|node_modules\/)(@[^/]+\/)?[^/@][^/]*\/package\.json$/.test(path))
  .map((path) => ({ path: dirname(path), ...manifestOf(join(root, 'node_modules', dirname(path))) }))
  .toSorted((a, b) => (a.path < b.path ? -1 : 1))

process.stdout.write(`${name}: ${homepage}

${readFileSync(join(root, 'LICENSE'), 'utf8')}
It contains these packages from npm. /usr/lib/${name}/node_modules has the license of each in a directory of that name.
/usr/share/common-licenses/Apache-2.0 has the text of Apache-2.0.

${dependencies.map(({ path, version, license }) => `  ${path} ${version}: ${license}`).join('\n')}
`)

function manifestOf(directory) {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
}
