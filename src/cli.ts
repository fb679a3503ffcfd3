#!/usr/bin/env node
import { readCommandLine, settingsTable, type Settings } from './settings.ts'
import { version } from './version.ts'

/** The server could not start, the checked file is not valid, nothing was restored or printed, or the gate is closed. */
const EXIT_FAILED = 1
/** The command line or the environment is not valid, or the gate has no answer. */
const EXIT_USAGE = 2

// Each command imports what it needs: loading the server takes most of the time of the others.
const commandLine = readCommandLine(process.argv.slice(2), process.env)
switch (commandLine.command) {
  case 'help':
    process.stdout.write(help())
    break
  case 'version':
    process.stdout.write(`${version}\n`)
    break
  case 'check': {
    const { readChecked } = await import('./check.ts')
    const checked = await readChecked(commandLine.file)
    const lines = checked.ok ? checked.warnings : checked.faults
    process.stdout.write(lines.map((line) => `${line}\n`).join(''))
    if (!checked.ok) process.exitCode = EXIT_FAILED
    break
  }
  case 'token': {
    const { makeToken } = await import('./access/tokens.ts')
    const { secret, token } = makeToken(commandLine.name)
    process.stderr.write('The secret, which is shown only once, then the entry for "tokens" in TOKENS_FILE:\n')
    process.stdout.write(`${secret}\n${JSON.stringify(token)}\n`)
    break
  }
  case 'restore': {
    const { createLog } = await import('./log.ts')
    const { restoreFile } = await import('./restore.ts')
    // Standard output is for what is restored.
    const outcome = await restoreFile(commandLine, createLog('warn', process.stderr))
    process.exitCode = { done: 0, failed: EXIT_FAILED, unconfirmed: EXIT_USAGE }[outcome]
    break
  }
  case 'expected': {
    const { expectedBlock } = await import('./expected.ts')
    const { text, faults, warnings } = await expectedBlock(commandLine)
    process.stderr.write(warnings + faults.map((fault) => `gitops-status-server: ${fault}\n`).join(''))
    process.stdout.write(text ?? '')
    process.exitCode = text === undefined ? EXIT_FAILED : 0
    break
  }
  case 'gate': {
    const { gate } = await import('./gate.ts')
    const { outcome, lines } = await gate(commandLine)
    if (outcome === 'unknown')
      process.stderr.write(lines.map((line) => `gitops-status-server: gate: ${line}\n`).join(''))
    else process.stdout.write(lines.map((line) => `${line}\n`).join(''))
    process.exitCode = { open: 0, closed: EXIT_FAILED, unknown: EXIT_USAGE }[outcome]
    break
  }
  case 'usage-error':
    process.stderr.write(commandLine.faults.map((fault) => `gitops-status-server: ${fault}\n`).join(''))
    process.exitCode = EXIT_USAGE
    break
  case 'run':
    await run(commandLine.settings)
}

async function run(settings: Settings): Promise<void> {
  const { createLog, terminal } = await import('./log.ts')
  const { StartError, start } = await import('./server.ts')
  const log = createLog(settings.logLevel, process.stdout.isTTY ? terminal() : undefined)
  try {
    const server = await start(settings, log)
    let stopping: Promise<void> | undefined
    const stop = (signal: NodeJS.Signals): void => {
      if (stopping === undefined) log.info({ signal }, 'stopping')
      stopping ??= server.stop()
    }
    process.on('SIGTERM', stop).on('SIGINT', stop)
  } catch (error) {
    log.fatal(error instanceof StartError ? { detail: error.message } : { err: error }, 'start failed')
    process.exitCode = EXIT_FAILED
  }
}

function help(): string {
  const rows = settingsTable()
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`)
  return `gitops-status-server ${version}

Merges the drift-check snapshots that CI posts into one durable status.json, and serves it.

Usage: gitops-status-server [options]
       gitops-status-server check FILE
       gitops-status-server restore FILE [--data-dir DIR] [--stale-after SECONDS] [--yes]
       gitops-status-server expected --inventory FILE --repo NAME [--limit PATTERN]
       gitops-status-server token NAME
       gitops-status-server gate --url URL [--repo GLOB] [--server GLOB] [--label L] [--allow STATES] [--timeout SECONDS]

${lines.join('\n')}

  --help     print this text
  --version  print the version

check FILE    checks a status.json before it is saved, and prints one line per fault and per warning; - is standard input.
restore FILE  goes back to a backup of status.json, whatever its age, while a server runs or not: says what that changes,
              asks, and commits it. Newer verdicts and new targets stay. --yes does not ask; - is standard input.
              Run it as the user of the server and with its DATA_DIR and STALE_AFTER.
expected      prints the block "expected" for status.json: all hosts of an Ansible inventory, which must report for the
              repository. It runs ansible-inventory; --inventory is what -i is there, also several times.
token NAME    makes a token, and prints its secret and its entry for TOKENS_FILE, which has only the hash of the secret.
gate          asks the server at URL whether all targets that match are in sync, for a pipeline that must not deploy onto
              drift; prints a line for each that is not, and the verdict. --repo, --server and --label (env=prod) may be
              repeated. --allow accepted,stale lets these states pass. Set STATUS_TOKEN to a token if reads need one.

A flag takes precedence over its variable. An empty variable counts as not set.
Exit codes: 0 stopped by a signal, the file is valid, restored, printed, or the gate is open; ${EXIT_FAILED} could not start, the file is
not valid, not restored, not printed, or the gate is closed; ${EXIT_USAGE} invalid settings, --yes is needed, or the gate has no answer.
`
}
