import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { JSONSchema } from 'json-schema-to-ts'
import type { ExpectedOptions } from './settings.ts'
import { expectedNameFaults } from './status/names.ts'
import { PATTERN_MESSAGES, expectedSchema } from './status/schema.ts'
import { validator } from './status/validation.ts'

const PROGRAM = 'ansible-inventory'
const INSTALL = 'install it with apt-get install ansible-core or pip install ansible-core, and add it to PATH'

/** The output of `ansible-inventory --list`, as far as it is read here: hosts have variables, or groups, or both. */
const inventorySchema = {
  type: 'object',
  additionalProperties: {
    type: 'object',
    properties: { hosts: { type: 'array', items: { type: 'string' } }, hostvars: { type: 'object' } },
  },
} as const satisfies JSONSchema

interface Group {
  readonly hosts?: readonly string[]
  /** In `_meta` only. */
  readonly hostvars?: Readonly<Record<string, unknown>>
}

const isInventory = validator<Readonly<Record<string, Group>>>(inventorySchema)
const isExpected = validator<object>(expectedSchema, PATTERN_MESSAGES)

/** The output of `expected`, or the reasons why there is none. */
export interface ExpectedOutcome {
  /** The block for status.json; `undefined` if there are faults. */
  readonly text: string | undefined
  readonly faults: readonly string[]
  /** Ansible's standard error: its reasons and its warnings. */
  readonly warnings: string
}

/** Makes the block of all hosts of an Ansible inventory that must report, for `expected` of status.json. */
export async function expectedBlock(options: ExpectedOptions): Promise<ExpectedOutcome> {
  const { inventories, repo, limit } = options
  const ran = await list(inventories, limit)
  if (ran.failure !== undefined) return { text: undefined, faults: [ran.failure], warnings: ran.stderr }
  const servers = hostsIn(ran.stdout)
  const faults = servers === undefined ? [`${PROGRAM}: its output is not an inventory`] : faultsOf(repo, servers)
  if (servers?.length === 0)
    faults.push(`${inventories.join(', ')}: no hosts${limit === undefined ? '' : ` in ${limit}`}`)
  const block = { expected: [{ repo, servers }] }
  const text = faults.length > 0 ? undefined : `${JSON.stringify(block, undefined, 2)}\n`
  return { text, faults, warnings: ran.stderr }
}

interface Run {
  readonly stdout: string
  readonly stderr: string
  /** The reason why there is no output; `undefined` if there is output. */
  readonly failure?: string
}

async function list(inventories: readonly string[], limit: string | undefined): Promise<Run> {
  // In one word, since Ansible takes a word that begins with `-` for an option.
  const args = inventories.map((inventory) => `--inventory=${inventory}`)
  if (limit === undefined) return runAnsible([...args, '--list'])
  const help = await runAnsible(['--help'])
  if (help.failure !== undefined) return help
  // Without --limit, the block would have all hosts.
  if (!help.stdout.includes('--limit')) {
    return { stdout: '', stderr: '', failure: `--limit: the ${PROGRAM} on this machine does not support it` }
  }
  return runAnsible([...args, `--limit=${limit}`, '--list'])
}

async function runAnsible(args: readonly string[]): Promise<Run> {
  const env = {
    // An inventory of several files of which one is broken would otherwise be the rest of them, with exit code 0.
    ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED: 'true',
    ...process.env,
    // A higher verbosity writes to standard output, before the inventory.
    ANSIBLE_VERBOSITY: '0',
  }
  try {
    return await promisify(execFile)(PROGRAM, args, { env, maxBuffer: Infinity })
  } catch (error) {
    return { ...outputOf(error), failure: failureOf(error) }
  }
}

function failureOf(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) throw error
  if (error.code === 'ENOENT') return `${PROGRAM}: not found; ${INSTALL}`
  if (typeof error.code === 'number') return `${PROGRAM}: failed with exit code ${error.code}`
  return `${PROGRAM}: cannot be run: ${error.message}`
}

function outputOf(error: unknown): Pick<Run, 'stdout' | 'stderr'> {
  const stderr = error instanceof Error && 'stderr' in error ? error.stderr : undefined
  return { stdout: '', stderr: typeof stderr === 'string' ? stderr : '' }
}

/** The hosts of an inventory, sorted, each once; `undefined` if the text is not an inventory. */
function hostsIn(text: string): string[] | undefined {
  const inventory = parsed(text)
  if (!isInventory(inventory)) return undefined
  // A host without variables is only in its groups.
  const hosts = Object.values(inventory).flatMap((group) => [
    ...(group.hosts ?? []),
    ...Object.keys(group.hostvars ?? {}),
  ])
  return [...new Set(hosts)].toSorted()
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** A line for each name that the server would refuse in the file. */
function faultsOf(repo: string, servers: readonly string[]): string[] {
  const block = { repo, servers }
  const faults = isExpected(block) ? [] : isExpected.faults('')
  faults.push(...expectedNameFaults(block, ''))
  return faults.map(({ pointer, detail }) => {
    const [, index] = /^\/servers\/(\d+)$/.exec(pointer) ?? []
    const name =
      index === undefined ? `repository ${JSON.stringify(repo)}` : `server ${JSON.stringify(servers[Number(index)])}`
    return `${name}: ${detail}`
  })
}
