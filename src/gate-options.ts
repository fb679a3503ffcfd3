import { STATES, type State } from './status/schema.ts'

export interface GateOptions {
  /** The address of the server; it ends with a slash. */
  readonly url: URL
  /** The parameters of the request, with their values. */
  readonly filter: readonly (readonly [name: string, value: string])[]
  /** States that are fine, beside `synced`. */
  readonly allow: ReadonlySet<State>
  readonly timeoutSeconds: number
  readonly token: string | undefined
}

/** The variable with the token. All users of the machine can see an argument, and the log of the pipeline may show it. */
export const TOKEN_VARIABLE = 'STATUS_TOKEN'
/** Seconds. */
export const TIMEOUT_DEFAULT = 30
const TIMEOUT_MAX = 3600
const FILTERS: readonly string[] = ['repo', 'server', 'label']
/** The states that `--allow` may name. The gate always stops at drift. */
export const ALLOWABLE = STATES.filter((state) => state !== 'drifted' && state !== 'synced')

/** The flags of `gate` for `parseArgs`. */
export const GATE_FLAGS = Object.fromEntries(
  ['url', ...FILTERS, 'allow', 'timeout'].map((name) => [name, { type: 'string' as const }]),
)

/** The parsed arguments, or a line for each fault. */
export type GateArguments =
  { readonly ok: true; readonly value: GateOptions } | { readonly ok: false; readonly faults: readonly string[] }

/** An argument as `parseArgs` gives it. */
export interface Argument {
  readonly kind: string
  readonly name?: string
  readonly rawName?: string
  readonly value?: string | undefined
}

/** Reads the command line of `gate`. Flags may be repeated, but for `--url` and `--timeout`. */
export function readGateOptions(
  args: readonly Argument[],
  env: Readonly<Record<string, string | undefined>>,
): GateArguments {
  const faults: string[] = []
  const given: [name: string, value: string][] = []
  for (const { kind, name = '', rawName = '', value } of args) {
    if (kind === 'positional' && value !== 'gate')
      faults.push(`gate: expected no operand, not ${JSON.stringify(value)}`)
    if (kind !== 'option') continue
    if (!Object.hasOwn(GATE_FLAGS, name)) faults.push(`${rawName}: unknown option of gate; see gate --help`)
    // `--repo --server x`: the value is missing. An empty value is a variable that is not set, and would match all.
    else if (value === undefined || value === '' || value.startsWith('--'))
      faults.push(`${rawName}: a value is missing`)
    else given.push([name, value])
  }
  const valuesOf = (name: string): string[] => given.flatMap((each) => (each[0] === name ? each[1] : []))
  const onlyOne = (name: string): string | undefined => {
    const values = valuesOf(name)
    if (values.length > 1) faults.push(`--${name}: must be given once`)
    return values[0]
  }

  const address = onlyOne('url')
  const url = address === undefined ? undefined : serverAt(address)
  if (url === undefined) faults.push('--url: must be the http or https address of a server, without user and query')
  const seconds = onlyOne('timeout') ?? String(TIMEOUT_DEFAULT)
  const timeoutSeconds = /^\d{1,4}$/.test(seconds) ? Number(seconds) : 0
  if (timeoutSeconds < 1 || timeoutSeconds > TIMEOUT_MAX) {
    faults.push(`--timeout: must be a whole number of seconds from 1 to ${TIMEOUT_MAX}`)
  }
  const allowed = valuesOf('allow').flatMap((value) => value.split(','))
  const allow = ALLOWABLE.filter((state) => allowed.includes(state))
  if (new Set(allowed).size > allow.length)
    faults.push(`--allow: must be one or more of ${ALLOWABLE.join(', ')}, separated by commas`)
  const token = env[TOKEN_VARIABLE] === '' ? undefined : env[TOKEN_VARIABLE]
  // Never with its value: this goes to the log of a pipeline.
  if (token !== undefined && !/^[\w.~+/=-]+$/.test(token)) faults.push(`${TOKEN_VARIABLE}: is not a token`)

  if (url === undefined || faults.length > 0) return { ok: false, faults }
  const filter = given.filter(([name]) => FILTERS.includes(name))
  return { ok: true, value: { url, filter, allow: new Set(allow), timeoutSeconds, token } }
}

/** The base of the addresses of a server. The address to which CI posts, with `api/status`, is taken for it too. */
function serverAt(text: string): URL | undefined {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined
  const url = new URL(text)
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return undefined
  url.pathname = `${url.pathname.replace(/(?:\/api\/status)?\/*$/, '')}/`
  return url
}
