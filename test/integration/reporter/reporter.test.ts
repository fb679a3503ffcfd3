import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { type IncomingHttpHeaders, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import type { FailedCheck, Snapshot, Status } from '../../../src/status/schema.ts'
import { directory } from '../../support/directory.ts'
import { execute } from '../../support/disk.ts'
import { ask, eventually, matches } from '../../support/http.ts'
import { NEWEST } from '../../support/ansible.ts'
import { AS_ROOT, needs } from '../../support/machine.ts'
import { LOCAL, type Ran, REPORTER, documentOf, report, sh, standIn, write } from '../../support/reporter.ts'
import { fileOf, serve } from '../../support/server.ts'

const RECORDINGS = join(import.meta.dirname, 'recordings')
const LAB = { repo: 'rsyslog', server: 'rsyslog-lab' }
const JSON_TYPE = { 'Content-Type': 'application/json' }
const WITH_ANSIBLE = { timeout: 240_000, ...needs('curl', 'ssh', AS_ROOT), ...NEWEST.options }

/** A repository whose servers are directories: `servers/NAME/etc` and what is beside it. */
function repository(t: Test, servers: Readonly<Record<string, object>>, plays: readonly object[]): string {
  const cwd = directory(t)
  const root = join(cwd, 'servers')
  const vars = { ...LOCAL, root: `${root}/{{ inventory_hostname }}`, etc: '{{ root }}/etc' }
  write(cwd, {
    'inventory.yml': JSON.stringify({ all: { hosts: servers, vars } }),
    'drift-check.yml': JSON.stringify(plays.map((play) => ({ gather_facts: false, ...play }))),
  })
  for (const server of Object.keys(servers)) mkdirSync(join(root, server, 'etc'), { recursive: true })
  return cwd
}

const base = (cwd: string): string => `${cwd}/servers/{host}/etc`
const CHECK = ['--inventory', 'inventory.yml', '--dry-run'] as const

/** The names of the files that drifted, by server. */
function driftIn(ran: Ran): Record<string, string[]> {
  const snapshots = reportsIn(ran).filter((each) => isSnapshot(each))
  return Object.fromEntries(snapshots.map(({ server, files }) => [server, files.map(({ name }) => name)]))
}

/** Why servers could not be checked, by server. */
function failuresIn(ran: Ran): Record<string, string> {
  const failures = reportsIn(ran).flatMap((each) => (isSnapshot(each) ? [] : each))
  return Object.fromEntries(failures.map(({ server, check_failed: reason }) => [server, reason]))
}

function isSnapshot(report: Snapshot | FailedCheck): report is Snapshot {
  return !('check_failed' in report)
}

function reportsIn({ stdout }: Ran): (Snapshot | FailedCheck)[] {
  return stdout === '' ? [] : (JSON.parse(stdout) as (Snapshot | FailedCheck)[])
}

/** Everything below a directory: what it is, its rights, its owner, its content. */
function everything(path: string): Record<string, unknown> {
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).toSorted()
  return Object.fromEntries(
    names.map((name) => {
      const at = join(path, name)
      const stat = lstatSync(at)
      const content = stat.isSymbolicLink() ? readlinkSync(at) : stat.isFile() ? readFileSync(at, 'hex') : ''
      return [name, [stat.mode, stat.uid, stat.gid, stat.mtimeMs, content]]
    }),
  )
}

const NAMES = ['30-lab.conf', '50 print server.conf', '60-büro.conf', `70-'日本' & "<b>".conf`]
const managed = (task: object): object => ({ owner: 'root', group: 'root', mode: '0644', ...task })
const TASKS = [
  { name: 'rsyslog.d', file: { path: '{{ etc }}/rsyslog.d', state: 'directory', owner: 'root', mode: '0755' } },
  {
    name: 'rsyslog.conf',
    template: managed({ src: 'rsyslog.conf.j2', dest: '{{ etc }}/rsyslog.conf' }),
    notify: 'Restart rsyslog',
  },
  {
    name: 'Snippets',
    copy: managed({ content: 'of {{ item }}\n', dest: '{{ etc }}//rsyslog.d/{{ item }}' }),
    loop: NAMES,
  },
  { name: 'Options', copy: { src: 'options', dest: '{{ etc }}/default/', mode: '0644' } },
  { name: 'One option', lineinfile: { path: '{{ etc }}/default/options', regexp: '^OPTIONS=', line: 'OPTIONS=-n' } },
  { name: 'Spool', file: { path: '{{ root }}/var/spool', state: 'directory', mode: '0700' } },
  { name: 'Link', file: { src: 'default/options', dest: '{{ etc }}/syslog.conf', state: 'link' } },
  { name: 'Old file', file: { path: '{{ etc }}/rsyslog.d/postfix.conf', state: 'absent' } },
  {
    name: 'Key',
    copy: { content: 'TOPSECRET', dest: '{{ etc }}/key.pem', mode: '0600' },
    no_log: true,
    diff: true,
  },
  { name: 'Warm up', command: { cmd: 'touch {{ root }}/warm', creates: '{{ root }}/warm' } },
  { name: 'Find', find: { paths: '{{ etc }}/rsyslog.d', hidden: true, file_type: 'any' }, register: 'found' },
  {
    name: 'Purge',
    file: { path: '{{ item }}', state: 'absent' },
    loop: "{{ found.files | map(attribute='path') | list }}",
    when: '(item | basename) not in names',
  },
]

const edited = (etc: string, name: string, content: string | Buffer = 'edited: ü\n'): void =>
  writeFileSync(join(etc, name), content)

