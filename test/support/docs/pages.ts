import { readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../../..')

/** The pages that people read, as paths from the root of the repository. */
export function pages(): string[] {
  return [
    'README.md',
    ...markdownBelow('docs'),
    'reporter/ci/README.md',
    'reporter/example/README.md',
    'deploy/README.md',
  ]
}

/** The text of a file, by its path from the root of the repository. */
export function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8')
}

function markdownBelow(directory: string): string[] {
  return readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => join(directory, path))
    .toSorted()
}
