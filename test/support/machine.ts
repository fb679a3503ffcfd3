import { spawnSync } from 'node:child_process'
import type { Test } from 'tap'

/**
 * Says that a test needs what this machine lacks, and that it was skipped; where `CI` is set, a lack is a failure.
 *
 * @returns whether it is missing
 */
export function missing(t: Test, there: boolean, what: string): boolean {
  if (there) return false
  if (process.env['CI'] === undefined) t.comment(`skipped: this machine lacks ${what}`)
  else t.fail(`this machine lacks ${what}`)
  return true
}

/** Whether a program can be run. */
export function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}

export const isRoot = process.getuid?.() === 0