t.test('each kind of drift, on servers of one run, and what is no drift', WITH_ANSIBLE, async (t) => {
  const drifts: Record<string, [drift: (etc: string) => void, expected: string[]]> = {
    synced: [() => undefined, []],
    content: [
      (etc) => {
        edited(etc, 'rsyslog.conf')
        for (const name of NAMES) edited(etc, `rsyslog.d/${name}`)
        edited(etc, 'rsyslog.d/30-lab.conf', Buffer.from([0, 255, 0, 1]))
        edited(etc, 'key.pem', 'MY OLD KEY')
        // Two tasks find this one wrong.
        edited(etc, 'default/options', 'OPTIONS=-x\n')
      },
      ['rsyslog.conf', ...NAMES.map((name) => `rsyslog.d/${name}`), '(hidden by no_log) Key', 'default/options'],
    ],
    missing: [
      (etc) => {
        rmSync(join(etc, 'rsyslog.conf'))
        rmSync(join(etc, 'rsyslog.d'), { recursive: true })
      },
      ['rsyslog.conf', 'rsyslog.d', ...NAMES.map((name) => `rsyslog.d/${name}`)],
    ],
    rights: [
      (etc) => {
        chmodSync(join(etc, 'rsyslog.conf'), 0o600)
        chmodSync(join(etc, '../var/spool'), 0o777)
        chownSync(join(etc, 'rsyslog.d'), 1, 0)
        chownSync(join(etc, 'rsyslog.d/30-lab.conf'), 1, 1)
      },
      ['rsyslog.conf', 'rsyslog.d', 'rsyslog.d/30-lab.conf', 'SERVER/var/spool'],
    ],
    extra: [
      (etc) => {
        write(etc, { 'rsyslog.d/.hidden~': '', 'rsyslog.d/99 ünmanaged.conf': '', 'rsyslog.d/postfix.conf': '' })
        // The server refuses names of which a person cannot see all.
        write(etc, { 'rsyslog.d/blank ': '', 'rsyslog.d/zero\u200Bwidth': '' })
        mkdirSync(join(etc, 'rsyslog.d/sub'))
      },
      ['.hidden~', '99 ünmanaged.conf', 'blank\\u0020', 'zero\\u200bwidth', 'postfix.conf', 'sub'].map(
        (name) => `rsyslog.d/${name}`,
      ),
    ],
    'other-type': [
      (etc) => {
        rmSync(join(etc, 'rsyslog.d/30-lab.conf'))
        symlinkSync('/dev/null', join(etc, 'rsyslog.d/30-lab.conf'))
        rmSync(join(etc, 'syslog.conf'))
        symlinkSync('elsewhere', join(etc, 'syslog.conf'))
      },
      ['rsyslog.d/30-lab.conf', 'syslog.conf'],
    ],
    command: [(etc) => rmSync(join(etc, '../warm')), ['Warm up']],
  }
  const servers = Object.keys(drifts)
  const handlers = [{ name: 'Restart rsyslog', command: 'true' }]
  const play = { hosts: 'all', vars: { names: NAMES }, tasks: TASKS, handlers }
  const cwd = repository(t, Object.fromEntries(servers.map((server) => [server, {}])), [play])
  const etcOf = (server: string): string => join(cwd, 'servers', server, 'etc')
  write(cwd, { 'rsyslog.conf.j2': 'include({{ 1 + 1 }})\n', options: 'OPTIONS=-n\n' })
  mkdirSync(join(etcOf('synced'), 'default'))
  const deploy = ['ansible-playbook', '-i', 'inventory.yml', 'drift-check.yml', '--limit', 'synced']
  const deployed = await sh(t, deploy, {}, cwd)
  t.equal(deployed.code, 0, deployed.stdout)
  for (const server of servers.filter((name) => name !== 'synced')) {
    // cpSync() of Node 22 and 24 does not copy the mode of a directory.
    execute('cp', '-a', `${cwd}/servers/synced/.`, join(cwd, 'servers', server))
  }

  for (const [server, [drift]] of Object.entries(drifts)) drift(etcOf(server))
  const before = everything(join(cwd, 'servers'))
  const server = await serve(t)
  const env = {
    GITOPS_STATUS_URL: `${server.url}/api/status`,
    GITOPS_BASE_PATH: base(cwd),
    GITOPS_INVENTORY: 'inventory.yml',
    GITOPS_SEND_DIFF: 'true',
    CI_COMMIT_SHA: 'b16b00b5',
    CI_COMMIT_BRANCH: 'master',
    CI_PIPELINE_URL: 'https://ci.example.net/repos/1/pipeline/7',
    // What a pipeline may have set for itself.
    ANSIBLE_STDOUT_CALLBACK: 'minimal',
    ANSIBLE_CALLBACKS_ENABLED: 'nowhere.to.be.found',
    ANSIBLE_VERBOSITY: '1',
    LC_ALL: 'C',
  }
  const began = Date.now()
  const { code, log, stdout } = await report(t, [], { cwd, env })
  t.equal(code, 0, log)
  t.equal(stdout, '', 'standard output is for snapshots')
  t.same(everything(join(cwd, 'servers')), before, 'the check changed nothing')

  const statuses = new Map(fileOf(server).statuses.map((status) => [status.server, status as Status]))
  t.same([...statuses.keys()], Object.keys(drifts).toSorted())
  for (const [name, [, expected]] of Object.entries(drifts)) {
    const status = statuses.get(name)
    const names = expected.map((file) => file.replace('SERVER', join(cwd, 'servers', name)))
    t.same(
      status?.files.map((file) => file.name),
      names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      name,
    )
    t.match(status, {
      repo: 'rsyslog',
      sync_status: expected.length === 0 ? 'SYNCED' : 'OUT_OF_SYNC',
      drift_count: expected.length,
      commit: 'b16b00b5',
      branch: 'master',
      pipeline_url: 'https://ci.example.net/repos/1/pipeline/7',
      stale: false,
    })
    const checked = Date.parse(status?.last_check ?? '')
    t.ok(checked >= began - 1000 && checked <= began + 10_000, 'last_check is when the check began')
    t.match(log, `${name}: ${expected.length === 0 ? 'SYNCED' : `OUT_OF_SYNC, drifted: ${expected.length}`}\n`)
    for (const file of names) t.match(log, `\n  ${file}\n`)
  }
  const diffOf = (name: string, file: string): string | undefined =>
    statuses.get(name)?.files.find((found) => found.name === file)?.diff
  t.equal(diffOf('content', 'rsyslog.conf'), '--- server\n+++ git\n@@ -1 +1 @@\n-edited: ü\n+include(2)\n')
  t.equal(diffOf('rights', 'rsyslog.conf'), '-mode: 0600\n+mode: 0644\n')
  t.equal(diffOf('content', '(hidden by no_log) Key'), undefined)
  t.notMatch(readFileSync(server.file, 'utf8') + log, /TOPSECRET|MY OLD KEY/)
  t.notMatch(log, /edited/, 'what differs is logged on request only')
  t.match(statuses.get('command')?.files, [{ name: 'Warm up', kind: 'other' }])
  t.match(log, `Acknowledged by ${server.url}/api/status (201): ${servers.length} created\n`)
})

