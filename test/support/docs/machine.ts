import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { directory } from '../directory.ts'
import type { Requirement } from '../machine.ts'
import type { Block } from './blocks.ts'
import { ROOT } from './pages.ts'

const NAMESPACES = ['--mount', '--net', '--pid', '--fork', '--kill-child']

/** The right to make a throwaway copy of the machine. It does not depend on Node. */
export const THROWAWAY_MACHINE: Requirement = {
  there: spawnSync('unshare', [...NAMESPACES, 'true']).status === 0,
  what: 'the right to mount file systems and to make networks (root)',
  program: 'throwaway-machine',
}

/** What became of a block. */
export interface Run {
  /** Standard output and standard error. */
  readonly printed: string
  /** Exit code of the first command that failed, 0 if none did; `undefined` if the block did not end. */
  readonly code: number | undefined
}

/**
 * Runs blocks of commands one after the other, in one shell on a throwaway copy of this machine, in a clone of this repository.
 *
 * @param deadline milliseconds for all of them
 */
export async function runOnThrowawayMachine(t: Test, blocks: readonly Block[], deadline = 120_000): Promise<Run[]> {
  const session = directory(t)
  const names = blocks.map(({ note }, index) => {
    return `${String(index).padStart(3, '0')}${note.kind === 'terminal' ? '.terminal' : ''}`
  })
  blocks.forEach(({ text }, index) => writeFileSync(join(session, `${names[index]}.sh`), `${text}\n`))
  const script = join(import.meta.dirname, 'machine.sh')
  mkdirSync(join(ROOT, 'data'), { recursive: true })
  // `env` keeps out what tap loads into every child process.
  const args = [...NAMESPACES, 'env', '-u', 'NODE_OPTIONS', 'bash', script, ROOT, session]
  const child = spawn('unshare', args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: deadline,
    killSignal: 'SIGKILL',
  })
  let output = ''
  child.stdout.on('data', (chunk) => (output += String(chunk)))
  child.stderr.on('data', (chunk) => (output += String(chunk)))
  await once(child, 'close')
  if (output !== '') t.comment(output)
  return names.map((name) => {
    const code = textOf(join(session, `${name}.code`))
    return {
      printed: textOf(join(session, `${name}.out`)) ?? output,
      code: code === undefined ? undefined : Number(code),
    }
  })
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
