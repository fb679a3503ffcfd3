/* Prints the notes of a release, which are its section of the changelog: npm run --silent release:notes. */
import { readFileSync } from 'node:fs'
import { repository, version } from '../../src/project.ts'
import { sectionOf, unwrapped, withAbsoluteLinks } from './changelog.ts'

const section = sectionOf(readFileSync('CHANGELOG.md', 'utf8'), version)
if (section === undefined) throw new Error(`CHANGELOG.md has no section [${version}]`)
process.stdout.write(`${unwrapped(withAbsoluteLinks(section.text, `${repository}/blob/v${version}`))}\n`)
