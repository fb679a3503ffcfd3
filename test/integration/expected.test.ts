import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseJson } from '../../src/status/json.ts'
import { ANSIBLES, NEWEST } from '../support/ansible.ts'
import { directory } from '../support/directory.ts'
import { PROGRAM } from '../support/server.ts'

function hasLimit(PATH: string): boolean {
  return spawnSync('ansible-inventory', ['--help'], { encoding: 'utf8', env: { PATH } }).stdout.includes('--limit')
}

interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the built program in a directory. */
function expected(cwd: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Ended {
  return spawnSync(process.execPath, [PROGRAM, 'expected', ...args], {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: cwd, ...env },
  })
}

/** The servers of the block that an inventory makes. */
function serversOf(t: Test, PATH: string, cwd: string, ...inventories: readonly string[]): unknown {
  const args = inventories.map((inventory) => `--inventory=${inventory}`)
  const { status, stdout, stderr } = expected(cwd, [...args, '--repo', 'rsyslog'], { PATH })
  t.equal(status, 0, stderr)
  const parsed = parseJson(Buffer.from(stdout))
  const block = parsed.ok ? (parsed.value.value as { expected: { repo: string; servers: string[] }[] }) : undefined
  t.equal(block?.expected.length, 1)
  t.equal(block?.expected[0]?.repo, 'rsyslog')
  return block?.expected[0]?.servers
}

/** Files of a directory, with an inventory script that can be run. */
function inventories(t: Test): string {
  const place = directory(t, {
    'hosts.ini': 'web-[01:03] port=1\n[db]\ndb1 a=b\n[other]\ndb1\n[outer:children]\ninner\n[inner:children]\ndb\n',
    'hosts.yml':
      'all:\n  children:\n    outer:\n      children:\n        inner:\n          hosts:\n            z[a:c].x: {}\n',
    'script.py': `#!/bin/sh
echo '{"group": {"hosts": ["made-2", "made-1"]}, "_meta": {"hostvars": {"made-1": {"a": 1}}}}'
`,
    'broken.yml': 'all:\n  hosts: [a\n',
    'failing.sh': '#!/bin/sh\necho of no use >&2\nexit 3\n',
    'empty.ini': '[web]\n',
    '-dash.ini': 'dashed\n',
    'blank.yml': 'all:\n  hosts:\n    "web\u200b1": {}\n    web-1: {}\n',
  })
  for (const name of ['script.py', 'failing.sh']) chmodSync(join(place, name), 0o755)
  mkdirSync(join(place, 'some'))
  writeFileSync(join(place, 'some', 'good'), 'good\n')
  return place
}

