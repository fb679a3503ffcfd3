import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import { metricLabelOf } from './http/metric-label.ts'
import { LABEL_NAME } from './status/schema.ts'
import { GATE_FLAGS, type GateOptions, readGateOptions } from './gate-options.ts'

/** A setting: its names, its default, and the values that it accepts. */
interface Setting<T> {
  readonly flag: string
  readonly env: string
  readonly fallback: T
  readonly unit: string
  readonly help: string
  /** Parses a value; `undefined` if it is not valid. */
  readonly read: (text: string) => T | undefined
  readonly expected: string
}

const METRICS_BY = ['target', 'repository'] as const
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
const LOG_FORMATS = ['json', 'text'] as const

/** All settings. `--help` and the check of a configuration use this table; docs/settings.md is generated from it. */
export const SETTINGS = {
  port: setting({
    flag: 'port',
    env: 'PORT',
    fallback: 8080,
    unit: 'TCP port',
    help: 'Port to listen on; 0 for any free port.',
    read: integer(0, 65_535),
    expected: 'a whole number from 0 to 65535',
  }),
  host: setting({
    flag: 'host',
    env: 'HOST',
    fallback: '127.0.0.1',
    unit: 'address',
    help: 'Address to listen on; 0.0.0.0 for all.',
    read: text,
    expected: 'an IP address or a host name',
  }),
  dataDir: setting({
    flag: 'data-dir',
    env: 'DATA_DIR',
    fallback: './data',
    unit: 'directory',
    help: 'Directory of status.json, on a persistent volume; created if it does not exist.',
    read: text,
    expected: 'a path',
  }),
  staleAfter: setting({
    flag: 'stale-after',
    env: 'STALE_AFTER',
    fallback: 600,
    unit: 'seconds',
    help: 'Age of the last check at which a target is stale, unless it has its own stale_after.',
    read: integer(1, 10 * 365 * 86_400),
    expected: 'a whole number of seconds, 1 or more, at most ten years',
  }),
  historyRetention: setting({
    flag: 'history-retention',
    env: 'HISTORY_RETENTION',
    fallback: 90,
    unit: 'days',
    help: 'Age at which rows of the history are removed.',
    read: integer(1, 10 * 365),
    expected: 'a whole number of days, 1 or more, at most ten years',
  }),
  commitInterval: setting({
    flag: 'commit-interval',
    env: 'COMMIT_INTERVAL',
    fallback: 0,
    unit: 'seconds',
    help: 'Shortest time between two writes for posts; a post waits up to that long for its answer.',
    // An answer must come before the client gives up: the reporters wait for 30 seconds.
    read: integer(0, 20),
    expected: 'a whole number of seconds from 0 to 20',
  }),
  tokensFile: setting<string | undefined>({
    flag: 'tokens-file',
    env: 'TOKENS_FILE',
    fallback: undefined,
    unit: 'file',
    help: 'Tokens and their rights; without it, anyone may post, accept, remove and read.',
    read: text,
    expected: 'a path',
  }),
  protectReads: setting<boolean>({
    flag: 'protect-reads',
    env: 'PROTECT_READS',
    fallback: false,
    unit: 'true, false',
    help: 'If true, reads require a token as well; probes never do.',
    read: trueOrFalse,
    expected: 'true or false',
  }),
  refuseDiffs: setting<boolean>({
    flag: 'refuse-diffs',
    env: 'REFUSE_DIFFS',
    fallback: false,
    unit: 'true, false',
    help: 'If true, a snapshot that has a diff is refused, because differences can hold secrets.',
    read: trueOrFalse,
    expected: 'true or false',
  }),
  trustProxy: setting<number | readonly string[] | undefined>({
    flag: 'trust-proxy',
    env: 'TRUST_PROXY',
    fallback: undefined,
    unit: 'proxies',
    help: 'Proxies whose X-Forwarded-For is trusted: their number, or their addresses and networks.',
    read: (value) => integer(1, 16)(value) ?? proxies(value),
    expected: 'a number from 1 to 16, or addresses and networks such as 10.0.0.0/8, loopback, uniquelocal',
  }),
  metricLabels: setting<readonly string[] | undefined>({
    flag: 'metric-labels',
    env: 'METRIC_LABELS',
    fallback: undefined,
    unit: 'names',
    help: 'Labels of targets that gitops_target_info has in /metrics, separated by commas.',
    read: labelNames,
    expected: 'names of labels separated by commas, such as env,owner',
  }),
  metricsBy: setting<(typeof METRICS_BY)[number]>({
    flag: 'metrics-by',
    env: 'METRICS_BY',
    fallback: 'target',
    unit: 'target, repository',
    help: 'Series in /metrics: those of each target, or only the counts of each repository.',
    read: (value) => METRICS_BY.find((by) => by === value),
    expected: METRICS_BY.join(' or '),
  }),
  logLevel: setting({
    flag: 'log-level',
    env: 'LOG_LEVEL',
    fallback: 'info',
    unit: 'level',
    help: 'Lowest severity that is logged.',
    read: (value) => LOG_LEVELS.find((level) => level === value),
    expected: `one of ${LOG_LEVELS.join(', ')}`,
  }),
  logFormat: setting<(typeof LOG_FORMATS)[number] | undefined>({
    flag: 'log-format',
    env: 'LOG_FORMAT',
    fallback: undefined,
    unit: 'format',
    help: 'json: one JSON object a line; text: for people. By default text on a terminal, else json.',
    read: (value) => LOG_FORMATS.find((format) => format === value),
    expected: `one of ${LOG_FORMATS.join(', ')}`,
  }),
}