const mayFail = (name: string, more: object = {}): object => ({
  name,
  copy: { content: '{{ value }}', dest: '{{ etc }}/file' },
  ...more,
})

t.test(
  'a server that was not checked to its end is reported as such, the others as they are',
  WITH_ANSIBLE,
  async (t) => {
    const away = { ansible_connection: 'ssh', ansible_host: '127.0.0.1', ansible_port: 1 }
    const servers = {
      synced: { value: 'x' },
      drifted: { value: 'y' },
      failing: {},
      unreachable: { ...away, value: 'x' },
      'without-python': { value: 'x', ansible_python_interpreter: '/usr/bin/python9' },
      ignoring: { value: 'x', ignore: true },
      rescued: { value: 'x', rescue: true },
      skipping: { value: 'x', skip: true },
    }
    const cwd = repository(t, servers, [
      {
        hosts: 'all',
        tasks: [
          mayFail('Deploy', { when: 'skip is not defined' }),
          { name: 'Broken', command: '/nowhere', check_mode: false, ignore_errors: true, when: 'ignore is defined' },
          { block: [{ fail: {} }], rescue: [{ debug: {} }], when: 'rescue is defined' },
        ],
      },
    ])
    for (const server of Object.keys(servers)) write(join(cwd, 'servers', server, 'etc'), { file: 'x' })
    const ran = await report(t, CHECK, { cwd, env: { GITOPS_BASE_PATH: base(cwd), GITOPS_SHOW_DIFF: '1' } })
    t.equal(ran.code, 1, ran.log)
    t.same(driftIn(ran), { drifted: ['file'], synced: [] })
    const reasons = {
      failing: "'Deploy' failed: ",
      unreachable: "'Deploy' unreachable: ",
      'without-python': "'Deploy' failed: ",
      ignoring: "'Broken' failed: ",
      rescued: "'fail' failed: ",
      skipping: 'nothing was checked: every task was skipped',
    }
    for (const [server, reason] of Object.entries(reasons)) {
      t.match(ran.log, `\n${server}: CHECK FAILED\n  ${reason}`)
      t.match(failuresIn(ran)[server], reason)
    }
    t.match(ran.log, 'ansible-playbook ended with exit code 4.')
    t.match(ran.log, '-x')
    t.match(ran.log, '+y')
  },
)

t.test('nothing was checked: nothing is posted, and the step fails', WITH_ANSIBLE, async (t) => {
  const server = await serve(t)
  const cwd = repository(t, { synced: { value: '' } }, [{ hosts: 'all', tasks: [mayFail('Deploy')] }])
  write(cwd, {
    'broken.yml': '- hosts: [all\n',
    'group.yml': JSON.stringify([{ hosts: 'nobody', gather_facts: false, tasks: [mayFail('Deploy')] }]),
    'local.yml': JSON.stringify([{ hosts: 'localhost', gather_facts: false, tasks: [{ command: 'true' }] }]),
    'empty.yml': '',
  })
  const cases: [args: string[], log: RegExp][] = [
    [['--playbook', 'broken.yml'], /ended without a result[^]*exit code 4/],
    [['--playbook', 'none.yml'], /could not be found[^]*ended without a result[^]*exit code 1/],
    [['--playbook', 'group.yml'], /Could not match[^]*no server was checked/],
    [['--playbook', 'local.yml'], /no server was checked/],
    [['--inventory', 'empty.yml'], /no server was checked/],
    [['--', '--limit', 'nobody'], /ended without a result[^]*exit code 1/],
    [['--', '--no-such-option'], /unrecognized arguments[^]*ended without a result[^]*exit code 2/],
  ]
  for (const [args, expected] of cases) {
    const env = { GITOPS_STATUS_URL: `${server.url}/api/status`, GITOPS_INVENTORY: 'inventory.yml' }
    const { code, log } = await report(t, args, { cwd, env })
    t.equal(code, 1, args.join(' '))
    t.match(log, expected)
  }
  t.equal(fileOf(server).generation, 1, 'nothing was posted')
})

t.test('recorded runs of other versions of Ansible', needs('curl'), async (t) => {
  for (const recording of directoriesIn(RECORDINGS)) {
    const json = (name: string): unknown => JSON.parse(readFileSync(join(recording, name), 'utf8'))
    const expected = json('expected.json') as {
      snapshots: Snapshot[]
      not_reported: { server: string }[]
      step: string
      free_names?: string[]
    }
    const { base_path: basePath } = json('meta.json') as { base_path: string }
    const PATH = standIn(
      t,
      `cp "$RUN/ansible.json" "$GITOPS_RESULT"; cat "$RUN/stderr.txt" >&2; exit "$(cat "$RUN/exit_code")"`,
    )
    const env = { PATH, RUN: recording, GITOPS_BASE_PATH: basePath }
    const ran = await report(t, ['--dry-run'], { env })
    t.equal(ran.code === 0 ? 'passes' : 'fails', expected.step, recording)
    // What a file is called whose path Ansible keeps to itself is free.
    const free = expected.free_names !== undefined
    const facts = ({ files, last_check: _now, ...snapshot }: Snapshot): object => ({
      ...snapshot,
      files: free ? files.length : files.map(({ name }) => name).toSorted(),
    })
    const sent = reportsIn(ran).filter((each) => isSnapshot(each))
    t.same(sent.map(facts), expected.snapshots.map(facts), recording)
    t.same(Object.keys(failuresIn(ran)), expected.not_reported.map(({ server }) => server).toSorted(), recording)
  }
})

