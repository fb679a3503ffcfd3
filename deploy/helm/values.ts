import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { format } from 'prettier'

export interface Value {
  /** Such as `image.tag`. */
  readonly path: string
  /** `undefined` if the server has none. */
  readonly fallback: unknown
  readonly description: string
}

export const CHART = join(import.meta.dirname, 'gitops-status-server')
export const PAGE = join(import.meta.dirname, '../../docs/install/helm/values.md')
const TABLE = /(?<=<!-- values -->\n)[^]*(?=<!-- \/values -->)/

/** The values of the chart: what has a default in values.schema.json. */
export function values(): Value[] {
  return valuesOf(JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')), '')
}

function valuesOf(schema: unknown, prefix: string): Value[] {
  return Object.entries(propertiesOf(propertiesOf(schema)['properties'])).flatMap(([name, each]) => {
    const path = `${prefix}${name}`
    const { default: fallback, description } = propertiesOf(each)
    if (fallback === undefined) return valuesOf(each, `${path}.`)
    return { path, fallback: fallback ?? undefined, description: String(description) }
  })
}

function propertiesOf(value: unknown): Partial<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

/** A page with the table of the values, between its marks. */
export async function withTable(page: string): Promise<string> {
  const rows = values().map(({ path, fallback, description }) => [
    `\`${path}\``,
    fallback === undefined ? 'none' : `\`${JSON.stringify(fallback)}\``,
    description,
  ])
  const table = [['value', 'default', 'meaning'], ['---', '---', '---'], ...rows]
  const text = table.map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`).join('')
  const filled = page.replace(TABLE, `\n${text}\n`)
  return format(filled, { parser: 'markdown', printWidth: 120, singleQuote: true, semi: false })
}

// npx tsx deploy/helm/values.ts writes the table into docs/install/helm/values.md.
if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PAGE, await withTable(readFileSync(PAGE, 'utf8')))
