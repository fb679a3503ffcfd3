import { readFileSync } from 'node:fs'

const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

/** The version of this package. */
export const version = textAt('version')

/** The address of the repository, as people open it. Everything that has an address of this project derives it from here. */
export const repository = textAt('repository', 'url')
  .replace(/^git\+/, '')
  .replace(/\.git$/, '')

/** The address of the documentation of this version, without a slash at its end. */
export const documentation = `${repository}/blob/v${version}/docs`

/**
 * The address of the documentation that says how to solve a problem.
 *
 * @param topic a problem code, the kind of an entry in `/readyz`, or `start`: a heading of docs/troubleshooting.md
 */
export function helpFor(topic: string): string {
  return `${documentation}/troubleshooting.md#${topic}`
}

function textAt(...path: readonly string[]): string {
  let value = manifest
  for (const property of path) {
    const values: Partial<Record<string, unknown>> = typeof value === 'object' && value !== null ? { ...value } : {}
    value = values[property]
  }
  if (typeof value !== 'string') throw new TypeError(`package.json: ${path.join('.')} must be a string`)
  return value
}
