import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import type { Snapshot } from '../../../src/status/schema.ts'
import { directory } from '../../support/directory.ts'
import { execute } from '../../support/disk.ts'
import { eventually } from '../../support/http.ts'
import { has, needs } from '../../support/machine.ts'
import { REPORTER, type Ran, documentOf, sh, standIn, write } from '../../support/reporter.ts'
import { type Server, fileOf, serve } from '../../support/server.ts'

const EXAMPLE = join(REPORTER, 'example')
const TOOLS = needs('curl', 'git', 'ssh-agent', 'ssh-keygen')
const WITH_ANSIBLE = { timeout: 240_000, ...needs('ansible-playbook', 'git') }
const TOKEN = 'gss_of-this-test'
const IMAGE = 'registry.example.net/ansible:trixie'

interface Step {
  readonly uses?: string
  readonly env?: Record<string, string>
  readonly run?: string
}
interface Job {
  readonly if?: string
  readonly concurrency: object
  readonly steps: readonly Step[]
}
interface Workflow {
  readonly on: { readonly push: { readonly branches: string[] }; readonly schedule: { readonly cron: string }[] }
  readonly jobs: { readonly deploy: Job; readonly 'drift-check': Job }
}
interface Pipeline {
  readonly when: readonly { readonly event: string; readonly branch: string }[]
  readonly concurrency: object
  readonly steps: readonly { readonly commands: string[]; readonly environment: Record<string, unknown> }[]
}
interface GitLabJob {
  readonly resource_group: string
  readonly script: string[]
}

/** The shell of a pipeline, in the order in which it runs, and what the pipeline adds to its environment. */
interface Shell {
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** The files of one CI, and what that CI sets for a run of `ops/rsyslog` on `main`. */
interface Case {
  readonly files: readonly string[]
  /** The branch that the files name. */
  readonly branch: string
  readonly shells: (place: Place) => Shell[]
  readonly variables: (place: Place) => Record<string, string>
  /** The address of the run, and the name of the repository. */
  readonly reported: { readonly repo: string; readonly pipeline_url?: string }
}

/** A repository with its remote, the key for its servers, and a status server. */
interface Place {
  readonly remote: string
  readonly commit: string
  /** The file of the private key. */
  readonly key: string
  readonly url: string
}

const textOf = (file: string): string => readFileSync(join(REPORTER, file), 'utf8')
const yaml = (file: string): unknown => parse(textOf(file), { merge: true })

const GITHUB = 'ci/github-actions/.github/workflows/drift-check.yaml'
const FORGEJO = 'ci/forgejo-actions/.forgejo/workflows/drift-check.yaml'
const GITLAB = 'ci/gitlab-ci/.gitlab-ci.yml'
const JENKINS = 'ci/jenkins/Jenkinsfile'
const WOODPECKER = ['example/.woodpecker/deploy.yaml', 'example/.woodpecker/gitops-sync-check.yaml'] as const
const SCRIPT = 'ci/systemd/usr/local/bin/drift-check'
const SERVICE = 'ci/systemd/etc/systemd/system/drift-check@.service'
const TIMER = 'ci/systemd/etc/systemd/system/drift-check@.timer'
const CRONTAB = 'ci/cron/crontab'

const secretsOf = ({ key, url }: Place): Record<string, string> => ({
  SSH_KEY: readFileSync(key, 'utf8'),
  GITOPS_TOKEN: TOKEN,
  GITOPS_STATUS_URL: `${url}/api/status`,
})

function workflowShells(file: string, place: Place): Shell[] {
  const { deploy, 'drift-check': check } = (yaml(file) as Workflow).jobs
  const values: Record<string, string> = { ...secretsOf(place), token: 'job token' }
  const filled = (text: string): string =>
    text.replaceAll(/\$\{\{ (?:secrets|vars|github)\.(\w+) \}\}/g, (_all, name: string) => values[name] ?? `no ${name}`)
  return [...deploy.steps, ...check.steps.filter(({ run = '' }) => !run.includes('git init'))].flatMap(
    ({ run, env = {} }) =>
      run === undefined
        ? []
        : {
            command: ['bash', '-e', '-c', run],
            env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, filled(value)])),
          },
  )
}

