import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

/** Something that a machine may lack. */
export interface Requirement {
  readonly there: boolean
  /** What it is, and how to get it. */
  readonly what: string
  /** Its name in `TESTED`, if that is not `what`. */
  readonly program?: string
}

export const isRoot = process.getuid?.() === 0

/** The right to mount file systems. */
export const MOUNTS = requirement('mount', 'the right to mount (root)')
/** The right to start a process in a PID namespace of its own. */
export const PID_NAMESPACES = requirement('pid', 'the right to make PID namespaces (root)')
export const AS_ROOT: Requirement = { there: isRoot, what: 'root' }

const TESTED: ReadonlySet<string> = new Set((process.env['TESTED'] ?? '').split(' ').filter(Boolean))

/** Reports whether the same run has tested a program with another version of Node. */
export function isTested(program: string): boolean {
  return TESTED.has(program)
}

/**
 * The number of repetitions of a test that depends on chance. If the same run has made all of them with another version of
 * Node, a quarter is made.
 */
export function repetitions(count: number): number {
  return TESTED.size === 0 ? count : Math.ceil(count / 4)
}

/**
 * Returns the options of a test that needs these programs and rights: it is skipped, and counted as skipped, if one is
 * missing. If `CI` is set, that also fails the test file. A test is skipped as well if `TESTED` names one of its programs:
 * the same run has tested these with another version of Node, on which they do not depend.
 *
 * @param required names of programs, or other requirements
 */
export function needs(...required: readonly (string | Requirement)[]): { skip?: string } {
  const all = required.map((each): Requirement => (typeof each === 'string' ? { there: has(each), what: each } : each))
  const tested = all.find(({ what, program = what }) => isTested(program))
  if (tested !== undefined) return { skip: `${tested.what} was tested with another version of Node` }
  const missing = all.filter(({ there }) => !there).map(({ what }) => what)
  if (missing.length === 0) return {}
  const reason = `this machine lacks ${missing.join(', ')}`
  if (process.env['CI'] !== undefined) t.fail(`${reason}, and CI is set`)
  return { skip: reason }
}

/** Reports whether a program is in PATH, or in another list of directories. */
export function has(program: string, path: string = process.env['PATH'] ?? ''): boolean {
  return path.split(':').some((place) => {
    try {
      accessSync(join(place, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function requirement(namespace: 'mount' | 'pid', what: string): Requirement {
  return { there: spawnSync('unshare', [`--${namespace}`, '--fork', 'true']).status === 0, what }
}