for (const { name, options, path: PATH } of ANSIBLES) {
  t.test(`expected, ${name}: all hosts of an inventory, sorted, each once`, options, async (t) => {
    const place = inventories(t)
    const ofIni = ['db1', 'web-01', 'web-02', 'web-03']
    t.same(serversOf(t, PATH, place, 'hosts.ini'), ofIni, 'ranges, groups of groups')
    t.same(serversOf(t, PATH, place, 'hosts.yml'), ['za.x', 'zb.x', 'zc.x'])
    t.same(serversOf(t, PATH, place, 'script.py'), ['made-1', 'made-2'], 'an executable')
    t.same(serversOf(t, PATH, place, 'b,a,b,'), ['a', 'b'], 'a list')
    t.same(serversOf(t, PATH, place, '-dash.ini'), ['dashed'], 'a name like an option')
    t.same(serversOf(t, PATH, place, 'some'), ['good'], 'a directory')
    t.same(serversOf(t, PATH, place, 'hosts.ini', 'script.py'), ['db1', 'made-1', 'made-2', ...ofIni.slice(1)])

    const { stdout } = expected(place, ['-i', '-dash.ini', '--repo=rsyslog'], { PATH })
    t.equal(
      stdout,
      '{\n  "expected": [\n    {\n      "repo": "rsyslog",\n      "servers": [\n        "dashed"\n      ]\n    }\n  ]\n}\n',
    )
    const verbose = expected(place, ['-i', 'hosts.ini', '--repo=rsyslog'], { PATH, ANSIBLE_VERBOSITY: '3' })
    t.match(verbose, { status: 0, stdout: /^\{/ }, 'nothing but the block, however Ansible is set')
  })
}

t.test(
  'expected: what is no inventory, or has no hosts, is an error with the words of Ansible',
  NEWEST.options,
  async (t) => {
    const place = inventories(t)
    const refused = (inventory: string): Ended =>
      expected(place, ['--inventory', inventory, '--repo', 'rsyslog'], { PATH: NEWEST.path })
    t.match(refused('broken.yml'), { status: 1, stdout: '', stderr: /broken\.yml[^]*: failed with exit code \d+\n$/ })
    t.match(refused('none.ini'), { status: 1, stdout: '', stderr: /none\.ini[^]*: failed with exit code \d+\n$/ })
    t.match(refused('failing.sh'), { status: 1, stdout: '', stderr: /of no use[^]*: failed with exit code \d+\n$/ })
    t.match(refused('empty.ini'), { status: 1, stdout: '', stderr: /gitops-status-server: empty\.ini: no hosts\n$/ })
    writeFileSync(join(place, 'some', 'broken.yml'), 'all:\n  hosts: [a\n')
    t.match(refused('some'), { status: 1, stdout: '', stderr: /some\/broken\.yml/ }, 'a part that cannot be read')
    const lenient = { PATH: NEWEST.path, ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED: 'false' }
    const part = expected(place, ['-i', 'some', '--repo=rsyslog'], lenient)
    t.match(
      part,
      { status: 0, stdout: /"good"/, stderr: /some\/broken\.yml/ },
      'unless Ansible is told to pass it over',
    )
    t.match(expected(place, ['-i', 'broken.yml', '--repo=rsyslog'], lenient), {
      status: 1,
      stdout: '',
      stderr: /broken\.yml[^]*gitops-status-server: broken\.yml: no hosts\n$/,
    })
  },
)

t.test('expected: a name that the server would refuse is an error that names it', NEWEST.options, async (t) => {
  const place = inventories(t)
  t.match(expected(place, ['-i', 'blank.yml', '--repo', 'rsyslog'], { PATH: NEWEST.path }), {
    status: 1,
    stdout: '',
    stderr: /gitops-status-server: server "web\u200b1": must not contain control characters, invisible/,
  })
  const wide = `${'a'.repeat(254)},web-1,`
  t.match(expected(place, ['-i', wide, '--repo', 'rsyslog'], { PATH: NEWEST.path }), {
    status: 1,
    stderr: /server "a{254}": must NOT have more/,
  })
})

for (const { name, options, path: PATH } of ANSIBLES) {
  t.test(`expected, ${name}: --limit is refused by name if Ansible does not have it`, options, async (t) => {
    const place = inventories(t)
    const limited = expected(place, ['-i', 'hosts.ini', '--repo', 'rsyslog', '--limit', 'web-*:!web-02'], {
      PATH,
    })
    if (hasLimit(PATH)) {
      t.match(limited, { status: 0, stdout: /"web-01",\s+"web-03"\s/ })
      t.notMatch(limited.stdout, /db1|web-02/)
      t.match(expected(place, ['-i', 'hosts.ini', '--repo', 'rsyslog', '--limit', 'nothing'], { PATH }), {
        status: 1,
        stdout: '',
      })
    } else {
      t.match(limited, {
        status: 1,
        stdout: '',
        stderr: /--limit: the ansible-inventory on this machine does not support it\n$/,
      })
    }
  })
}

t.test('expected: without Ansible, or with one that answers otherwise', async (t) => {
  const place = directory(t, { 'ansible-inventory': '' })
  const args = ['-i', '-a b;c', '--repo', 'rsyslog', '--limit', '-x']
  const env = { PATH: place }
  chmodSync(join(place, 'ansible-inventory'), 0o644)
  t.match(expected(place, args, { PATH: join(place, 'none') }), {
    status: 1,
    stdout: '',
    stderr: 'gitops-status-server: ansible-inventory: not found; install it with apt-get install ansible-core',
  })
  t.match(expected(place, args, env), { status: 1, stderr: 'ansible-inventory: cannot be run: ' })
  const answer = (text: string): void => {
    writeFileSync(join(place, 'ansible-inventory'), `#!/bin/sh\n${text}\n`)
    chmodSync(join(place, 'ansible-inventory'), 0o755)
  }
  answer('if [ "$1" = --help ]; then echo " --limit"; else printf \'{"g":{"hosts":["%s"]}}\' "$*"; fi')
  t.match(
    expected(place, args, env),
    { status: 0, stdout: '"--inventory=-a b;c --limit=-x --list"' },
    'words, no shell',
  )
  answer(`echo '{"_meta": {"hostvars": {"only-vars": {}}}, "g": {"hosts": ["in-group"]}, "all": {"children": ["g"]}}'`)
  t.match(expected(place, ['-i', 'x', '--repo=r'], env), { status: 0, stdout: /"in-group",\s+"only-vars"/ })
  for (const repo of [' rsyslog', 'rsys\u{e0001}log', 'r'.repeat(254)]) {
    const { status, stdout, stderr } = expected(place, ['-i', 'x', '--repo', repo], env)
    t.same([status, stdout], [1, ''])
    t.ok(stderr.startsWith(`gitops-status-server: repository ${JSON.stringify(repo)}: must `), stderr)
  }
  for (const text of ['echo hello', 'echo []', 'echo \'{"a": {"hosts": [1]}}\'']) {
    answer(text)
    t.match(expected(place, ['-i', 'x', '--repo=r'], env), {
      status: 1,
      stdout: '',
      stderr: /its output is not an inventory/,
    })
  }
})

t.test('expected: --help, and wrong options', async (t) => {
  const place = directory(t)
  t.match(expected(place, ['-h']), { status: 0, stdout: /expected --inventory FILE/ })
  t.match(expected(place, ['-i', 'x']), {
    status: 2,
    stdout: '',
    stderr: 'gitops-status-server: --repo: must be given',
  })
})
