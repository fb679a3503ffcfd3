import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { directory } from '../support/directory.ts'
import { blocksOf, difference } from '../support/docs/blocks.ts'
import { ROOT, read } from '../support/docs/pages.ts'
import type { Cluster } from './cluster.ts'

/** Blocks that `commands.test.ts` does not run for this reason are run here. */
const NEEDS_CLUSTER = 'needs a cluster'
const WRAPPER = `#!/bin/sh
exec node '${join(ROOT, 'dist/cli.js')}' "$@"
`

/** A directory with what a clone has for Kubernetes, and with the program in `bin`. */
export function cloneForPage(t: Test): string {
  const place = directory(t)
  cpSync(join(ROOT, 'deploy'), join(place, 'deploy'), { recursive: true })
  mkdirSync(join(place, 'bin'))
  writeFileSync(join(place, 'bin/gitops-status-server'), WRAPPER, { mode: 0o755 })
  return place
}

/**
 * Runs the commands of a page that need only kubectl and a cluster, and compares what they print.
 *
 * @param part the part of the page: from the line that begins with the first text, until before the one that begins with the second
 * @returns number of blocks
 */
export function runPage(
  t: Test,
  cluster: Cluster,
  place: string,
  page: string,
  { from, until }: { readonly from?: string; readonly until?: string } = {},
): number {
  const text = read(page)
  const lineOf = (beginning: string | undefined, otherwise: number): number => {
    if (beginning === undefined) return otherwise
    const index = text.split('\n').findIndex((line) => line.startsWith(beginning))
    if (index === -1) throw new Error(`${page} has no line ${beginning}`)
    return index + 1
  }
  const [first, end] = [lineOf(from, 0), lineOf(until, Infinity)]
  const environment = { ...cluster.environment, PATH: `${join(place, 'bin')}:${process.env['PATH']}` }
  let count = 0
  let printed: string | undefined
  for (const block of blocksOf(text).filter(({ line }) => line >= first && line < end)) {
    const { language, line, note } = block
    // The output of commands that `commands.test.ts` runs is marked; that of commands that need a cluster follows them.
    if (note.kind === 'output' || language === 'text') {
      if (printed !== undefined) t.same(difference(block, printed), undefined, `${page}:${line}: what is printed`)
      printed = undefined
    } else if (language === 'sh' && (note.kind === 'plain' || isForCluster(note))) {
      const { status, stdout, stderr } = spawnSync('bash', ['-c', `set -euo pipefail; exec 2>&1\n${block.text}`], {
        cwd: place,
        encoding: 'utf8',
        env: environment,
      })
      printed = stdout
      count += 1
      t.equal(status, 0, `${page}:${line}`, { printed, stderr })
    } else if (language === 'sh') printed = undefined
  }
  return count
}

function isForCluster(note: { readonly kind: string; readonly reason?: string }): boolean {
  return note.kind === 'not-run' && note.reason === NEEDS_CLUSTER
}
