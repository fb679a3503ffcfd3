import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { FailedCheck, Snapshot } from '../../src/status/schema.ts'
import { directory } from './directory.ts'
import type { Ansible } from './ansible.ts'
import { LOCAL, type Ran, report, write } from './reporter.ts'
import { ALONE, type Case, TOGETHER, type Verdict } from '../integration/reporter/playbooks.ts'

const LIMIT = 500_000

/** Runs all cases with a version of ansible-core. */
export function testCases(ansible: Ansible): void {
  const options = { timeout: LIMIT, ...ansible.options }
  t.test(`${TOGETHER.length} playbooks in one run, ${ansible.name}`, options, async (t) => {
    await check(t, TOGETHER, ansible.path)
  })
  t.test(`playbooks that end the run, or have options of their own, ${ansible.name}`, options, async (t) => {
    for (const each of ALONE) await check(t, [each], ansible.path)
  })
}

/** Runs the playbooks of some cases as one, and compares what is reported. */
async function check(t: Test, cases: readonly Case[], PATH: string): Promise<void> {
  const cwd = directory(t)
  const root = join(cwd, 'servers')
  const hosts: Record<string, object> = {}
  const playbook: object[] = []
  for (const [index, each] of cases.entries()) {
    const servers = each.servers ?? { a: {} }
    for (const [me, files] of Object.entries(servers)) {
      const name = `${index}-${me}`
      hosts[name] = { me, case: String(index) }
      mkdirSync(join(root, name, 'etc'), { recursive: true })
      write(join(root, name, 'etc'), files)
    }
    write(cwd, each.files ?? {})
    for (const play of each.plays ?? [{ tasks: each.tasks, ...each.play }]) {
      const named = {
        name: each.name,
        gather_facts: false,
        hosts: Object.keys(servers)
          .map((me) => `${index}-${me}`)
          .join(','),
      }
      playbook.push({ ...named, ...play })
    }
  }
  const vars = { ...LOCAL, etc: `${root}/{{ inventory_hostname }}/etc` }
  write(cwd, { 'inventory.yml': JSON.stringify({ all: { hosts, vars } }), 'drift-check.yml': JSON.stringify(playbook) })
  const [args = [], env = {}] = cases.length === 1 ? [cases[0]?.args, cases[0]?.env] : []
  const options = ['--inventory', 'inventory.yml', '--dry-run', '--base-path', `${root}/{host}/etc`, ...args]
  const ran = await report(t, options, { cwd, env: { PATH, ...env } })
  const reports = ran.stdout === '' ? [] : (JSON.parse(ran.stdout) as (Snapshot | FailedCheck)[])
  const found = new Map(reports.map((each) => [each.server, each]))
  const old = isOld(PATH)
  for (const [index, each] of cases.entries()) {
    const expected = { ...each.expected, ...(old ? each.before219 : {}) }
    for (const [me, verdict] of Object.entries(expected)) {
      compare(t, found.get(`${index}-${me}`), verdict, `${each.name}: ${me}`, join(root, `${index}-${me}`), ran)
    }
  }
}

function compare(
  t: Test,
  found: Snapshot | FailedCheck | undefined,
  expected: Verdict,
  name: string,
  root: string,
  ran: Ran,
): void {
  if (found === undefined) return void t.fail(`${name} is not reported`, { log: ran.log.slice(-2000) })
  if ('check_failed' in found) {
    if (expected instanceof RegExp) t.match(found.check_failed, expected, name)
    else t.same(found.check_failed, expected, name)
    return
  }
  const names = found.files.map((file) => (file.kind === 'other' ? `other:${file.name}` : file.name))
  if (expected instanceof RegExp) t.match(names, expected, name)
  else t.same(names.toSorted(), expected.map((each) => each.replace('{root}', root)).toSorted(), name)
}

/** Reports whether ansible-core is older than 2.19. */
function isOld(PATH: string): boolean {
  const { stdout } = spawnSync('ansible-playbook', ['--version'], { encoding: 'utf8', env: { ...process.env, PATH } })
  return Number(/core 2\.(\d+)/.exec(stdout)?.[1]) < 19
}