const actions = ({ remote, commit }: Place): Record<string, string> => ({
  GITHUB_SHA: commit,
  GITHUB_REPOSITORY: 'ops/rsyslog',
  GITHUB_REF_NAME: 'main',
  GITHUB_REF_TYPE: 'branch',
  GITHUB_EVENT_NAME: 'schedule',
  GITHUB_SERVER_URL: 'https://forge.example.net',
  GITHUB_RUN_ID: '7',
  // The forge is a directory here.
  GIT_CONFIG_COUNT: '1',
  GIT_CONFIG_KEY_0: `url.${remote}.insteadOf`,
  GIT_CONFIG_VALUE_0: 'https://forge.example.net/ops/rsyslog',
})
const RUN_7 = { repo: 'ops/rsyslog', pipeline_url: 'https://forge.example.net/ops/rsyslog/actions/runs/7' }

const CASES: Readonly<Record<string, Case>> = {
  Woodpecker: {
    files: WOODPECKER,
    branch: 'master',
    shells: (place) =>
      WOODPECKER.flatMap((file) =>
        (yaml(file) as Pipeline).steps.map(({ commands, environment }) => ({
          command: ['sh', '-e', '-c', commands.join('\n')],
          env: Object.fromEntries(Object.entries(secretsOf(place)).filter(([name]) => name in environment)),
        })),
      ),
    variables: ({ commit }) => ({
      CI_REPO: 'ops/rsyslog',
      CI_COMMIT_SHA: commit,
      CI_COMMIT_BRANCH: 'main',
      CI_PIPELINE_EVENT: 'cron',
      CI_PIPELINE_URL: 'https://ci.example.net/repos/1/pipeline/7',
    }),
    reported: { repo: 'ops/rsyslog', pipeline_url: 'https://ci.example.net/repos/1/pipeline/7' },
  },
  'GitHub Actions': {
    files: [GITHUB],
    branch: 'main',
    shells: (place) => workflowShells(GITHUB, place),
    variables: actions,
    reported: RUN_7,
  },
  'Forgejo Actions': {
    files: [FORGEJO],
    branch: 'main',
    shells: (place) => workflowShells(FORGEJO, place),
    variables: actions,
    reported: RUN_7,
  },
  'GitLab CI': {
    files: [GITLAB],
    branch: '$CI_DEFAULT_BRANCH',
    shells: (place) => {
      const { deploy, 'drift-check': check } = yaml(GITLAB) as Record<'deploy' | 'drift-check', GitLabJob>
      return [deploy, check].map(({ script }) => ({
        command: ['bash', '-e', '-o', 'pipefail', '-c', script.join('\n')],
        env: { ...secretsOf(place), SSH_KEY: place.key },
      }))
    },
    variables: ({ commit }) => ({
      CI_PROJECT_PATH: 'ops/rsyslog',
      CI_COMMIT_SHA: commit,
      CI_COMMIT_BRANCH: 'main',
      CI_PIPELINE_SOURCE: 'schedule',
      CI_PIPELINE_URL: 'https://gitlab.example.net/ops/rsyslog/-/pipelines/7',
    }),
    reported: { repo: 'ops/rsyslog', pipeline_url: 'https://gitlab.example.net/ops/rsyslog/-/pipelines/7' },
  },
  Jenkins: {
    files: [JENKINS],
    branch: 'main',
    shells: (place) =>
      [...textOf(JENKINS).matchAll(/\bsh '([^']+)'/g)].map(([, command = '']) => ({
        command: ['sh', '-xe', '-c', command],
        env: { ...secretsOf(place), SSH_KEY: '', ANSIBLE_PRIVATE_KEY_FILE: place.key },
      })),
    variables: ({ commit }) => ({
      GIT_COMMIT: commit,
      BRANCH_NAME: 'main',
      JENKINS_URL: 'https://jenkins.example.net/',
      BUILD_URL: 'https://jenkins.example.net/job/rsyslog/job/main/7/',
    }),
    reported: { repo: 'rsyslog', pipeline_url: 'https://jenkins.example.net/job/rsyslog/job/main/7/' },
  },
}

