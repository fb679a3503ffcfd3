import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { directory } from './directory.ts'

const ROOT = resolve(import.meta.dirname, '../..')

export interface Result {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A copy of the files of this clone, as they are now, with one commit and the same dependencies. */
export class Clone {
  readonly root: string

  constructor(t: Test) {
    this.root = directory(t)
    const copy = `git ls-files -z --cached --others --exclude-standard --deduplicate | grep -zvxF -f <(git ls-files -z --deleted) |
      tar --create --null --no-recursion --files-from - | tar --extract --directory "$1"
    cd "$1" && git init --quiet && git add --all
    git -c user.name=test -c user.email=test@example.com -c commit.gpgSign=false commit --quiet --message 'copy'`
    const { status, stderr } = spawnSync('bash', ['-euo', 'pipefail', '-c', copy, 'bash', this.root], {
      cwd: ROOT,
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(stderr)
    symlinkSync(join(ROOT, 'node_modules'), join(this.root, 'node_modules'))
    // .gitignore names a directory, and this is a link.
    appendFileSync(join(this.root, '.git/info/exclude'), 'node_modules\n')
  }

  /** The text of a file of the copy. */
  read(file: string): string {
    return readFileSync(join(this.root, file), 'utf8')
  }

  /** Writes a file of the copy. */
  write(file: string, text: string): void {
    writeFileSync(join(this.root, file), text)
  }

  /** Runs a program in the copy, without what tap adds to the environment of programs. */
  async run(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Result> {
    return runIn(this.root, command, env)
  }
}

/** Runs a program in a directory, without what tap and the CI that runs the tests add to the environment. */
export async function runIn(
  cwd: string,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Result> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(GITHUB_|npm_(?!config_)|NODE_OPTIONS$|TAP)/.test(name),
  )
  const [program = '', ...args] = command
  const child = spawn(program, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...Object.fromEntries(inherited), ...env },
  })
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ])
  return { status, stdout, stderr }
}
