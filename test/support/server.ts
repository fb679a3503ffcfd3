import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { createLog } from '../../src/log.ts'
import { type RunningServer, type StartOptions, start } from '../../src/server.ts'
import { SETTINGS, type Settings } from '../../src/settings.ts'
import type { SavedDocument } from '../../src/status/schema.ts'
import { directory } from './directory.ts'
import { eventually } from './http.ts'

export interface Line {
  readonly msg: string
  readonly level: string
  readonly [property: string]: unknown
}

export interface Server extends RunningServer {
  readonly dataDir: string
  /** `status.json`. */
  readonly file: string
  /** What was logged, one line an event. */
  readonly lines: Line[]
}

/** The settings of a server of a test: any free port, a directory of its own. */
export function settingsFor(dataDir: string, over: Partial<Settings> = {}): Settings {
  return {
    port: 0,
    host: '127.0.0.1',
    dataDir,
    staleAfter: SETTINGS.staleAfter.fallback,
    historyRetention: SETTINGS.historyRetention.fallback,
    commitInterval: SETTINGS.commitInterval.fallback,
    tokensFile: undefined,
    protectReads: false,
    refuseDiffs: false,
    trustProxy: undefined,
    metricLabels: undefined,
    metricsBy: SETTINGS.metricsBy.fallback,
    logLevel: 'debug',
    logFormat: undefined,
    ...over,
  }
}

/** A server in this process, on real files and a real port; it stops with the test. */
export async function serve(
  t: Test,
  dataDir: string = directory(t),
  over: Partial<Settings> = {},
  options: StartOptions = {},
): Promise<Server> {
  const lines: Line[] = []
  const log = createLog('debug', { write: (line: string) => lines.push(JSON.parse(line) as Line) })
  const server = await start(settingsFor(dataDir, over), log, options)
  let stopped: Promise<void> | undefined
  const once = async (): Promise<void> => (stopped ??= server.stop())
  t.teardown(once)
  return {
    url: server.url,
    reload: async () => server.reload(),
    stop: once,
    dataDir,
    file: join(dataDir, 'status.json'),
    lines,
  }
}

/** What is in the file, parsed. */
export function fileOf({ file }: Pick<Server, 'file'>): SavedDocument {
  return JSON.parse(readFileSync(file, 'utf8')) as SavedDocument
}

/** The built program. */
export const PROGRAM = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

export interface Program {
  readonly child: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
}

/** The built program as a process of its own, perhaps by way of another command; it is killed with the test. */
export function run(
  t: Test,
  args: readonly string[],
  env: Record<string, string> = {},
  wrap: readonly string[] = [],
): Program {
  const [command, ...rest] = [...wrap, process.execPath, PROGRAM, ...args] as [string, ...string[]]
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => (output.stdout += String(chunk)))
  child.stderr.on('data', (chunk) => (output.stderr += String(chunk)))
  const ended = once(child, 'close').then(([code, signal]: (number | string)[]) => code ?? signal ?? 'unknown')
  t.teardown(() => child.kill('SIGKILL'))
  return { child, stdout: () => output.stdout, stderr: () => output.stderr, ended }
}

/** The built program, listening; resolves with its address. */
export async function runServer(
  t: Test,
  dataDir: string,
  env: Record<string, string> = {},
  wrap: readonly string[] = [],
): Promise<Program & { readonly url: string }> {
  const program = run(t, ['--port', '0', '--data-dir', dataDir], env, wrap)
  const url = await eventually(() => {
    const started = linesOf(program).find(({ msg }) => msg === 'started')
    if (started === undefined) throw new Error(`not started: ${program.stdout()}${program.stderr()}`)
    return String(started['url'])
  })
  return { ...program, url }
}

/** What a program has logged so far. */
export function linesOf({ stdout }: Pick<Program, 'stdout'>): Line[] {
  return stdout()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line)
}
