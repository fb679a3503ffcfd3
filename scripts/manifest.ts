/*
 * The address of the project stands once in package.json, as `repository`. The package.json of the package also has `homepage` and `bugs`,
 * which follow from it: `complete` adds them before `npm pack` reads the file, `restore` takes them out again.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { repository } from '../src/project.ts'

const FILE = 'package.json'
const derived = { homepage: `${repository}#readme`, bugs: { url: `${repository}/issues` } }

const manifest: Record<string, unknown> = JSON.parse(readFileSync(FILE, 'utf8'))
const own = Object.entries(manifest).filter(([property]) => !(property in derived))
const added = process.argv[2] === 'complete' ? Object.entries(derived) : []
const entries = own.flatMap((entry) => (entry[0] === 'repository' ? [entry, ...added] : [entry]))

// Other programs may read the file at any time.
writeFileSync(`${FILE}.tmp`, `${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n`)
renameSync(`${FILE}.tmp`, FILE)