function directoriesIn(place: string): string[] {
  return readdirSync(place, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? join(place, entry.name) : [],
  )
}

const PRINTS_DRIFT = `cat >"$GITOPS_RESULT" <<'EOF'
${documentOf({ 'rsyslog-lab': { changed: true, dest: '/etc/rsyslog.conf' } })}
EOF`

t.test(
  'a report that is not acknowledged: the step fails, the log says why and what was found',
  needs('curl'),
  async (t) => {
    const PATH = standIn(t, PRINTS_DRIFT)
    const { url } = await serve(t)
    const answers: Record<string, (response: ServerResponse) => void> = {
      '/401': (response) => {
        response.writeHead(401, { 'Content-Type': 'application/problem+json' })
        response.end(JSON.stringify({ title: 'No token', detail: 'say who you are', status: 401 }))
      },
      '/301': (response) => response.writeHead(301, { Location: '/200' }).end(),
      '/slow': () => undefined,
      '/html': (response) => response.writeHead(502).end('<h1>Bad\u001B[31m Gateway</h1>'),
      '/200': (response) => response.end('[]'),
      '/empty': (response) => response.writeHead(204).end(),
      '/login': (response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Log in</h1>'),
      '/few': (response) => response.writeHead(200, JSON_TYPE).end(JSON.stringify([{ result: 'updated', status: {} }])),
    }
    const seen: { method?: string | undefined; url?: string | undefined; headers: IncomingHttpHeaders }[] = []
    const other = createServer((request, response) => {
      seen.push(request)
      request.resume().on('end', () => answers[request.url ?? '']?.(response))
    })
    await once(other.listen(0, '127.0.0.1'), 'listening')
    t.teardown(() => other.close().closeAllConnections())
    const there = `http://127.0.0.1:${(other.address() as AddressInfo).port}`

    const refused: [url: string, log: RegExp, args?: string[]][] = [
      ['http://127.0.0.1:1/api/status', /Failed to connect[^]*NOT ACKNOWLEDGED .*exit code 7/],
      ['http://no-such-host.invalid/', /Could not resolve[^]*NOT ACKNOWLEDGED .*exit code 6/],
      [`${url}/api/status`, /answered 422[^]*not a valid snapshot[^]*\/repo must/, ['--repo', 'r'.repeat(254)]],
      [`${url}/elsewhere`, /answered 404[^]*no such resource/i],
      [`${there}/401`, /answered 401[^]*No token\n {2}say who you are/],
      [`${there}/301`, /answered 301, which redirects to http:\/\/127\.0\.0\.1:\d+\/200: use that address/],
      [`${there}/200`, /answered 200, but with no Content-Type instead of receipts/],
      [`${there}/empty`, /answered 204, but with no Content-Type/],
      [`${there}/login`, /answered 200, but with text\/html[^]*Log in/],
      [`${there}/few`, /answered 200, but without a receipt for rsyslog-lab/],
      [`${there}/slow`, /timed out[^]*exit code 28/, ['--timeout', '1']],
      [`${there}/html`, /answered 502[^]*Bad\\x1b\[31m Gateway/],
    ]
    for (const [address, expected, args = []] of refused) {
      const { code, log } = await report(t, args, { env: { PATH, GITOPS_STATUS_URL: address } })
      t.equal(code, 3, `${address}: ${log}`)
      t.match(log, expected)
      t.match(log, 'rsyslog-lab: OUT_OF_SYNC, drifted: 1\n  rsyslog.conf\n', 'the log has the result')
    }
    t.equal(seen.filter((request) => request.url === '/200').length, 1, 'a redirection is not followed')
    t.equal(seen.filter((request) => request.url === '/401').length, 1, 'once, without another try')

    const versioned = /^update-gitops-status\/\d+\.\d+\.\d+$/
    t.match(seen.at(-1), { method: 'POST', headers: { 'content-type': 'application/json', 'user-agent': versioned } })
    t.equal(seen.at(-1)?.headers.authorization, undefined)

    const env = { PATH, GITOPS_STATUS_URL: `${url}/api/status` }
    t.equal((await report(t, [], { env })).code, 0)
    const place = directory(t)
    const BEGAN = join(place, 'began')
    const GO = join(place, 'go')
    const late = standIn(t, `touch "$BEGAN"; until [ -e "$GO" ]; do sleep 0.05; done\n${PRINTS_DRIFT}`)
    const slow = report(t, [], { env: { ...env, PATH: late, BEGAN, GO } })
    const began = await eventually(() => statSync(BEGAN).mtimeMs)
    // Times in snapshots have whole seconds.
    await eventually(() => {
      if (Math.floor(Date.now() / 1000) === Math.floor(began / 1000)) throw new Error('the same second')
    })
    t.equal((await report(t, [], { env })).code, 0)
    writeFileSync(GO, '')
    const { code, log } = await slow
    t.equal(code, 0, 'an older check that ends later is no error')
    t.match(log, /rsyslog-lab: ignored, .*\n[^]*1 ignored/)
  },
)

t.test('a secret reaches neither the log nor the process list nor Ansible', needs('curl'), async (t) => {
  const token = 'S3cr3t-t0ken.~+/=='
  const bearers: (string | undefined)[] = []
  const asked = createServer((request, response) => {
    bearers.push(request.headers.authorization)
    processes = spawnSync('sh', ['-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "']).stdout.toString()
    response.writeHead(401).end('no')
  })
  let processes = ''
  await once(asked.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => asked.close().closeAllConnections())
  const address = `127.0.0.1:${(asked.address() as AddressInfo).port}/api/status`
  const home = directory(t, { token: `${token}\r\n`, '.curlrc': 'verbose\ntrace-ascii = "-"\n' })
  const PATH = standIn(t, `env >"$SEEN"; ${PRINTS_DRIFT}`)
  const SEEN = join(home, 'environment')
  for (const secret of [{ GITOPS_TOKEN: token, token: 'exported' }, { GITOPS_TOKEN_FILE: join(home, 'token') }]) {
    const env = { PATH, SEEN, HOME: home, GITOPS_STATUS_URL: `http://me:passw0rd@${address}?key=k3y`, ...secret }
    const { code, log, stdout } = await report(t, [], { env })
    t.equal(code, 3, log)
    t.equal(bearers.at(-1), `Bearer ${token}`)
    t.match(processes, /curl --disable .*--config/, 'curl was seen running')
    for (const place of [log + stdout, processes, readFileSync(SEEN, 'utf8')]) {
      t.notMatch(place, /S3cr3t|passw0rd|k3y/)
    }
    t.match(log, 'http://***@127.0.0.1')
  }
})

t.test('settings: faults are reported before anything runs', needs('curl'), async (t) => {
  const PATH = standIn(t, 'echo ran >&2; exit 9')
  const cases: [args: string[], env: Record<string, string>, log: RegExp][] = [
    [['--nonsense'], {}, /--nonsense is unknown/],
    [['--nonsense', 'x'], {}, /--nonsense is unknown/],
    [['--url'], {}, /--url .*value is missing/],
    [['site.yml'], {}, /'site\.yml' is not an option; arguments of ansible-playbook go after --/],
    [['--url', 'ftp://host/'], {}, /must begin with http/],
    [['--url', 'http://host/ x'], {}, /contains a space/],
    [['--url=http://host/"\nheader = "X: y'], {}, /contains a space, a quote/],
    [['--timeout', '0'], {}, /timeout must be a whole number of seconds/],
    [['--base-path', 'etc'], {}, /base path must begin with \//],
    [[], { GITOPS_DRY_RUN: 'perhaps' }, /GITOPS_DRY_RUN must be true or false, not 'perhaps'/],
    [[], { GITOPS_TOKEN: 'two words' }, /token has more than one line, or characters .* not shown/],
    [[], { GITOPS_TOKEN: 'a', GITOPS_TOKEN_FILE: '/dev/null' }, /one of GITOPS_TOKEN and GITOPS_TOKEN_FILE/],
    [['--token-file', '/no/such/file'], {}, /cannot read the token file \/no\/such\/file/],
    [['--token-file', '/dev/null'], {}, /token file \/dev\/null is empty/],
    [[], { GITOPS_REPO: '' }, /name of the repository is not known; set GITOPS_REPO/],
    [[], { PATH: '/nowhere' }, /ansible-playbook is not installed/],
  ]
  for (const [args, env, expected] of cases) {
    const shell = ['/bin/sh']
    const { code, log } = await report(t, args, { shell, env: { PATH, ...env } })
    t.equal(code, 2, `${args.join(' ')} ${JSON.stringify(env)}`)
    t.match(log, expected)
    t.notMatch(log, /ran|two words/)
  }
  const help = await report(t, ['--help'])
  t.equal(help.code, 0)
  for (const [, name = ''] of readFileSync(join(REPORTER, 'update-gitops-status.sh'), 'utf8').matchAll(
    /\$\{(GITOPS_\w+)/g,
  )) {
    t.match(help.stdout, name)
  }
})

t.test('the name of the repository: GITOPS_REPO, CI_REPO, Git', needs('git'), async (t) => {
  const PATH = standIn(t, PRINTS_DRIFT)
  const cwd = join(directory(t), 'checked-out')
  spawnSync('git', ['init', '-q', cwd])
  const repoWith = async (env: Record<string, string>): Promise<string | undefined> => {
    const { stdout } = await report(t, ['--dry-run'], { cwd, env: { PATH, GITOPS_REPO: '', ...env } })
    return (JSON.parse(stdout) as Snapshot[])[0]?.repo
  }
  t.equal(await repoWith({}), 'checked-out')
  spawnSync('git', ['-C', cwd, 'remote', 'add', 'origin', 'git@git.example.net:ops/rsyslog.git'])
  t.equal(await repoWith({}), 'rsyslog')
  t.equal(await repoWith({ CI_REPO: 'ops/by-ci', CI_REPO_NAME: 'by-ci' }), 'ops/by-ci')
  t.equal(await repoWith({ CI_REPO: 'ops/by-ci', GITOPS_REPO: 'given' }), 'given')
})

t.test(
  'any POSIX shell, any directory, behind a proxy, two at once',
  needs('dash', 'bash', 'busybox', 'shellcheck', 'curl'),
  async (t) => {
    const shells = [['dash'], ['bash', '--posix'], ['busybox', 'sh']]
    const checked = spawnSync('shellcheck', [join(REPORTER, 'update-gitops-status.sh')], { encoding: 'utf8' })
    t.equal(checked.status, 0, checked.stdout)

    const server = await serve(t)
    const proxied: (string | undefined)[] = []
    const proxy = createServer((request, response) => {
      proxied.push(request.url)
      response.writeHead(200, JSON_TYPE).end(JSON.stringify([{ result: 'updated', status: LAB }]))
    })
    await once(proxy.listen(0, '127.0.0.1'), 'listening')
    t.teardown(() => proxy.close())
    const environment = {
      PATH: standIn(t, `printf '%s\\n' "$*" >>"$CALLS"\n${PRINTS_DRIFT}`),
      http_proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    }
    const CALLS = join(directory(t), 'calls')
    const runs = await Promise.all(
      shells.map(async (shell) => {
        const env = { ...environment, CALLS, GITOPS_STATUS_URL: `${server.url}/api/status`, TMPDIR: directory(t) }
        const args = ['--playbook', 'a book.yml', '--inventory=an inventory', '--', '-e', 'x=1 2']
        const ran = await report(t, args, { env, shell, cwd: '/' })
        t.same(readdirSync(env.TMPDIR), [], 'nothing is left behind')
        return ran
      }),
    )
    for (const { code, log } of runs) t.equal(code, 0, log)
    t.match(fileOf(server).statuses, [{ files: [{ name: 'rsyslog.conf' }] }])
    t.same(proxied, [], 'this machine is asked directly')
    t.equal(readFileSync(CALLS, 'utf8'), '--inventory an inventory --check --diff -e x=1 2 a book.yml\n'.repeat(3))

    const cluster = { ...environment, CALLS, GITOPS_STATUS_URL: 'http://status.example.invalid/api/status' }
    t.equal((await report(t, [], { env: cluster })).code, 0)
    t.same(proxied, ['http://status.example.invalid/api/status'])
    const inside = { ...cluster, GITOPS_STATUS_URL: '' }
    t.match(await report(t, [], { env: inside }), { code: 3, log: /Could not resolve host: gitops-status-server/ })
    t.equal(proxied.length, 1, 'and so are addresses in the cluster')
  },
)

const item = (path: string, diff: object): object => ({ changed: true, path, diff })

t.test(
  'hostile results: names that are not UTF-8, that a terminal would obey, diffs without end',
  needs('curl'),
  async (t) => {
    const server = await serve(t)
    const items = [
      item('/etc/\u001B[2Jgone', { before: 'a'.repeat(50_000), after: '' }),
      item('/etc/line\nbreak', { before: { mode: 1 }, after: { mode: 2 } }),
      item('/etc/bytes-\uDCFF', { before: '\uDCFF', after: '\u0000' }),
      item('/etc//a///b/', { prepared: '.f..t......' }),
      item('/etcetera/c', [null, 'x', { before_header: 7 }] as object),
      { changed: true, item: { password: 'hunter2' } },
      ...Array.from({ length: 60 }, (_, index) => item(`/etc/${index}`, { before: 'ü'.repeat(20_000), after: '' })),
    ]
    const text = documentOf({ s: { changed: true, results: items } })
    const out = join(directory(t, { out: text }), 'out')
    const PATH = standIn(t, `cat ${out} >"$GITOPS_RESULT"; echo noise; echo '{"a":1}'; echo 'Playbook run took 1 s'`)
    const env = {
      PATH,
      GITOPS_STATUS_URL: `${server.url}/api/status`,
      GITOPS_SEND_DIFF: 'yes',
      PYTHONUTF8: '0',
      LANG: 'C',
    }
    const { code, log } = await report(t, [], { env })
    t.equal(code, 0, log)
    const files = fileOf(server).statuses[0]?.files ?? []
    const names = files.map(({ name }) => name)
    t.same(
      [
        '\\u001b[2Jgone',
        'line\\u000abreak',
        'bytes-\\udcff',
        'a/b',
        '/etcetera/c',
        'Deploy rsyslog.conf (item 6)',
      ].filter((name) => !names.includes(name)),
      [],
      names.join(),
    )
    t.notMatch(log, /[^\P{Cc}\n\t]/u, 'nothing that a terminal obeys')
    t.match(log, /^noise\n\{"a":1\}\nPlaybook run took 1 s$/m)
    t.notMatch(log + readFileSync(server.file, 'utf8'), /hunter2/)
    const sent = files.flatMap(({ diff = '' }) => (diff === '' ? [] : Buffer.byteLength(diff)))
    t.ok(Math.max(...sent) < 17 * 1024 && sent.reduce((sum, size) => sum + size) < 520 * 1024)
    t.match(log, /The diffs of \d+ files are not sent/)
  },
)

t.test(
  'the example: the commands of its pipelines, in order, from an empty server to drift on the page',
  WITH_ANSIBLE,
  async (t) => {
    const server = await serve(t)
    const cwd = join(directory(t), 'rsyslog')
    cpSync(join(REPORTER, 'example'), cwd, { recursive: true })
    t.equal(
      readFileSync(join(cwd, 'update-gitops-status.sh'), 'utf8'),
      readFileSync(join(REPORTER, 'update-gitops-status.sh'), 'utf8'),
      'the script in the example is the script',
    )
    const etc = directory(t)
    const host = { ...LOCAL, rsyslog_etc: etc, rsyslog_apply: true, rsyslog_remove_unknown: true }
    const key = join(directory(t), 'key')
    execute('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key)
    write(cwd, { 'inventory.yml': JSON.stringify({ rsyslog: { hosts: { 'rsyslog-lab': host } } }) })
    const pipeline = async (name: string): Promise<void> => {
      const { steps } = parse(readFileSync(join(cwd, '.woodpecker', name), 'utf8'), { merge: true }) as {
        steps: { name: string; commands: string[]; environment: Record<string, unknown> }[]
      }
      for (const { name: step, commands, environment } of steps) {
        t.match(environment['SSH_KEY'], { from_secret: 'rsyslog_ssh_key' })
        const env = {
          CI_REPO: 'ops/rsyslog',
          SSH_KEY: readFileSync(key, 'utf8'),
          GITOPS_BASE_PATH: etc,
          // The address of the example is in a cluster.
          ...('GITOPS_STATUS_URL' in environment ? { GITOPS_STATUS_URL: `${server.url}/api/status` } : {}),
        }
        const { code, log, stdout } = await sh(t, ['sh', '-ec', commands.join('\n')], env, cwd)
        t.equal(code, 0, `${name}, ${step}: ${stdout}${log}`)
      }
    }
    const shown = async (): Promise<unknown> => (await ask(`${server.url}/status.json`)).json
    await pipeline('deploy.yaml')
    matches(await shown(), { statuses: [{ repo: 'ops/rsyslog', server: 'rsyslog-lab', sync_status: 'SYNCED' }] })
    writeFileSync(join(etc, 'rsyslog.conf'), 'edited by hand\n')
    write(etc, { 'rsyslog.d/99-mine.conf': '' })
    rmSync(join(etc, 'rsyslog.d/30-lab.conf'))
    await pipeline('gitops-sync-check.yaml')
    const names = ['rsyslog.conf', 'rsyslog.d/30-lab.conf', 'rsyslog.d/99-mine.conf']
    matches(await shown(), { statuses: [{ drift_count: 3, files: names.map((name) => ({ name })) }] })
    t.pass('SYNCED, OUT_OF_SYNC')
  },
)

t.test('a part of a playbook is not reported, by whatever way it is chosen', WITH_ANSIBLE, async (t) => {
  const tasks = [
    mayFail('Deploy'),
    { name: 'Look', command: 'true', check_mode: false, changed_when: false, tags: 'look' },
  ]
  const cwd = repository(t, { a: { value: 'x' } }, [{ hosts: 'all', tasks }])
  const cases: [args: string[], env: Record<string, string>, chosen: RegExp][] = [
    [['--', '--tags', 'look'], {}, /--tags look/],
    [['--', '--skip-tags', 'look'], {}, /--skip-tags look/],
    [['--', '--start-at-task', 'Look'], {}, /--start-at-task Look/],
    [[], { ANSIBLE_RUN_TAGS: 'look' }, /--tags look/],
    [[], { ANSIBLE_SKIP_TAGS: 'look' }, /--skip-tags look/],
    [[], { ANSIBLE_CONFIG: 'tags.cfg' }, /--skip-tags look/],
    [['--', '--step'], {}, /--step/],
  ]
  write(cwd, { 'tags.cfg': '[tags]\nskip = look\n' })
  for (const [args, env, chosen] of cases) {
    const ran = await report(t, [...CHECK, ...args], { cwd, env: { GITOPS_BASE_PATH: base(cwd), ...env } })
    t.match(ran, { code: 1, stdout: '', log: /Nothing is reported: the check ran only a part of the playbook/ })
    t.match(ran.log, chosen)
  }
  const env = { GITOPS_BASE_PATH: base(cwd), ANSIBLE_RUN_TAGS: 'look' }
  t.same(driftIn(await report(t, [...CHECK, '--accept-partial'], { cwd, env })), { a: [] })
})

t.test(
  'a failed check has the pipeline and no commit; labels and stale_after are sent with both',
  needs('curl'),
  async (t) => {
    const server = await serve(t)
    const env = {
      GITOPS_STATUS_URL: `${server.url}/api/status`,
      CI_COMMIT_SHA: 'b16b00b5',
      CI_PIPELINE_URL: 'https://ci.example.net/7',
      GITOPS_LABELS: 'env=prod,owner=team-a',
      GITOPS_STALE_AFTER: '900',
      GITOPS_TOKEN: 'abc\n',
    }
    const failed = standIn(
      t,
      `cat >"$GITOPS_RESULT" <<'EOF'\n${documentOf({ 'rsyslog-lab': { failed: true, reason: 'no such role' } })}\nEOF\nexit 2`,
    )
    t.equal((await report(t, [], { env: { ...env, PATH: failed } })).code, 1)
    const [never] = fileOf(server).statuses
    t.match(never, {
      state: 'failing',
      sync_status: null,
      failed_check: {
        reason: "'Deploy rsyslog.conf' failed: no such role",
        pipeline_url: 'https://ci.example.net/7',
      },
      labels: { env: 'prod', owner: 'team-a' },
      stale_after: 900,
    })
    t.notOk('commit' in (never ?? {}))
    t.equal((await report(t, [], { env: { ...env, PATH: standIn(t, PRINTS_DRIFT) } })).code, 0)
    t.match(fileOf(server).statuses, [
      { state: 'drifted', commit: 'b16b00b5', labels: { env: 'prod' }, stale_after: 900 },
    ])
    for (const [args, log] of [
      [['--labels', 'env'], /labels must have the form env=prod/],
      [['--labels', '1=2'], /not '1=2'/],
      [['--stale-after', '0'], /stale-after must be a whole number of seconds/],
    ] as const) {
      t.match(await report(t, args, { env: { ...env, PATH: failed } }), { code: 2, log })
    }
  },
)

const file = (index: number): object => ({ changed: true, dest: `/etc/${'x'.repeat(150)}-${index}` })

t.test('a report of any size is delivered, in parts by server', needs('curl'), async (t) => {
  const server = await serve(t)
  const hosts = Object.fromEntries(
    ['a', 'b', 'c', 'huge'].map((name) => [
      name,
      {
        action: 'copy',
        changed: true,
        results: Array.from({ length: name === 'huge' ? 9000 : 3000 }, (_, index) => file(index)),
      },
    ]),
  )
  const out = join(directory(t, { out: documentOf(hosts) }), 'out')
  const env = { PATH: standIn(t, `cp ${out} "$GITOPS_RESULT"`), GITOPS_STATUS_URL: `${server.url}/api/status` }
  const { code, log } = await report(t, [], { env })
  t.equal(code, 0, log)
  const counts = fileOf(server).statuses.map(({ drift_count: count }) => count)
  t.same(counts.slice(0, 3), [3000, 3000, 3000])
  const { files = [] } = fileOf(server).statuses.find((status) => status.server === 'huge') ?? {}
  t.match(files.at(-1), { kind: 'other', name: `${9000 - files.length + 1} more files` })
  t.ok(files.length > 1000)
  t.match(log, /Acknowledged[^]*Acknowledged/, 'more than one post')
})

/** A callback of Ansible. */
const callback = (type: string, name: string, body: string): string =>
  [
    'from ansible.plugins.callback import CallbackBase',
    `DOCUMENTATION = "name: ${name}\\ntype: ${type}\\nshort_description: x\\ndescription: x\\n"`,
    'class CallbackModule(CallbackBase):',
    `    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "${type}", "${name}"`,
    body,
  ].join('\n')

t.test('what an operator has set up for Ansible keeps working', WITH_ANSIBLE, async (t) => {
  const cwd = repository(t, { a: { value: 'SECRET-CONTENT' }, b: { value: 'y' } }, [
    {
      hosts: 'all',
      tasks: [mayFail('Deploy'), { name: 'Loop', debug: { msg: 'x' }, loop: [{ content: 'SECRET-ITEM' }] }],
    },
  ])
  const told = '    def v2_playbook_on_stats(self, stats):\n        self._display.display("'
  write(cwd, {
    'mine/theirs.py': callback('notification', 'theirs', `${told}the notification of theirs")\n`),
    'mine/shown.py': callback('stdout', 'shown', `${told}shown as they like")\n`),
    'ansible.cfg': '[defaults]\ncallback_plugins = ./mine\nstdout_callback = shown\nforce_color = true\n',
  })
  const env = { GITOPS_BASE_PATH: base(cwd), ANSIBLE_VERBOSITY: '2' }
  const silent = await report(t, CHECK, { cwd, env })
  t.same(driftIn(silent), { a: ['file'], b: ['file'] }, silent.log)
  t.match(silent.log, 'the notification of theirs')
  t.notMatch(silent.log, 'shown as they like')
  const shown = await report(t, [...CHECK, '--show-output'], { cwd, env })
  t.same(driftIn(shown), { a: ['file'], b: ['file'] }, shown.log)
  t.match(shown.log, 'shown as they like')
  rmSync(join(cwd, 'ansible.cfg'))
  const own = await report(t, CHECK, { cwd, env: { ...env, ANSIBLE_CALLBACK_PLUGINS: 'mine' } })
  t.match(own.log, 'the notification of theirs')
  t.notMatch(own.log + silent.log, /SECRET-/, 'the contents of files are not in the log')
})

t.test('what looks like a secret is not sent', needs('curl'), async (t) => {
  const after = 'user = x\npassword = hunter2\nserial: SN-1234\n'
  const out = documentOf({ a: { changed: true, dest: '/etc/app.conf', diff: { before: '', after } } })
  const cwd = directory(t)
  write(cwd, { out, masks: '# numbers\n\nSN-[0-9]+\n', broken: '(\n' })
  const env = { PATH: standIn(t, `cp ${cwd}/out "$GITOPS_RESULT"`) }
  const diffOf = async (...args: string[]): Promise<string> => {
    const { stdout } = await report(t, ['--dry-run', '--send-diff', ...args], { cwd, env })
    return JSON.parse(stdout)[0].files[0].diff
  }
  t.match(await diffOf(), '+user = x\n+password = ***\n+serial: SN-1234\n')
  t.match(await diffOf('--mask-file', 'masks'), '+password = ***\n+serial: ***\n')
  for (const file of ['broken', 'gone']) {
    const ran = await report(t, ['--dry-run', '--mask-file', file], { cwd, env })
    t.match(ran, { code: 2, stdout: '', log: `the mask file ${file} must have one regular expression a line: ` })
  }
})

t.test('only the head of a branch is reported, and no pull request', needs('git', 'curl'), async (t) => {
  const server = await serve(t)
  const place = directory(t)
  const git = (...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync('git', ['-C', join(place, 'here'), ...args], { encoding: 'utf8' })
    t.equal(status, 0, stderr)
    return stdout.trim()
  }
  mkdirSync(join(place, 'here'))
  spawnSync('git', ['init', '-q', '--bare', join(place, 'remote')])
  git('init', '-q', '-b', 'master')
  git('remote', 'add', 'origin', join(place, 'remote'))
  const commit = (name: string): string => {
    git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-q', '--allow-empty', '-m', name)
    return git('rev-parse', 'HEAD')
  }
  const [older, newer] = [commit('older'), commit('newer')]
  git('push', '-q', 'origin', 'master')
  const env = {
    PATH: standIn(t, PRINTS_DRIFT),
    GITOPS_STATUS_URL: `${server.url}/api/status`,
    CI_COMMIT_BRANCH: 'master',
    CI_COMMIT_SHA: older,
  }
  const cwd = join(place, 'here')
  const ran = await report(t, [], { cwd, env })
  t.match(ran, {
    code: 0,
    log: `Nothing is reported: the head of master is now ${newer}, and this run checked ${older}`,
  })
  t.match(await report(t, [], { cwd, env: { ...env, CI_PIPELINE_EVENT: 'pull_request' } }), { log: /a pull request/ })
  t.equal(fileOf(server).statuses.length, 0)
  const cases: [args: string[], env: Record<string, string>, log: RegExp][] = [
    [['--any-commit'], {}, /Acknowledged/],
    [[], { CI_COMMIT_SHA: newer }, /Acknowledged/],
    [[], { CI_COMMIT_BRANCH: 'gone' }, /Cannot check that this commit is the head of gone[^]*Acknowledged/],
  ]
  for (const [args, more, log] of cases)
    t.match(await report(t, args, { cwd, env: { ...env, ...more } }), { code: 0, log })
})

t.test('localhost of the inventory is a server, that of Ansible is none', WITH_ANSIBLE, async (t) => {
  const play = [{ hosts: 'localhost', tasks: [mayFail('Deploy')] }]
  const listed = repository(t, { localhost: { value: 'x' } }, play)
  t.same(Object.keys(driftIn(await report(t, CHECK, { cwd: listed, env: { GITOPS_BASE_PATH: base(listed) } }))), [
    'localhost',
  ])
  const implicit = repository(t, { a: { value: 'x' } }, [...play, { hosts: 'a', tasks: [mayFail('Deploy')] }])
  const ran = await report(t, CHECK, { cwd: implicit, env: { GITOPS_BASE_PATH: base(implicit) } })
  t.notOk('localhost' in { ...driftIn(ran), ...failuresIn(ran) }, ran.log)
})
