import { ALLOWABLE, TIMEOUT_DEFAULT, TOKEN_VARIABLE } from './gate-options.ts'
import { documentation, version } from './project.ts'
import { SETTINGS, settingsTable } from './settings.ts'

/** The description of a command in `--help` and docs/settings.md. */
export interface Usage {
  /** The arguments after the name of the program. */
  readonly synopsis: string
  /** One sentence. */
  readonly summary: string
  /** Lines of at most 80 characters. */
  readonly description: string
  readonly options: readonly (readonly [option: string, meaning: string])[]
  readonly signals?: readonly (readonly [signals: string, meaning: string])[]
  readonly exitCodes: readonly (readonly [code: number, meaning: string])[]
}

const STANDARD_INPUT = '- is standard input.'

/** The server itself. Its options are the settings. */
export const SERVER: Usage = {
  synopsis: '[options]',
  summary: 'Merge the drift-check snapshots that CI posts into one durable status.json, and serve it.',
  description: 'A flag takes precedence over its variable. An empty variable counts as not set.',
  options: [
    ['--help, -h', 'Print this text; after a command, the text for that command.'],
    ['--version, -v', 'Print the version.'],
  ],
  signals: [
    ['SIGTERM, SIGINT', 'Answer what has begun, and stop.'],
    ['SIGHUP', 'Read TOKENS_FILE again. On a terminal: stop.'],
  ],
  exitCodes: [
    [0, 'A signal stopped the server.'],
    [1, 'The server could not start.'],
    [2, 'A setting is not valid.'],
  ],
}

/** The commands, in the order in which they are described. */
export const COMMANDS: Readonly<Record<string, Usage>> = {
  check: {
    synopsis: 'check FILE',
    summary: 'Check a status.json before it is saved.',
    description: `Print one line for each fault and each warning: file, line, column, JSON Pointer,
and what was expected. ${STANDARD_INPUT}`,
    options: [],
    exitCodes: [
      [0, 'The file is valid. It may have warnings.'],
      [1, 'The file is not valid, or cannot be read.'],
      [2, 'The command line is not valid.'],
    ],
  },
  restore: {
    synopsis: 'restore FILE [options]',
    summary: 'Restore a backup of status.json, of any age.',
    description: `Print what the restore changes, ask, and write it. A server may run on the directory
or not. Verdicts of newer checks stay, and so do targets that the backup does not
have. Run it as the user of the server and with the server's DATA_DIR and
STALE_AFTER. ${STANDARD_INPUT}`,
    options: [
      [`--${SETTINGS.dataDir.flag} DIR`, SETTINGS.dataDir.help],
      [`--${SETTINGS.staleAfter.flag} SECONDS`, SETTINGS.staleAfter.help],
      ['--yes', 'Do not ask.'],
    ],
    exitCodes: [
      [0, 'The backup is restored, or it changes nothing.'],
      [1, 'Nothing was restored.'],
      [2, 'The command line is not valid, or there is no terminal to ask on and no --yes.'],
    ],
  },
  expected: {
    synopsis: 'expected --inventory FILE --repo NAME [--limit PATTERN]',
    summary: 'Print the block "expected" of status.json for the hosts of an Ansible inventory.',
    description: `The block names the servers that must report for a repository. The command runs
ansible-inventory, so ranges, groups and inventory scripts work as in Ansible.`,
    options: [
      ['--inventory FILE, -i', 'An inventory, as for ansible-inventory. May be repeated.'],
      ['--repo NAME', 'The repository that the servers belong to.'],
      ['--limit PATTERN, -l', 'Only the hosts that match this Ansible pattern.'],
    ],
    exitCodes: [
      [0, 'The block was printed.'],
      [1, 'Nothing was printed: the inventory cannot be read, or has no hosts.'],
      [2, 'The command line is not valid.'],
    ],
  },
  token: {
    synopsis: 'token NAME',
    summary: 'Make a token.',
    description: `Print its secret, which is not stored anywhere, and its entry for TOKENS_FILE,
which holds only the hash of the secret.`,
    options: [],
    exitCodes: [
      [0, 'The token was printed.'],
      [2, 'The name is not valid.'],
    ],
  },
  gate: {
    synopsis: 'gate --url URL [options]',
    summary: 'Stop a pipeline that would deploy onto drift.',
    description: `Ask the server at URL whether all targets that match are in sync. Print a line for
each that is not, then the verdict.`,
    options: [
      ['--url URL', 'The address of the server.'],
      ['--repo GLOB', 'Only targets of these repositories. May be repeated.'],
      ['--server GLOB', 'Only targets on these servers. May be repeated.'],
      ['--label CONDITION', 'Only targets with this label, such as env=prod. May be repeated; all must match.'],
      ['--allow STATES', `States that also pass, separated by commas: ${ALLOWABLE.join(', ')}.`],
      ['--timeout SECONDS', `Longest time to wait for the answer; ${TIMEOUT_DEFAULT} by default.`],
      [`${TOKEN_VARIABLE}=TOKEN`, 'Environment variable with the token, if reads need one.'],
    ],
    exitCodes: [
      [0, 'Every target that matches is in sync, or in an allowed state.'],
      [1, 'At least one target is not.'],
      [2, 'There is no valid answer, no target matches, or the command line is not valid.'],
    ],
  },
}

/** The text of `--help`, for the server or for a command. */
export function helpText(command: string | undefined): string {
  const usage = command === undefined ? undefined : COMMANDS[command]
  return usage === undefined ? serverHelp() : `${head(usage)}${lists(usage)}`
}

function serverHelp(): string {
  const commands = Object.values(COMMANDS).map(({ synopsis, summary }) => [synopsis.split(' ', 1)[0] ?? '', summary])
  return `gitops-status-server ${version}

${head(SERVER)}
Commands (details: gitops-status-server COMMAND --help):
${columns(commands)}

Settings:
${columns(settingsTable())}
${lists(SERVER)}
Documentation: ${documentation}
`
}

function head({ synopsis, summary, description }: Usage): string {
  return `Usage: gitops-status-server ${synopsis}\n\n${summary}\n\n${description}\n`
}

function lists({ options, signals = [], exitCodes }: Usage): string {
  const codes = exitCodes.map(([code, meaning]) => [String(code), meaning])
  return list('Options', options) + list('Signals', signals) + list('Exit codes', codes)
}

function list(title: string, rows: readonly (readonly string[])[]): string {
  return rows.length === 0 ? '' : `\n${title}:\n${columns(rows)}\n`
}

/** Rows of cells as lines, with each column as wide as its widest cell. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n')
}
