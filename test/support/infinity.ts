import { spawnSync } from 'node:child_process'
import { ask } from './http.ts'

/** A query of the Infinity plugin, as dashboards and rules have it. */
export interface Query {
  readonly refId: string
  readonly type: string
  readonly source: string
  readonly parser: string
  readonly format: string
  readonly url: string
  readonly url_options: {
    readonly method: string
    readonly data: string
    readonly params: readonly { readonly key: string; readonly value: string }[]
  }
  readonly root_selector: string
  readonly columns: readonly { readonly selector: string; readonly text: string; readonly type: string }[]
}

export type Row = Readonly<Record<string, unknown>>

/** What is chosen in a dashboard, by variable. */
export type Chosen = Readonly<Record<string, Choice>>

/** The names that are chosen, or for all of them the text that the dashboard gives for that. */
export type Choice = readonly string[] | { readonly all: string }

/**
 * What the plugin makes of a query with its two parsers of the backend: the answer of the server, through jq if there is a
 * selector, in rows. The parameters are what Grafana writes into them.
 */
export async function rowsOf(url: string, query: Query, chosen: Chosen): Promise<Row[]> {
  const address = new URL(query.url, url)
  for (const { key, value } of query.url_options.params) address.searchParams.set(key, interpolated(value, chosen))
  // What Grafana's own backend sends.
  const answer = await ask(address.href, { headers: { Accept: 'application/json;q=0.9,text/plain' } })
  if (answer.status !== 200) throw new Error(`${address.href}: ${answer.text}`)
  const root = query.root_selector === '' ? answer.json : jq(interpolated(query.root_selector, chosen), answer.body)
  return (Array.isArray(root) ? root : [root]) as Row[]
}

/** The fields of the rows by their titles. Without columns, a row is what the answer is. */
export function titled(rows: readonly Row[], { columns }: Query): Row[] {
  if (columns.length === 0) return [...rows]
  return rows.map((row) => Object.fromEntries(columns.map(({ selector, text }) => [text, row[selector] ?? null])))
}

function jq(selector: string, input: Buffer): unknown {
  const { status, stdout, stderr } = spawnSync('gojq', ['-c', selector], {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  if (status !== 0) throw new Error(`${stderr}${selector}`)
  const outputs = stdout.trimEnd().split('\n')
  if (outputs.length !== 1) throw new Error(`${outputs.length} outputs: ${selector}`)
  return JSON.parse(outputs[0] ?? '')
}

/** Grafana writes the text for all names as it stands, in whatever form names are asked for. */
function interpolated(text: string, chosen: Chosen): string {
  const times: Readonly<Record<string, number>> = { __from: Date.now() - 86_400_000, __to: Date.now() }
  return text.replaceAll(/\$\{(\w+)(?::(\w+))?\}/g, (_, name: string, form: string | undefined) => {
    if (name in times) return String(times[name])
    const choice = chosen[name]
    if (choice === undefined) throw new Error(`there is no variable ${name}`)
    if ('all' in choice) return choice.all
    const [first = '', ...others] = choice
    if (form === 'json') return JSON.stringify(others.length === 0 ? first : choice)
    return others.length === 0 ? first : `{${choice.join(',')}}`
  })
}