export type Settings = { readonly [Name in keyof typeof SETTINGS]: (typeof SETTINGS)[Name]['fallback'] }

export interface RestoreOptions {
  /** The backup; `-` is standard input. */
  readonly file: string
  readonly dataDir: string
  /** Seconds, as the server has it. */
  readonly staleAfter: number
  /** True to restore without a question. */
  readonly isConfirmed: boolean
}

export interface ExpectedOptions {
  /** Files, directories, or lists of hosts with commas, as Ansible takes them. One at least. */
  readonly inventories: readonly string[]
  readonly repo: string
  /** A pattern of Ansible's for the hosts; all, if there is none. */
  readonly limit: string | undefined
}

/** The parsed command line. */
export type CommandLine =
  | { readonly command: 'run'; readonly settings: Settings }
  | { readonly command: 'check'; readonly file: string }
  | { readonly command: 'token'; readonly name: string }
  | ({ readonly command: 'restore' } & RestoreOptions)
  | ({ readonly command: 'expected' } & ExpectedOptions)
  | ({ readonly command: 'gate' } & GateOptions)
  /** `of` is the command that is asked about, if it is one. */
  | { readonly command: 'help'; readonly of: string | undefined }
  | { readonly command: 'version' }
  | { readonly command: 'usage-error'; readonly faults: readonly string[] }

/**
 * Parses the command line and the environment. A flag takes precedence over its variable; an empty variable counts as
 * not set. Reports all faults together.
 */
export function readCommandLine(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): CommandLine {
  if (args[0] === 'expected') return readExpected(args.slice(1))
  const flags = Object.fromEntries(Object.values(SETTINGS).map(({ flag }) => [flag, { type: 'string' as const }]))
  const faults: string[] = []
  const { values, tokens, positionals } = parseArgs({
    args: [...args],
    options: {
      ...flags,
      ...GATE_FLAGS,
      yes: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean', short: 'v' },
    },
    strict: false,
    tokens: true,
  })
  const [command, ...operands] = positionals
  if (values['help'] === true) return { command: 'help', of: command }
  if (values['version'] === true) return { command: 'version' }

  if (command === 'check') {
    const [file] = operands
    if (file !== undefined && operands.length === 1) return { command, file }
    return { command: 'usage-error', faults: ['check: expected one file, or - for standard input'] }
  }
  if (command === 'token') {
    const [name] = operands
    if (name !== undefined && /^[\w.@-]{1,100}$/.test(name) && operands.length === 1) return { command: 'token', name }
    return { command: 'usage-error', faults: ['token: expected one name of letters, digits, and . _ - @'] }
  }
  if (command === 'restore') return readRestore()
  if (command === 'gate') {
    const outcome = readGateOptions(tokens, env)
    return outcome.ok ? { command, ...outcome.value } : { command: 'usage-error', faults: outcome.faults }
  }
  for (const token of tokens) {
    if (token.kind === 'positional') faults.push(`${token.value}: unknown command; see --help`)
    else if (token.kind === 'option' && !Object.hasOwn(flags, token.name)) {
      faults.push(`${token.rawName}: unknown option; see --help`)
    }
  }

  function readRestore(): CommandLine {
    const [file, ...others] = operands
    const isConfirmed = values['yes'] === true
    const known = new Set([SETTINGS.dataDir.flag, SETTINGS.staleAfter.flag, 'yes'])
    for (const token of tokens) {
      if (token.kind === 'option' && !known.has(token.name)) {
        faults.push(`${token.rawName}: unknown option of restore; see restore --help`)
      }
    }
    if (file === undefined || others.length > 0) faults.push('restore: expected one file, or - for standard input')
    else if (file === '-' && !isConfirmed)
      faults.push('restore: - requires --yes: standard input cannot be the backup and the answer')
    const [dataDir, staleAfter] = [value(SETTINGS.dataDir), value(SETTINGS.staleAfter)]
    if (file === undefined || faults.length > 0) return { command: 'usage-error', faults }
    return { command: 'restore', file, dataDir, staleAfter, isConfirmed }
  }

  function value<T>({ flag, env: variable, fallback, read, expected }: Setting<T>): T {
    const given = values[flag]
    const source = given === undefined ? variable : `--${flag}`
    const written = given ?? (env[variable] === '' ? undefined : env[variable])
    if (written === undefined) return fallback
    // `--port --host x`: the value of --port is missing.
    const isMissing = typeof written !== 'string' || (given !== undefined && written.startsWith('--'))
    const result = isMissing ? undefined : read(written)
    if (result === undefined) {
      const found = typeof written === 'string' ? JSON.stringify(written) : 'nothing'
      faults.push(`${source}: must be ${expected}, not ${found}`)
    }
    return result ?? fallback
  }

  const settings: Settings = {
    port: value(SETTINGS.port),
    host: value(SETTINGS.host),
    dataDir: value(SETTINGS.dataDir),
    staleAfter: value(SETTINGS.staleAfter),
    historyRetention: value(SETTINGS.historyRetention),
    commitInterval: value(SETTINGS.commitInterval),
    tokensFile: value(SETTINGS.tokensFile),
    protectReads: value(SETTINGS.protectReads),
    refuseDiffs: value(SETTINGS.refuseDiffs),
    trustProxy: value(SETTINGS.trustProxy),
    metricLabels: value(SETTINGS.metricLabels),
    metricsBy: value(SETTINGS.metricsBy),
    logLevel: value(SETTINGS.logLevel),
    logFormat: value(SETTINGS.logFormat),
  }
  faults.push(...metricLabelFaults(settings.metricLabels ?? []))
  if (settings.protectReads && settings.tokensFile === undefined) {
    faults.push('PROTECT_READS: requires TOKENS_FILE, which lists the tokens that may read')
  }
  return faults.length > 0 ? { command: 'usage-error', faults } : { command: 'run', settings: Object.freeze(settings) }
}

