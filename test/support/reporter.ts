import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Test } from 'tap'
import { NEWEST } from './ansible.ts'
import { directory } from './directory.ts'

export const REPORTER = resolve(import.meta.dirname, '../../reporter')
const SCRIPT = join(REPORTER, 'update-gitops-status.sh')

/** Variables of a server that is a directory of this machine. */
export const LOCAL = {
  ansible_connection: 'local',
  ansible_python_interpreter: '{{ ansible_playbook_python }}',
}

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  /** What a person reads in CI's log. */
  readonly log: string
}

export interface HowToRun {
  readonly cwd?: string
  readonly env?: Record<string, string>
  /** The shell, with its arguments. */
  readonly shell?: readonly string[]
}

/** Runs the reporter with nothing in its environment but what is given here, and a home of its own. */
export async function report(t: Test, args: readonly string[], how: HowToRun = {}): Promise<Ran> {
  return sh(t, [...(how.shell ?? ['sh']), SCRIPT, ...args], { GITOPS_REPO: 'rsyslog', ...how.env }, how.cwd)
}

/** Runs a command as a step of CI would. */
export async function sh(
  t: Test,
  [command, ...args]: readonly string[],
  env: Record<string, string>,
  cwd: string = directory(t),
): Promise<Ran> {
  const child = spawn(command ?? '', args, {
    cwd,
    env: { PATH: NEWEST.path, HOME: directory(t), ANSIBLE_PIPELINING: 'true', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let stdout = ''
  let log = ''
  child.stdout.on('data', (chunk) => (stdout += String(chunk)))
  child.stderr.on('data', (chunk) => (log += String(chunk)))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, log }
}

/**
 * Puts an `ansible-playbook` of the test's own first in PATH.
 *
 * @param script what it does, in sh
 * @returns the PATH
 */
export function standIn(t: Test, script: string): string {
  const bin = directory(t)
  writeFileSync(join(bin, 'ansible-playbook'), `#!/bin/sh\n${script}\n`)
  chmodSync(join(bin, 'ansible-playbook'), 0o755)
  return `${bin}:${NEWEST.path}`
}

/** What Ansible's callback writes of a run of one task, which copies a file unless it says otherwise, on some servers. */
export function documentOf(results: Readonly<Record<string, object>>): string {
  const servers = Object.keys(results)
  const hosts = Object.fromEntries(
    Object.entries(results).map(([name, result]) => [name, { action: 'copy', ...result }]),
  )
  const play = { name: 'all' }
  const tasks = [{ task: { name: 'Deploy rsyslog.conf' }, hosts }]
  return JSON.stringify({
    plays: [{ play, hosts: servers, questions: [], tasks }],
    stats: Object.fromEntries(servers.map((name) => [name, { failures: 0, ignored: 0, rescued: 0, unreachable: 0 }])),
    hosts: Object.fromEntries(servers.map((name) => [name, false])),
    unfinished: {},
    errors: [],
    selection: {},
  })
}

/** Writes files below a directory, with the directories that they need. */
export function write(root: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
}
