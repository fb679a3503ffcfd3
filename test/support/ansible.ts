import { type Requirement, has, needs } from './machine.ts'

/** A version of ansible-core that tests run on. */
export interface Ansible {
  /** For the names of tests. */
  readonly name: string
  /** The options of a test that runs it; see `needs`. */
  readonly options: { readonly skip?: string }
  /** A PATH in which its programs come first. */
  readonly path: string
}

const PATH = process.env['PATH'] ?? ''

/**
 * The versions of ansible-core to test: those in the directories that `ANSIBLE_OLDEST` and `ANSIBLE_NEWEST` name. In place
 * of a variable that is not set, the version in PATH is tested. If `CI` is set, both variables are required.
 */
export const ANSIBLES: readonly Ansible[] = [
  ...inDirectory('oldest', 'ANSIBLE_OLDEST'),
  ...inDirectory('newest', 'ANSIBLE_NEWEST'),
  ...inPath(['ANSIBLE_OLDEST', 'ANSIBLE_NEWEST']),
]

/** The newest version, for what need not be tested on all. */
export const NEWEST: Ansible = [...inDirectory('newest', 'ANSIBLE_NEWEST'), ...inPath(['ANSIBLE_NEWEST'])][0] as Ansible

function inDirectory(name: string, variable: string): Ansible[] {
  const bin = process.env[variable]
  if (bin === undefined) return []
  const program = 'ansible-playbook'
  const requirement = { there: has(program, bin), what: `${program} in ${bin}, which ${variable} names`, program }
  return [{ name: `${name} ansible-core`, options: needs(requirement), path: `${bin}:${PATH}` }]
}

/** The version in PATH, if one of the variables is not set. */
function inPath(variables: readonly string[]): Ansible[] {
  const missing = variables.filter((variable) => process.env[variable] === undefined)
  if (missing.length === 0) return []
  const required = process.env['CI'] === undefined ? [] : missing.map((what): Requirement => ({ there: false, what }))
  return [{ name: 'ansible-core in PATH', options: needs('ansible-playbook', ...required), path: PATH }]
}