/** The command has options of its own, and no settings. */
function readExpected(args: readonly string[]): CommandLine {
  const given: Readonly<Record<string, string[]>> = { inventory: [], repo: [], limit: [] }
  const options = {
    inventory: { type: 'string', short: 'i' },
    repo: { type: 'string' },
    limit: { type: 'string', short: 'l' },
    help: { type: 'boolean', short: 'h' },
  } as const
  const faults: string[] = []
  const { values, tokens, positionals } = parseArgs({ args: [...args], options, strict: false, tokens: true })
  if (values.help === true) return { command: 'help', of: 'expected' }
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const { name, rawName, value = '', inlineValue = false } = token
    // `--inventory --repo x`: the value of --inventory is missing.
    const isMissing = value.trim() === '' || (!inlineValue && value.startsWith('--'))
    if (!Object.hasOwn(given, name)) faults.push(`${rawName}: unknown option of expected; see expected --help`)
    else if (isMissing) faults.push(`${rawName}: must have a value`)
    else given[name]?.push(value)
  }
  const { inventory: inventories = [], repo: repos = [], limit: limits = [] } = given
  const [repo, ...otherRepos] = repos
  const [limit, ...otherLimits] = limits
  // After an option without its value, what follows would be said to be missing, or too much.
  const isClear = faults.length === 0
  if (isClear && positionals.length > 0) faults.push(`${positionals[0]}: expected takes no file; see expected --help`)
  if (isClear && inventories.length === 0) faults.push('--inventory: must be given at least once')
  if (isClear && (repo === undefined || otherRepos.length > 0)) faults.push('--repo: must be given exactly once')
  if (otherLimits.length > 0) faults.push('--limit: must not be given twice')
  if (repo === undefined || faults.length > 0) return { command: 'usage-error', faults }
  return { command: 'expected', inventories, repo, limit }
}

/** The settings as rows of cells; the first row has the titles of the columns. */
export function settingsTable(): string[][] {
  return [
    ['flag', 'variable', 'default', 'unit', 'meaning'],
    ...Object.values(SETTINGS).map(({ flag, env, fallback, unit, help }) => [
      `--${flag}`,
      env,
      String(fallback ?? 'none'),
      unit,
      help,
    ]),
  ]
}

function setting<T>(one: Setting<T>): Setting<T> {
  return one
}

function integer(min: number, max: number): (text: string) => number | undefined {
  return (value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN
    return number >= min && number <= max ? number : undefined
  }
}

/** Addresses, networks, and the names that proxy-addr has for some of those. */
function proxies(value: string): string[] | undefined {
  const parts = value.split(',').map((part) => part.trim())
  const known = parts.every((part) => {
    if (['loopback', 'linklocal', 'uniquelocal'].includes(part)) return true
    const [address = '', bits, ...rest] = part.split('/')
    const version = isIP(address)
    if (version === 0 || rest.length > 0) return false
    return bits === undefined || integer(0, version === 4 ? 32 : 128)(bits) !== undefined
  })
  return known ? parts : undefined
}

const LABEL = new RegExp(`^${LABEL_NAME}$`)

function labelNames(value: string): string[] | undefined {
  const names = value.split(',').map((name) => name.trim())
  return names.every((name) => LABEL.test(name)) ? names : undefined
}

/** Two labels of one name would be one series twice, for which Prometheus refuses the whole scrape. */
function metricLabelFaults(names: readonly string[]): string[] {
  return names.flatMap((name, index) => {
    const other = names.slice(0, index).find((each) => metricLabelOf(each) === metricLabelOf(name))
    if (other === undefined) return []
    return `METRIC_LABELS: ${other} and ${name} have the same name in metrics, ${metricLabelOf(name)}; remove one of them`
  })
}

function trueOrFalse(value: string): boolean | undefined {
  return { true: true, false: false }[value]
}

function text(value: string): string | undefined {
  return value.trim() === '' ? undefined : value
}
