import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import type { FailedCheck, Snapshot } from '../../../src/status/schema.ts'
import { directory } from '../../support/directory.ts'
import { execute } from '../../support/disk.ts'
import { eventually } from '../../support/http.ts'
import { MOUNTS, needs } from '../../support/machine.ts'
import { type HowToRun, REPORTER, type Ran, sh, write } from '../../support/reporter.ts'
import { fileOf, serve } from '../../support/server.ts'

const SCRIPT = join(REPORTER, 'report.sh')
const TOOLS = join(import.meta.dirname, 'tools')
const RECORDINGS = readdirSync(TOOLS, { recursive: true, encoding: 'utf8' })
  .filter((name) => basename(name) === 'command')
  .map((name) => dirname(name))
const POSTS = { timeout: 120_000, ...needs('python3', 'curl') }
const RUNS = { timeout: 120_000, ...needs('python3') }
const WITH_GIT = { timeout: 120_000, ...needs('python3', 'curl', 'git') }

/** Runs report.sh with nothing in its environment but what is given here, for the server web-1 of the repository etc. */
async function run(t: Test, args: readonly string[], how: HowToRun = {}): Promise<Ran> {
  const env = { GITOPS_REPO: 'etc', GITOPS_SERVER: 'web-1', ...how.env }
  return sh(t, [...(how.shell ?? ['sh']), SCRIPT, ...args], env, how.cwd)
}

/** Runs a command and returns what would be posted. */
async function outcome(
  t: Test,
  args: readonly string[],
  how: HowToRun = {},
): Promise<{ code: number | null; log: string; report: Partial<Snapshot & FailedCheck> }> {
  const { code, log, stdout } = await run(t, ['--dry-run', ...args], how)
  const [report = {}] = stdout === '' ? [] : (JSON.parse(stdout) as (Snapshot & FailedCheck)[])
  return { code, log, report }
}

const shell = (script: string, preset = 'exit-code'): string[] => ['--preset', preset, '--', 'sh', '-c', script]

