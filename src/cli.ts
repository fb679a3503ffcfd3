#!/usr/bin/env node
import { helpFor, version } from './project.ts'
import { readCommandLine, type Settings } from './settings.ts'

/** The server could not start, the checked file is not valid, nothing was restored or printed, or the gate is closed. */
const EXIT_FAILED = 1
/** The command line or the environment is not valid, or the gate has no answer. */
const EXIT_USAGE = 2

// Each command imports what it needs: loading the server takes most of the time of the others.
const commandLine = readCommandLine(process.argv.slice(2), process.env)
switch (commandLine.command) {
  case 'help': {
    const { helpText } = await import('./usage.ts')
    process.stdout.write(helpText(commandLine.of))
    break
  }
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
  const { createLog, standardOutput } = await import('./log.ts')
  const { StartError, start } = await import('./server.ts')
  const { notifyReady } = await import('./systemd.ts')
  const log = createLog(settings.logLevel, standardOutput(settings.logFormat))
  try {
    const server = await start(settings, log)
    let stopping: Promise<void> | undefined
    const stop = (signal: NodeJS.Signals): void => {
      if (stopping === undefined) log.info({ signal }, 'stopping')
      stopping ??= server.stop()
    }
    const reload = (signal: NodeJS.Signals): void => {
      log.info({ signal }, 'reloading')
      void server.reload()
    }
    process.on('SIGTERM', stop).on('SIGINT', stop)
    // A terminal that is closed sends this signal too: the server must not go on without it.
    process.on('SIGHUP', process.stdout.isTTY ? stop : reload)
    notifyReady(server.url, log)
  } catch (error) {
    const cause = error instanceof StartError ? { detail: error.message } : { err: error }
    log.fatal({ ...cause, help: helpFor('start') }, 'start failed')
    process.exitCode = EXIT_FAILED
  }
}
