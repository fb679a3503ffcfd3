import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { directory } from '../directory.ts'
import { ROOT } from '../docs/pages.ts'
import { eventually, matches } from '../http.ts'
import type { Requirement } from '../machine.ts'

/** The right to boot a system in a container, and systemd's program for it. It does not depend on Node. */
export const BOOTED_MACHINE: Requirement = {
  there: spawnSync('unshare', ['--mount', '--pid', '--cgroup', '--fork', 'systemd-nspawn', '--version']).status === 0,
  what: 'systemd-nspawn (Debian: systemd-container) and the right to boot a container (root)',
  program: 'throwaway-machine',
}

/** What became of commands. */
export interface Outcome {
  /** Exit code of the first command that failed, 0 if none did. */
  readonly code: number | null
  /** Standard output and standard error. */
  readonly printed: string
}

export interface BootedMachine {
  /** A directory that the machine has as `/session`. */
  readonly session: string
  /** Runs commands of bash as root, in the directory `/session`. */
  readonly run: (commands: string) => Outcome
  /** Runs commands that must succeed. Returns what they print. */
  readonly succeed: (commands: string) => string
}

/**
 * Boots a Debian system with systemd in a container: a copy of this machine, or of the directory in `DEBIAN_ROOT`. What is written is
 * gone after the test. Its network is only loopback. What npm would install in `/usr/local` is there.
 */
export async function boot(t: Test): Promise<BootedMachine> {
  const place = directory(t)
  const script = join(import.meta.dirname, 'boot.sh')
  const root = process.env['DEBIAN_ROOT'] ?? '/'
  const child = spawn('unshare', ['--mount', 'bash', script, root, place, ROOT], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => (output += String(chunk)))
  child.stderr.on('data', (chunk) => (output += String(chunk)))
  const ended = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGTERM')
    await ended
    if (output !== '') t.comment(output)
  })
  const init = await eventually(() => {
    if (child.exitCode !== null) return ''
    return readFileSync(join(place, 'init'), 'utf8').trim()
  })
  if (init === '') throw new Error(`the machine did not boot: ${output}`)
  const run = (commands: string): Outcome => {
    const enter = [`--target=${init}`, '--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--root', '--wd']
    const environment = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin', 'HOME=/root', 'LANG=C.UTF-8']
    const shell = ['bash', '--norc', '-ec', `exec 2>&1; cd /session\n${commands}`]
    const { status, stdout } = spawnSync('nsenter', [...enter, 'env', '-i', ...environment, ...shell], {
      encoding: 'utf8',
    })
    return { code: status, printed: stdout }
  }
  // It exits with 1 if any unit has failed, which can be one that does not work in a container.
  await eventually(() => matches(run('systemctl is-system-running --wait').printed, /^(running|degraded)$/m), 60_000)
  // apt asks nobody. Reading the lists of packages takes most of its time, and there is no network to fetch one.
  run(`echo silent show-error >~/.curlrc
echo 'APT::Get::Assume-Yes "true";' >/etc/apt/apt.conf.d/99booted
rm -rf /var/lib/apt/lists`)
  const succeed = (commands: string): string => {
    const { code, printed } = run(commands)
    t.equal(code, 0, commands, { printed })
    return printed
  }
  return { session: join(place, 'session'), run, succeed }
}