// What a playbook leaves of a drifted server, and the public keys that it could log in with.
const PLAYBOOK = `
{ echo "$*"; ssh-add -L || ssh-keygen -y -f "$ANSIBLE_PRIVATE_KEY_FILE"; } >>"$CALLS" 2>/dev/null
[ -z "\${GITOPS_RESULT-}" ] || cat >"$GITOPS_RESULT" <<'EOF'
${documentOf({ 'rsyslog-lab': { changed: true, dest: '/etc/rsyslog.conf' } })}
EOF`

/** A status server that takes nothing without the token. */
async function server(t: Test): Promise<Server> {
  const sha256 = createHash('sha256').update(TOKEN).digest('hex')
  const tokens = { tokens: [{ name: 'ci', sha256, write: [{}] }] }
  const files = directory(t, { 'tokens.json': JSON.stringify(tokens) })
  return serve(t, directory(t), { tokensFile: join(files, 'tokens.json') })
}

function place(t: Test, { url }: Server): Place & { readonly checkout: string } {
  const root = directory(t)
  const [checkout, remote, key] = [join(root, 'rsyslog'), join(root, 'remote/rsyslog.git'), join(root, 'key')]
  execute('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key)
  mkdirSync(checkout)
  for (const file of ['update-gitops-status.sh', 'drift-check.yml', 'site.yml'])
    cpSync(join(EXAMPLE, file), join(checkout, file))
  execute('git', 'init', '--quiet', '--bare', '--initial-branch', 'main', remote)
  const commit = commitAll(checkout, remote)
  return { checkout, remote, commit, key, url }
}

/** Commits everything and pushes it to `main`. */
function commitAll(checkout: string, remote: string): string {
  const git = (...args: string[]): string =>
    spawnSync('git', ['-C', checkout, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { encoding: 'utf8' })
      .stdout
  if (!existsSync(join(checkout, '.git'))) {
    git('init', '--quiet', '--initial-branch', 'main')
    git('remote', 'add', 'origin', remote)
  }
  git('add', '--all')
  git('commit', '--quiet', '--message', 'A commit')
  git('push', '--quiet', 'origin', 'main')
  return git('rev-parse', 'HEAD').trim()
}

/** Everything in a directory, except sockets of an agent, which outlives its command by up to 10 seconds. */
const left = (path: string): string[] => readdirSync(path).filter((name) => !/^ssh-\w+$/.test(name))

for (const [name, { files, branch, shells, variables, reported }] of Object.entries(CASES)) {
  t.test(`${name}: its commands deploy, check and report, and leave no key behind`, TOOLS, async (t) => {
    const status = await server(t)
    const { checkout, ...rest } = place(t, status)
    const temporary = directory(t)
    const calls = join(directory(t), 'calls')
    const env = { PATH: standIn(t, PLAYBOOK), CALLS: calls, TMPDIR: temporary, ...variables(rest) }
    const all = shells(rest)
    t.ok(all.length >= 2, 'a deployment and a check')
    // Forgejo's job clones into an empty directory.
    const cwd = all[0]?.command.at(-1)?.includes('git init') === true ? directory(t) : checkout
    for (const { command, env: more } of all) {
      const ran: Ran = await sh(t, command, { ...env, ...more }, cwd)
      t.equal(ran.code, 0, `${command.join(' ')}: ${ran.stdout}${ran.log}`)
    }
    const [type, key] = readFileSync(`${rest.key}.pub`, 'utf8').split(' ')
    const seen = readFileSync(calls, 'utf8')
    t.match(seen, 'site.yml\n')
    t.match(seen, '--check --diff drift-check.yml\n')
    const playbooks = all.filter(({ command }) => /site\.yml|update-gitops/.test(command.join(' ')))
    t.equal(seen.split(`${type} ${key}`).length - 1, playbooks.length, 'each playbook has the key')
    t.match(fileOf(status).statuses, [{ ...reported, commit: rest.commit, branch: 'main', drift_count: 1 }])
    t.same(left(temporary), [])
    await eventually(() => {
      if (readdirSync(temporary).length > 0) throw new Error('the agent is still there')
    }, 15_000)
    const kept = spawnSync('grep', ['-rl', 'BEGIN OPENSSH PRIVATE KEY', cwd, temporary], { encoding: 'utf8' }).stdout
    t.equal(kept, '', 'no file has the key')
  })

  t.test(`${name}: main branch alone, no pull request, secrets by name`, async (t) => {
    for (const file of files) {
      const text = textOf(file)
      t.notMatch(text, /pull_request|merge_request|PRIVATE KEY|gss_/, file)
      t.match(text, branch, file)
      t.notMatch(text, /GITOPS_TOKEN: *(?!\$\{\{ secrets\.|\n +from_secret)\S/, file)
    }
  })
}

t.test('GitHub and Forgejo: triggers, jobs, queues and actions', async (t) => {
  for (const file of [GITHUB, FORGEJO]) {
    const { on, jobs } = yaml(file) as Workflow
    t.same(Object.keys(on), ['push', 'schedule', 'workflow_dispatch'], file)
    t.same(on.push, { branches: ['main'] })
    t.equal(on.schedule[0]?.cron, file === GITHUB ? '*/5 * * * *' : '*/2 * * * *')
    t.equal(jobs.deploy.if, "github.event_name == 'push'")
    t.match(jobs['drift-check'].if, "github.ref == 'refs/heads/main'")
    for (const [name, job] of Object.entries(jobs)) {
      t.same(job.concurrency, { group: name, 'cancel-in-progress': false }, 'deployments are not dropped for checks')
      for (const { uses } of job.steps) if (uses !== undefined) t.match(uses, /^actions\/checkout@[0-9a-f]{40}$/)
    }
  }
})

t.test('Woodpecker: events, branch and one queue for both pipelines', async (t) => {
  const [deploy, check] = WOODPECKER.map((file) => yaml(file) as Pipeline)
  t.same(deploy?.when, [{ event: 'push', branch: 'master' }])
  t.same(check?.when, [
    { event: 'cron', cron: 'gitops_sync_check', branch: 'master' },
    { event: 'manual', branch: 'master' },
  ])
  for (const pipeline of [deploy, check]) {
    t.same(pipeline?.concurrency, { group: 'rsyslog', limit: 1 })
    const environment = pipeline?.steps.at(-1)?.environment
    t.same(environment?.['GITOPS_TOKEN'], { from_secret: 'gitops_status_token' })
    t.same(environment?.['SSH_KEY'], { from_secret: 'rsyslog_ssh_key' })
  }
})

t.test('GitLab: sources of pipelines and one queue', async (t) => {
  const {
    workflow,
    deploy,
    'drift-check': check,
  } = yaml(GITLAB) as Record<'workflow' | 'deploy' | 'drift-check', object>
  const condition = '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $CI_PIPELINE_SOURCE =~ /^(push|schedule|web)$/'
  t.same(workflow, { rules: [{ if: condition }] })
  t.match(deploy, { resource_group: 'rsyslog', rules: [{ if: '$CI_PIPELINE_SOURCE == "push"' }] })
  t.match(check, { resource_group: 'rsyslog', when: 'always' })
})

t.test('Jenkins: one build at a time, credentials by name, the main branch', async (t) => {
  const text = textOf(JENKINS)
  t.match(text, 'disableConcurrentBuilds()')
  t.notMatch(text, 'abortPrevious')
  t.match(text, "ANSIBLE_PRIVATE_KEY_FILE = credentials('rsyslog-ssh-key')")
  t.match(text, "GITOPS_TOKEN = credentials('gitops-status-token')")
  t.match(text, /when \{\s+beforeAgent true\s+branch 'main'\s+\}/)
  t.match(text, "cron(env.BRANCH_NAME == 'main' ? 'H/2 * * * *' : '')")
})

t.test('systemd: credentials, a user of its own, a timer', async (t) => {
  const service = textOf(SERVICE)
  for (const line of [
    'LoadCredential=ssh-key:/etc/drift-check/%i.key',
    'LoadCredential=token:/etc/drift-check/%i.token',
    'DynamicUser=true',
    'ExecStart=/usr/local/bin/drift-check ${REPOSITORY} ${BRANCH} %S/drift-check/%i/checkout',
  ])
    t.match(service, `\n${line}\n`)
  t.match(textOf(TIMER), '\nOnCalendar=*:0/2\n')
  t.match(textOf(CRONTAB), /^\*\/2 \* \* \* \* drift-check \S+ main \/\S+ /m)
})

t.test('systemd-analyze: the units are valid, and exposed to little', needs('systemd-analyze'), async (t) => {
  const units = directory(t)
  for (const unit of [SERVICE, TIMER])
    writeFileSync(
      join(units, unit.split('/').at(-1) ?? ''),
      textOf(unit).replace('/usr/local/bin/drift-check', '/bin/true'),
    )
  const names = readdirSync(units).map((name) => join(units, name))
  const verified = spawnSync('systemd-analyze', ['verify', ...names], { encoding: 'utf8' })
  t.same([verified.status, verified.stderr], [0, ''])
  const [service = ''] = names
  const secured = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', service], {
    encoding: 'utf8',
  })
  t.equal(secured.status, 0, secured.stdout)
})

t.test(
  'drift-check: the newest commit of its own clone, one run at a time',
  needs('git', 'flock', 'curl'),
  async (t) => {
    const status = await server(t)
    const { checkout, remote, key, commit } = place(t, status)
    const home = directory(t)
    const [clone, calls, go] = [join(home, 'rsyslog'), join(home, 'calls'), join(home, 'go')]
    const run = async (more: Record<string, string> = {}): Promise<Ran> =>
      sh(t, [join(REPORTER, SCRIPT), remote, 'main', clone], {
        PATH: standIn(t, `${PLAYBOOK}\nuntil [ -e "$GO" ]; do sleep 0.05; done`),
        CALLS: calls,
        GO: home,
        ANSIBLE_PRIVATE_KEY_FILE: key,
        GITOPS_STATUS_URL: `${status.url}/api/status`,
        GITOPS_TOKEN: TOKEN,
        ...more,
      })
    const first = await run()
    t.equal(first.code, 0, first.log)
    t.match(fileOf(status).statuses, [{ repo: 'rsyslog', commit, branch: 'main' }])

    write(checkout, { 'new file': '' })
    const newer = commitAll(checkout, remote)
    write(clone, { 'site.yml': 'edited in the clone', 'left over': '' })
    const slow = run({ GO: go })
    await eventually(() => {
      if (!existsSync(join(clone, 'new file'))) throw new Error('not fetched')
    })
    const beside = await run()
    t.match(beside, { code: 0, log: /The previous run in .* has not ended/ })
    writeFileSync(go, '')
    const second = await slow
    t.equal(second.code, 0, second.log)
    t.match(fileOf(status).statuses, [{ commit: newer }])
    t.notOk(existsSync(join(clone, 'left over')))
    t.equal(readFileSync(join(clone, 'site.yml'), 'utf8'), readFileSync(join(EXAMPLE, 'site.yml'), 'utf8'))

    // A failure is the exit code, and the next run is not kept out.
    t.equal((await run({ GITOPS_STATUS_URL: 'http://127.0.0.1:1/api/status' })).code, 3)
    t.equal((await run()).code, 0)
    t.match(await sh(t, [join(REPORTER, SCRIPT)], {}), { code: 2, log: /^Usage: drift-check REPOSITORY/ })
  },
)

t.test('the example changes nothing until it is told to', WITH_ANSIBLE, async (t) => {
  const readme = textOf('example/README.md')
  const [copy = '', dryRun = '', deploy = ''] = [...readme.matchAll(/^```sh\n([^]*?)\n```$/gm)].map(([, text]) => text)
  const place = directory(t)
  const copied = copy.replace('reporter/example', EXAMPLE)
  t.equal((await sh(t, ['sh', '-ec', copied], {}, place)).code, 0, copied)
  const cwd = join(place, 'rsyslog')
  const [show = '', apply = ''] = deploy.split('\n')
  const run = async (command: string): Promise<Ran> => {
    const ran = await sh(t, ['sh', '-ec', command], {}, cwd)
    t.equal(ran.code, 0, `${command}: ${ran.stdout}${ran.log}`)
    return ran
  }
  const files = (): string[] =>
    readdirSync(join(cwd, 'local'), { recursive: true, withFileTypes: true, encoding: 'utf8' })
      .map((entry) => join(entry.parentPath, entry.name).slice(`${cwd}/local/`.length))
      .toSorted()
  const all = ['rsyslog.conf', 'rsyslog.d', 'rsyslog.d/10-input.conf', 'rsyslog.d/30-lab.conf']
  const drifted = async (command: string): Promise<string[]> => {
    const [snapshot] = JSON.parse((await run(command)).stdout) as Snapshot[]
    t.match(snapshot, { repo: 'rsyslog', server: 'rsyslog-local' })
    return snapshot?.files.map(({ name }) => name).toSorted() ?? ['no snapshot']
  }

  t.match((await run(show)).stdout, /\+\*\.\* action[^]*nothing was changed/, 'it shows the difference')
  for (const command of [`${apply} --check`, apply.replace('=true', '=false')]) {
    await run(command)
    t.notOk(existsSync(join(cwd, 'local')), command)
  }

  // A server that has a configuration already.
  const before = { 'rsyslog.conf': 'of the server\n', 'rsyslog.d/50-default.conf': 'of the server\n' }
  write(join(cwd, 'local'), before)
  await run(show)
  t.same(files(), ['rsyslog.conf', 'rsyslog.d', 'rsyslog.d/50-default.conf'])
  for (const [name, text] of Object.entries(before)) t.equal(readFileSync(join(cwd, 'local', name), 'utf8'), text)
  await run(apply)
  t.same(files(), [...all, 'rsyslog.d/50-default.conf'], 'an unknown file stays')
  t.same(await drifted(dryRun), [], 'and is no drift')
  const remove = '-e rsyslog_remove_unknown=true'
  t.same(await drifted(`${dryRun} -- ${remove}`), ['rsyslog.d/50-default.conf'])
  await run(`${apply} ${remove}`)
  t.same(files(), all)
})

t.test('shellcheck finds nothing in what the pipelines run', needs('shellcheck'), async (t) => {
  const nowhere = { remote: '', commit: '', key: '/dev/null', url: '' }
  const texts = Object.entries(CASES).flatMap(([name, { shells }]) =>
    shells(nowhere).map(({ command }) => [name, command[0] ?? 'sh', command.at(-1) ?? ''] as const),
  )
  for (const [name, shell, text] of [...texts, [SCRIPT, 'sh', textOf(SCRIPT)] as const]) {
    const { status, stdout } = spawnSync('shellcheck', [`--shell=${shell}`, '-'], { input: text, encoding: 'utf8' })
    t.equal(status, 0, `${name}: ${stdout}`)
  }
})

t.test('actionlint finds nothing in the workflows', needs('actionlint'), async (t) => {
  // Forgejo has labels of its own and runs every minute.
  const ignored = ['-ignore', 'scheduled job runs too frequently', '-ignore', 'label "docker" is unknown']
  for (const args of [[GITHUB], ['../.github/workflows/site.yaml'], [...ignored, FORGEJO]]) {
    const { status, stdout, stderr } = spawnSync('actionlint', args, { cwd: REPORTER, encoding: 'utf8' })
    t.equal(status, 0, stdout + stderr)
  }
})

// CI does not have it: no package registry has it.
const WOODPECKER_CLI = has('woodpecker-cli') ? {} : { skip: 'this machine lacks woodpecker-cli' }

t.test('woodpecker-cli lint finds nothing in the pipelines', WOODPECKER_CLI, async (t) => {
  const args = ['--disable-update-check', 'lint', '--strict', join(EXAMPLE, '.woodpecker')]
  const { status, stdout, stderr } = spawnSync('woodpecker-cli', args, { encoding: 'utf8' })
  t.equal(status, 0, stdout + stderr)
})

t.test('the image of the steps has what they need', async (t) => {
  const image = readFileSync(join(EXAMPLE, 'Dockerfile'), 'utf8')
  for (const name of ['ansible-core', 'ca-certificates', 'curl', 'git', 'openssh-client']) t.match(image, ` ${name} `)
  for (const file of [FORGEJO, GITLAB, ...WOODPECKER]) t.match(textOf(file), `image: ${IMAGE}\n`)
})