/** A process as a step of CI starts it, to which signals are sent. */
function started(t: Test, args: readonly string[], env: Record<string, string>): ChildProcess {
  const child = spawn('sh', [SCRIPT, ...args], {
    // The current directory is a checkout of this project, whose remote repository may have got a commit since.
    env: {
      PATH: process.env['PATH'],
      GITOPS_REPO: 'etc',
      GITOPS_SERVER: 'web-1',
      GITOPS_ANY_COMMIT: 'true',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

const isRunning = (pid: string): boolean => existsSync(`/proc/${pid}/stat`) && !/^\d+ \(.*\) Z/.test(statOf(pid))

function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return '0 () Z'
  }
}

t.test('what tools have printed is read as recorded', RUNS, async (t) => {
  await Promise.all(
    RECORDINGS.filter((name) => /\/(drifted|diff)$/.test(name) && !name.startsWith('etckeeper-')).map(async (name) => {
      const at = join(TOOLS, name)
      const [tool = '', ...args] = readFileSync(join(at, 'command'), 'utf8').trimEnd().split('\n')
      const bin = directory(t)
      const replay = `cat '${at}/stdout'; cat '${at}/stderr' >&2; exit ${readFileSync(join(at, 'exit_code'), 'utf8')}`
      writeFileSync(join(bin, tool), `#!/bin/sh\n${replay}\n`)
      chmodSync(join(bin, tool), 0o755)
      const ran = await outcome(t, ['--', tool, ...args], {
        env: { PATH: `${bin}:${process.env['PATH']}`, GITOPS_COMMIT: 'b16b00b5' },
      })
      const expected = JSON.parse(readFileSync(join(at, 'expected.json'), 'utf8')) as Partial<Snapshot & FailedCheck>
      t.match(ran.report, expected, name)
      t.equal(ran.report.files?.length, expected.files?.length, name)
      t.equal(ran.code, expected.check_failed === undefined ? 0 : 1, name)
    }),
  )
})

t.test('in sync, drift and a failed check are posted', WITH_GIT, async (t) => {
  const server = await serve(t)
  const cwd = directory(t)
  const git = (...args: string[]): void => {
    const { status, stderr } = spawnSync('git', ['-C', cwd, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args])
    t.equal(status, 0, String(stderr))
  }
  git('init', '-q', '-b', 'main')
  write(cwd, {
    'a b.conf': 'x\n',
    'ü.conf': 'x\n',
    'c.conf': 'x\n',
    'd/to move.conf': 'a long line that is the same\n',
  })
  git('add', '.')
  git('commit', '-q', '-m', 'x')
  const env = {
    GITOPS_STATUS_URL: `${server.url}/api/status`,
    GITOPS_LABELS: 'env=prod',
    CI_REPO: 'ops/etc',
    GITOPS_REPO: '',
    CI_COMMIT_SHA: 'b16b00b5',
    CI_PIPELINE_URL: 'https://ci.example.net/1',
  }
  const target = { repo: 'ops/etc', server: 'web-1', labels: { env: 'prod' }, commit: 'b16b00b5' }
  const status = ['git', 'status', '--porcelain', '-z']
  const diff = ['git', 'diff', '--exit-code', '--name-only', '-z']
  const check = async (...args: string[]): Promise<Ran> => run(t, ['--', ...args], { cwd, env })

  t.match(await check(...diff), { code: 0, stdout: '', log: /web-1: SYNCED\nAcknowledged by .* \(201\): 1 created/ })
  t.match(fileOf(server).statuses, [{ ...target, sync_status: 'SYNCED', pipeline_url: env.CI_PIPELINE_URL }])

  write(cwd, { 'a b.conf': 'y\n', 'new\nline': '', ' blank': '' })
  rmSync(join(cwd, 'ü.conf'))
  git('mv', 'd/to move.conf', 'moved.conf')
  t.match(await check(...status), { code: 0, stdout: / M a b\.conf\0/, log: /web-1: OUT_OF_SYNC, drifted: 6\n/ })
  const names = (): string[] | undefined => fileOf(server).statuses[0]?.files.map(({ name }) => name)
  const everything = ['\\u0020blank', 'a b.conf', 'd/to move.conf', 'moved.conf', 'new\\u000aline', 'ü.conf']
  t.same(names(), everything)
  t.match(await check('git', '-C', 'd/..', ...diff.slice(1), 'HEAD'), { code: 0 })
  t.same(names()?.includes('moved.conf'), true)

  // A failed check of the second of the last check is taken for the earlier one.
  await eventually(() => {
    if (Date.now() < Date.parse(fileOf(server).statuses[0]?.last_check ?? '') + 1000) throw new Error('the same second')
  })
  t.match(await check(...diff, 'nosuch'), { code: 1, stdout: '', log: /^fatal: ambiguous[^]*\nweb-1: CHECK FAILED\n/ })
  t.match(fileOf(server).statuses, [
    {
      ...target,
      sync_status: 'OUT_OF_SYNC',
      failed_check: { reason: /^git: exit code 128; fatal: ambiguous argument/ },
    },
  ])
  t.match(await run(t, ['--', ...diff], { cwd, env: { ...env, CI_PIPELINE_EVENT: 'pull_request' } }), {
    log: /Nothing is reported: this is a pull request/,
  })
  t.match(await run(t, ['--url', 'http://127.0.0.1:1/', '--', ...diff], { cwd, env }), {
    code: 3,
    log: /NOT ACKNOWLEDGED/,
  })
})

t.test('exit codes', RUNS, async (t) => {
  const cwd = directory(t, { 'not-executable': '#!/bin/sh\n', 'no-format': 'x', 'no-interpreter': '#!/nosuch\n' })
  for (const name of ['no-format', 'no-interpreter']) chmodSync(join(cwd, name), 0o755)
  const cases: [command: string[], code: number, report: object][] = [
    [['true'], 0, { sync_status: 'SYNCED', drift_count: 0 }],
    [['false'], 0, { sync_status: 'OUT_OF_SYNC', files: [{ name: 'exit code 1 of false', kind: 'other' }] }],
    [['sh', '-c', 'echo why >&2; exit 2'], 1, { check_failed: 'sh: exit code 2; why' }],
    [['sh', '-c', 'kill -9 $$'], 1, { check_failed: 'sh: it was ended by signal 9' }],
    [['sh', '-c', 'sh -c "kill -9 \\$\\$"; exit'], 1, { check_failed: /^sh: exit code 137/ }],
    [['nosuch'], 1, { check_failed: 'nosuch: it cannot be run (exit code 127): No such file or directory' }],
    [['./no-interpreter'], 1, { check_failed: /exit code 127/ }],
    [['./not-executable'], 1, { check_failed: 'not-executable: it cannot be run (exit code 126): Permission denied' }],
    [['./no-format'], 1, { check_failed: /exit code 126\): Exec format error/ }],
    [['.'], 1, { check_failed: /exit code 126/ }],
  ]
  for (const [command, code, report] of cases) {
    t.match(await outcome(t, ['--preset', 'exit-code', '--', ...command], { cwd }), { code, report }, command.join(' '))
  }
  const noisy =
    'i=0; while [ $i -lt 3000 ]; do echo "line $i" >&2; i=$((i + 1)); done; printf "\\033[31mlast\\033[0m \\007" >&2; exit 9'
  const { report } = await outcome(t, shell(noisy))
  t.equal(report.check_failed, 'sh: exit code 9; line 2996; line 2997; line 2998; line 2999; last \u0007')
  const long = await outcome(t, shell('head -c 9000 /dev/zero | tr "\\0" x >&2; exit 9'))
  t.equal(long.report.check_failed, `sh: exit code 9; ${'x'.repeat(2000)}`)
})

t.test('the output is passed through as it is, the two streams apart', POSTS, async (t) => {
  const server = await serve(t)
  const cwd = directory(t, {
    command: '#!/bin/sh\nhead -c 30000000 binary; printf x >&2; head -c 3000000 binary >&2; exec >&-; exit 1\n',
  })
  chmodSync(join(cwd, 'command'), 0o755)
  writeFileSync(join(cwd, 'binary'), Buffer.alloc(30_000_000, 'a\0\xff\n\x1b[31m'))
  const script = `'${SCRIPT}' --preset exit-code -- ./command >out 2>err`
  const env = { GITOPS_REPO: 'etc', GITOPS_SERVER: 'web-1', GITOPS_STATUS_URL: `${server.url}/api/status` }
  const ran = await sh(t, ['sh', '-c', script], env, cwd)
  t.equal(ran.code, 0)
  const binary = readFileSync(join(cwd, 'binary'))
  t.ok(readFileSync(join(cwd, 'out')).equals(binary))
  const err = readFileSync(join(cwd, 'err'))
  t.ok(err.subarray(0, 3_000_001).equals(Buffer.concat([Buffer.from('x'), binary.subarray(0, 3_000_000)])))
  t.match(err.subarray(3_000_001).toString(), /^web-1: OUT_OF_SYNC, drifted: 1\n/)
  t.ok(readFileSync(server.file).length < 5000)

  // Nobody reads it.
  const closed = `'${SCRIPT}' --preset lines -- sh -c 'i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i + 1)); done' | head -n 1`
  t.match(await sh(t, ['sh', '-c', closed], env, cwd), { stdout: 'line 0\n', log: /drifted: 20000\n/ })
  t.equal(fileOf(server).statuses[0]?.files.at(-1)?.kind, 'other', 'the first of them, and how many there are more')
})

t.test('the output is passed through while the command runs', RUNS, async (t) => {
  const cwd = directory(t)
  const child = started(t, shell(`echo began; echo began >&2; until [ -e '${cwd}/go' ]; do sleep 0.1; done`), {
    GITOPS_STATUS_URL: 'http://127.0.0.1:1/',
  })
  for (const stream of [child.stdout, child.stderr]) {
    const [chunk] = (await once(stream ?? child, 'data')) as [Buffer]
    t.equal(String(chunk), 'began\n')
  }
  writeFileSync(join(cwd, 'go'), '')
  t.same(await once(child, 'close'), [3, null])
})

t.test('what the command has started and left', RUNS, async (t) => {
  const pids = directory(t)
  const left = (where: string): string[] => shell(`sleep 60 ${where} & echo $! >'${pids}/pid'; echo a`, 'lines')
  t.teardown(() => process.kill(Number(readFileSync(join(pids, 'pid'), 'utf8')), 'SIGKILL'))
  const began = Date.now()
  t.match(await outcome(t, left('2>/dev/null')), {
    code: 1,
    report: {
      check_failed: 'sh: its stdout is not complete: a process that the command started still has it open',
    },
  })
  process.kill(Number(readFileSync(join(pids, 'pid'), 'utf8')), 'SIGKILL')
  // The master connection of ssh keeps standard error.
  t.match(await outcome(t, left('>/dev/null')), { code: 0, report: { files: [{ name: 'a' }] } })
  t.ok(Date.now() - began < 50_000)
})

t.test('the command gets its arguments as they are, its input, and no secret', RUNS, async (t) => {
  const args = ['a b', '*', '$HOME', '`x`', "it's", '"q"', '', 'new\nline', '\\n', '--', '--help', 'ü', '{}']
  const printed = 'for word; do printf "%s\\0" "$word"; done >args; env -0 >env; cat >input'
  const cwd = directory(t)
  const script = `printf 'in\\nput' | '${SCRIPT}' --dry-run --preset lines -- "$@"`
  const env = {
    GITOPS_REPO: 'etc',
    GITOPS_SERVER: 'web-1',
    GITOPS_TOKEN: 'secret-token',
    GITOPS_STATUS_URL: 'http://secret-url/',
    LC_ALL: 'de_DE.UTF-8',
    LANGUAGE: 'de',
    OTHER: 'kept',
    url: 'x',
    token: 'x',
  }
  const ran = await sh(t, ['sh', '-c', script, 'sh', 'sh', '-c', printed, 'sh', ...args], env, cwd)
  t.equal(ran.code, 0, ran.log)
  t.same(readFileSync(join(cwd, 'args'), 'utf8').split('\0').slice(0, -1), args)
  t.equal(readFileSync(join(cwd, 'input'), 'utf8'), 'in\nput')
  const seen = readFileSync(join(cwd, 'env'), 'utf8').split('\0')
  t.notMatch(seen.join('\n'), /secret|LANGUAGE|PYTHONIOENCODING|^(url|token)=/m)
  for (const kept of ['LC_ALL=C.UTF-8', 'OTHER=kept']) t.ok(seen.includes(kept), kept)
})

t.test('wrong usage: nothing is run', RUNS, async (t) => {
  const cwd = directory(t)
  const touch = ['touch', join(cwd, 'ran')]
  const cases: [args: string[], env: Record<string, string>, log: RegExp][] = [
    [[], {}, /the command is missing/],
    [['--preset', 'lines'], {}, /the command is missing/],
    [['--preset', 'lines', '--'], {}, /the command is missing/],
    [['--preset', 'lines', '--', ''], {}, /the command is missing/],
    [touch, {}, /'touch' is not an option; the command goes after --/],
    [['--preset', ...touch], {}, /is not an option/],
    [['--', ...touch], {}, /there is no preset for touch; choose one of tofu, terraform, kubectl-diff, .*exit-code$/m],
    [['--preset', 'line', '--', ...touch], {}, /the preset line is unknown; choose one of tofu, .*exit-code$/m],
    [['--preset', 'rsync', '--', ...touch], {}, /the preset rsync needs rsync in the command/],
    [['--', 'git', 'status'], {}, /lacks --porcelain and -z/],
    [['--', 'etckeeper', 'unclean'], {}, /exit code 0 for drift; use --preset git -- etckeeper vcs/],
    [['--preset', 'lines', '--', ...touch], { GITOPS_SERVER: '' }, /the server's name must have .*see --server/],
    [['--preset', 'lines', '--server', 'a\nb', '--', ...touch], {}, /the server's name must have 1 to 253 characters/],
    [['--preset', 'lines', '--base-path', 'etc', '--', ...touch], {}, /the base path must begin with \//],
    [['--preset', 'lines', '--labels', 'x', '--', ...touch], {}, /labels must have the form/],
    [['--preset', 'lines', '--nosuch', 'x', '--', ...touch], {}, /--nosuch is unknown/],
    [['--preset', 'lines', '--timeout', '0', '--', ...touch], {}, /the timeout must be a whole number of seconds/],
    [['--preset', 'lines', '--', ...touch], { GITOPS_TOKEN: 'a b' }, /a bearer token cannot have/],
  ]
  for (const [args, env, log] of cases) {
    const ran = await run(t, ['--dry-run', ...args], { cwd, env })
    t.match(ran, { code: 2, stdout: '', log }, args.join(' '))
  }
  t.notOk(existsSync(join(cwd, 'ran')))
  t.match(await run(t, ['--version']), { code: 0, stdout: /^report\.sh \d+\.\d+\.\d+\n$/ })
  const { stdout: help } = await run(t, ['--help'])
  for (const [, option = ''] of readFileSync(SCRIPT, 'utf8').matchAll(/^ {4}(--[a-z-]+)\)/gm)) t.match(help, option)
})

t.test('a rendering that is empty is a failed check', RUNS, async (t) => {
  const bin = directory(t)
  writeFileSync(join(bin, 'kubectl'), `#!/bin/sh\ncat >'${bin}/input'\n`)
  chmodSync(join(bin, 'kubectl'), 0o755)
  const env = { GITOPS_REPO: 'etc', GITOPS_SERVER: 'k8s', PATH: `${bin}:${process.env['PATH']}` }
  const piped = async (input: string, command: string): Promise<{ code: number | null; report: unknown }> => {
    const { code, stdout } = await sh(
      t,
      ['sh', '-c', `printf %b '${input}' | '${SCRIPT}' --dry-run -- ${command}`],
      env,
    )
    return { code, report: (JSON.parse(stdout) as unknown[])[0] }
  }
  for (const input of ['', '# Source: x\\n---\\n']) {
    const failed = { check_failed: /^kubectl: standard input has no object/ }
    t.match(await piped(input, 'kubectl diff -f -'), { code: 1, report: failed }, input)
  }
  t.notOk(existsSync(join(bin, 'input')), 'kubectl is not run')
  t.match(await piped('---\\na: 1\\n', 'kubectl diff -f -'), { code: 0, report: { sync_status: 'SYNCED' } })
  t.equal(readFileSync(join(bin, 'input'), 'utf8'), '---\na: 1\n')
  t.match(await piped('', 'kubectl diff -f x'), { code: 0 })
})

t.test('a signal ends the command, and nothing is posted', POSTS, async (t) => {
  const server = await serve(t)
  for (const [signal, code, trap] of [
    ['SIGTERM', 143, ':'],
    ['SIGINT', 130, ':'],
    ['SIGHUP', 129, ':'],
    ['SIGTERM', 143, "trap '' TERM INT"],
  ] as const) {
    const cwd = directory(t)
    const tmp = directory(t)
    const script = `${trap}; sleep 60 & echo $! >'${cwd}/child'; echo $$ >'${cwd}/new'; mv '${cwd}/new' '${cwd}/pid'; while :; do sleep 0.1; done`
    const child = started(t, shell(script), { GITOPS_STATUS_URL: `${server.url}/api/status`, TMPDIR: tmp })
    await eventually(() => readFileSync(join(cwd, 'pid')))
    const pids = ['child', 'pid'].map((name) => readFileSync(join(cwd, name), 'utf8').trim())
    t.ok(pids.every((pid) => isRunning(pid)))
    child.kill(signal)
    t.same(await once(child, 'close'), [code, null], signal)
    await eventually(() => {
      if (pids.some((pid) => isRunning(pid))) throw new Error('the command, or what it has started, is not ended')
    })
    t.same(readdirSync(tmp), [], 'nothing is left')
  }
  t.same(fileOf(server).statuses, [])
})

t.test(
  'any POSIX shell, any directory for its files, two at once',
  needs('dash', 'bash', 'busybox', 'shellcheck', 'python3'),
  async (t) => {
    const checked = spawnSync('shellcheck', [SCRIPT], { encoding: 'utf8' })
    t.equal(checked.status, 0, checked.stdout)
    const tmp = join(directory(t), "a b'c")
    mkdirSync(tmp)
    const ran = await Promise.all(
      [['dash'], ['bash', '--posix'], ['busybox', 'sh'], ['bash', '--posix']].map(async (command, index) => {
        const script = `sleep 0.5; echo "/etc/${index} x"`
        const args = ['--base-path', '/etc', ...shell(script, 'lines')]
        return outcome(t, args, { shell: command, env: { TMPDIR: tmp, GITOPS_SERVER: `web-${index}` } })
      }),
    )
    for (const [index, { code, log, report }] of ran.entries()) {
      t.equal(code, 0, log)
      t.same([report.server, report.files], [`web-${index}`, [{ name: `${index} x` }]])
    }
    t.same(readdirSync(tmp), [])
    t.match(await run(t, shell('true'), { env: { TMPDIR: '/nosuch' } }), {
      code: 2,
      log: /cannot create a temporary directory/,
    })
  },
)

t.test('output that cannot be kept is not taken for all', { ...RUNS, ...needs('python3', MOUNTS) }, async (t) => {
  const small = directory(t)
  execute('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small)
  t.teardown(() => spawnSync('umount', [small]))
  const { code, report } = await outcome(t, shell('head -c 4000000 /dev/zero | tr "\\0" "\\n"', 'lines'), {
    env: { TMPDIR: small },
  })
  t.equal(code, 1)
  t.match(report, {
    check_failed: 'sh: its stdout is not complete: it could not be stored: No space left on device',
  })
})

t.test('a program that fails reports nothing, and says so', RUNS, async (t) => {
  const bin = directory(t)
  const real = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).stdout.trim()
  writeFileSync(join(bin, 'python3'), `#!/bin/sh\ncase $* in *"$FAILS"*) exit 1 ;; esac\nexec ${real} "$@"\n`)
  chmodSync(join(bin, 'python3'), 0o755)
  const env = { PATH: `${bin}:${process.env['PATH']}` }
  t.match(await outcome(t, shell('true'), { env: { ...env, FAILS: 'tool.py report' } }), { code: 3, report: {} })
  t.match(await outcome(t, shell('true'), { env: { ...env, FAILS: 'command.py' } }), {
    code: 1,
    report: { check_failed: 'sh: its outcome is not known' },
  })
})
