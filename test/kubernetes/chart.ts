/*
 * Installs the chart into a real API server: npm run test:kubernetes. Its controllers make pods, which are admitted or refused. There is no
 * kubelet: no pod runs, so that `helm test` and `helm install --wait` cannot succeed. HELMS names programs to test with beside `helm`,
 * separated by blanks.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { eventually, matches } from '../support/http.ts'
import { CHART, HELM_ENVIRONMENT, type Printed, type Values } from '../support/kubernetes/helm.ts'
import { KUBERNETES } from '../support/kubernetes/kustomize.ts'
import { find, resourcesOf } from '../support/kubernetes/resources.ts'
import { needs } from '../support/machine.ts'
import { CLUSTER_PROGRAMS, Cluster } from './cluster.ts'
import { createVolume, Namespace, RESTRICTED, SECRET, SERVER, installServiceMonitors } from './namespace.ts'
import { cloneForPage, runPage } from './page.ts'

const PAGE = 'docs/install/helm.md'
const OPTIONS = needs('helm', ...CLUSTER_PROGRAMS)
const PROGRAMS = ['helm', ...(process.env['HELMS']?.split(' ') ?? [])]
/** What the default values make, beside a ServiceAccount. */
const DEFAULT_OBJECTS = ['Deployment', 'NetworkPolicy', 'PersistentVolumeClaim', 'Pod', 'ReplicaSet', 'Service']
/** Milliseconds until the controllers have done what follows from a change. */
const SETTLE_MS = 60_000

/** On the objects of others. */
const FOREIGN = { owner: 'others' }
const BOUND = [{ status: { phase: 'Bound' } }]

interface Persistence {
  readonly existingClaim?: string
  readonly storageClass?: string
  readonly accessMode?: string
}

/** Values that name what a release needs and does not make. */
interface CombinedValues extends Values {
  readonly persistence?: Persistence
  readonly serviceAccount?: { readonly name?: string }
  readonly priorityClassName?: string
  readonly fullnameOverride?: string
}

let cluster: Cluster
let namespace: Namespace
let monitoring: Namespace
if (OPTIONS.skip === undefined) {
  // Helm keeps its own files elsewhere than in the home directory of who runs the tests.
  Object.assign(process.env, HELM_ENVIRONMENT)
  cluster = await Cluster.start()
  t.teardown(async () => cluster.stop())
  namespace = new Namespace(cluster)
  monitoring = new Namespace(cluster, 'monitoring')
  t.beforeEach(() => {
    namespace.delete()
    monitoring.delete()
    cluster.kubectl(['delete', 'persistentvolumes', '--all'])
    cluster.kubectl(['delete', 'crd', '--all'])
  })
}

for (const program of PROGRAMS) {
  const { test, helm, install, clone } = helpers(program)

  test('ServiceMonitor needs the operator: without it, nothing is made', async (t) => {
    namespace.create()
    const { code, stderr } = install({ serviceMonitor: { enabled: true } }, { mayFail: true })
    t.equal(code, 1)
    t.match(stderr, /no matches for kind "ServiceMonitor"/)
    t.same(namespace.ours(), [])
  })

  test(`${PAGE}: from nothing to installed, changed, and removed`, async (t) => {
    const place = clone(t)
    const began = Date.now()
    runPage(t, cluster, place, PAGE, { until: '## Tokens' })
    t.comment(`from nothing to installed: one command, ${Date.now() - began} ms`)
    const claim = await namespace.bind('ReadWriteOnce')
    await namespace.settled()
    t.same(kinds(), DEFAULT_OBJECTS)
    t.same(accounts(), ['default', SERVER])
    t.match(namespace.get('pods'), [{ status: { phase: 'Pending' } }], 'the pod waits for a node')
    const fresh = versions()
    helm(['upgrade', SERVER, CHART, '--reuse-values'])
    t.same(versions(), fresh, 'the second time, nothing changes')

    installServiceMonitors(cluster)
    runPage(t, cluster, place, PAGE, { from: '## Tokens', until: '## Upgrade' })
    await namespace.settled()
    t.same(kinds(), [...DEFAULT_OBJECTS, 'Ingress', 'ReplicaSet', 'ServiceMonitor'].toSorted(), 'a new template')
    const isSame = (kind: string): boolean => versions()[`${kind} ${SERVER}`] === fresh[`${kind} ${SERVER}`]
    t.same(['PersistentVolumeClaim', 'Service', 'Deployment', 'NetworkPolicy'].map(isSame), [true, true, false, false])

    const secret = namespace.get('secrets', SECRET)
    runPage(t, cluster, place, PAGE, { from: '## Remove it', until: 'The claim with the data' })
    await namespace.remains([`PersistentVolumeClaim ${SERVER}`])
    t.same(accounts(), ['default'])
    t.same(namespace.get('secrets', SECRET), secret, 'the Secret stays')
    runPage(t, cluster, place, PAGE, { from: '## Choose values', until: '## Upgrade' })
    t.equal(uidOfClaim(), claim.metadata.uid, 'the claim is used again')
    runPage(t, cluster, place, PAGE, { from: '## Remove it' })
    await namespace.remains([])
  })

  test(`${PAGE}: from one server to two on a new claim, and back`, async (t) => {
    const place = clone(t)
    installServiceMonitors(cluster)
    namespace.create(RESTRICTED)
    runPage(t, cluster, place, PAGE, { from: '## Tokens', until: '## Upgrade' })
    const claim = await namespace.bind('ReadWriteOnce')
    await namespace.settled()
    const before = [...kinds(), ...accounts()]

    const mode = ['--set', 'persistence.accessMode=ReadWriteMany']
    const { code, stderr } = helm(['upgrade', SERVER, CHART, '--reuse-values', ...mode], { mayFail: true })
    t.equal(code, 1)
    t.match(stderr, `the claim ${SERVER} is there with ReadWriteOnce, which cannot be changed, not with ReadWriteMany`)

    const shared = `${SERVER}-shared`
    createClaim(shared, { accessMode: 'ReadWriteMany' })
    runPage(t, cluster, place, PAGE, { from: '## From one server to two', until: '## From kustomize' })
    await namespace.settled()
    t.match(namespace.get('deployments', SERVER), [{ spec: { replicas: 2, strategy: { type: 'RollingUpdate' } } }])
    t.match(namespace.get('deployments', SERVER), mounts(shared))
    t.ok(kinds().includes('PodDisruptionBudget'))
    t.equal(uidOfClaim(), claim.metadata.uid, 'the old claim stays')

    helm(['upgrade', SERVER, CHART, '--values', join(place, 'values.yaml')])
    await namespace.settled()
    t.match(namespace.get('deployments', SERVER), mounts(SERVER))
    t.match(namespace.get('deployments', SERVER), [{ spec: { replicas: 1, strategy: { type: 'Recreate' } } }])
    namespace.kubectl('delete', 'persistentvolumeclaim', shared)
    t.same(new Set([...kinds(), ...accounts()]), new Set(before), 'as it was')
    t.same(namespace.refusals(), [])
  })

  for (const name of readdirSync(join(CHART, 'ci'))) {
    test(`${name}: in a namespace that others use, under restricted`, async (t) => {
      installServiceMonitors(cluster)
      namespace.create({ ...RESTRICTED, team: 'others' })
      namespace.createForeign()
      monitoring.create()
      const values = parse(readFileSync(join(CHART, 'ci', name), 'utf8')) as CombinedValues
      const { persistence, serviceAccount, priorityClassName, fullnameOverride = SERVER } = values
      const { existingClaim } = persistence ?? {}
      if (existingClaim !== undefined) createClaim(existingClaim, { ...persistence, labels: FOREIGN })
      if (serviceAccount?.name !== undefined) namespace.kubectl('create', 'serviceaccount', serviceAccount.name)
      if (priorityClassName !== undefined)
        cluster.kubectl(['create', 'priorityclass', priorityClassName, '--value=1000'], { mayFail: true })
      const [before, elsewhere, others] = [namespace.foreign(), monitoring.foreign(), accounts()]

      if (existingClaim === undefined) createVolumeFor(fullnameOverride, persistence)
      install(values)
      await eventually(
        () => matches(namespace.get('persistentvolumeclaims', existingClaim ?? fullnameOverride), BOUND),
        SETTLE_MS,
      )
      await namespace.settled()
      t.same(namespace.refusals(), [], 'all pods are admitted')
      const [once, grafana] = [versions(), monitoring.versions()]
      install(values)
      t.same(versions(), once, 'the second time, nothing changes')
      t.same(monitoring.versions(), grafana)

      const hook = find(resourcesOf(helm(['get', 'hooks', SERVER]).stdout), 'Pod')
      const input = JSON.stringify(hook)
      const trial = cluster.kubectl(['create', '--dry-run=server', '--filename=-'], { input, mayFail: true })
      t.equal(trial.code, 0, 'the pod of helm test is admitted', { stderr: trial.stderr })

      helm(['uninstall', SERVER])
      await namespace.remains(existingClaim === undefined ? [`PersistentVolumeClaim ${fullnameOverride}`] : [])
      await monitoring.remains([])
      t.same(accounts(), others)
      t.same([namespace.foreign(), monitoring.foreign()], [before, elsewhere], 'what others have is as it was')
    })
  }

  test('a pod that restricted forbids is refused: the check above can fail', async () => {
    namespace.create(RESTRICTED)
    install({ extraVolumes: [{ name: 'host', hostPath: { path: '/srv' } }] })
    await eventually(() => matches(namespace.refusals(), [/violates PodSecurity "restricted/]), SETTLE_MS)
  })

  test('a change is seen: the check of the second installation can fail', async (t) => {
    namespace.create()
    install({})
    await namespace.bind('ReadWriteOnce')
    await namespace.settled()
    const before = versions()
    install({ annotations: { changed: 'yes' } })
    const after = versions()
    const same = Object.keys(before).filter((name) => before[name] === after[name])
    t.same(
      same.filter((name) => !/^(Pod|ReplicaSet|ServiceAccount default)/.test(name)),
      [],
    )
  })

  test('helm test makes a pod, which waits for a node here, and removes it', async (t) => {
    namespace.create()
    install({})
    const { code, stdout, stderr } = helm(['test', SERVER, '--timeout=2s'], { mayFail: true })
    t.equal(code, 1)
    t.match(`${stdout}${stderr}`, /TEST SUITE: +gitops-status-server-ready/)
    await eventually(() => matches(namespace.get('pods', `${SERVER}-ready`).length, 0), SETTLE_MS)
  })

  for (const [name, manifest] of [
    ['base of 0.1', ['--filename', join(import.meta.dirname, '0.1/base.yaml')]],
    ['complete of 0.1', ['--filename', join(import.meta.dirname, '0.1/complete.yaml')]],
    ['base', ['--kustomize', join(KUBERNETES, 'base')]],
    ['overlays/complete', ['--kustomize', join(KUBERNETES, 'overlays/complete')]],
  ] as const) {
    test(`${PAGE}: from ${name} to the chart`, async (t) => {
      const place = clone(t)
      installServiceMonitors(cluster)
      if (!name.endsWith('0.1')) namespace.create()
      cluster.kubectl(['apply', ...manifest])
      const claim = await namespace.bind('ReadWriteOnce')
      namespace.createForeign()
      await namespace.settled()
      const before = namespace.foreign()
      writeFileSync(join(place, 'values.yaml'), `tokens: { existingSecret: ${SECRET} }\n`)
      runPage(t, cluster, place, PAGE, { from: '## From kustomize', until: '## Remove it' })
      await namespace.settled()
      t.equal(uidOfClaim(), claim.metadata.uid)
      t.same(namespace.get('persistentvolumeclaims', SERVER)[0]?.['spec'], claim['spec'], 'the claim has its volume')
      t.same(namespace.foreign(), before, 'what others have, and the Secret, are as they were')
      // The page says to delete it too.
      const left = name === 'complete of 0.1' ? ['ServiceMonitor'] : []
      t.same(kinds(), [...DEFAULT_OBJECTS, ...left])
      const once = versions()
      helm(['upgrade', SERVER, CHART, '--values', join(place, 'values.yaml')])
      t.same(versions(), once, 'the second time, nothing changes')
      helm(['uninstall', SERVER])
      await namespace.remains([`PersistentVolumeClaim ${SERVER}`, ...left.map((kind) => `${kind} ${SERVER}`)])
      t.equal(uidOfClaim(), claim.metadata.uid, 'and it stays')
    })
  }
}

for (const [from, to] of PROGRAMS.flatMap((each) => PROGRAMS.map((other) => [each, other] as const))) {
  if (from === to) continue
  helpers(to).test(`upgrade of what ${from} has installed`, async (t) => {
    namespace.create()
    helpers(from).install({})
    await namespace.bind('ReadWriteOnce')
    await namespace.settled()
    const once = versions()
    helpers(to).install({})
    t.same(versions(), once, 'nothing changes')
    helpers(to).install({ settings: { logLevel: 'debug' } })
    await namespace.settled()
    t.not(versions()[`Deployment ${SERVER}`], once[`Deployment ${SERVER}`])
  })
}

interface RunOptions {
  /** Standard input. */
  readonly input?: string
  /** The exit code is not checked. */
  readonly mayFail?: boolean
}

/** What the tests do with one version of Helm. */
function helpers(program: string): {
  readonly test: (name: string, run: (t: Test) => Promise<void>) => void
  readonly helm: (args: readonly string[], options?: RunOptions) => Printed
  readonly install: (values: Values, options?: RunOptions) => Printed
  /** A directory for the commands of a page, with this Helm. */
  readonly clone: (t: Test) => string
} {
  const { stdout } = spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' })
  const path = resolve(stdout.trim())
  const version = spawnSync(path, ['version', '--short'], { encoding: 'utf8' }).stdout ?? ''

  function helm(args: readonly string[], { input = '', mayFail = false }: RunOptions = {}): Printed {
    const env = { ...cluster.environment, NODE_OPTIONS: '', HELM_NAMESPACE: namespace.name }
    const result = spawnSync(path, args, { encoding: 'utf8', env, input, maxBuffer: 2 ** 28 })
    if (result.status !== 0 && !mayFail) throw new Error(`helm ${args.join(' ')}: ${result.stderr}`)
    return { code: result.status ?? 1, stdout: result.stdout, stderr: result.stderr }
  }

  return {
    // Each test has options of its own, since tap writes into them.
    test: (name, run) => void t.test(`Helm ${version.trim()}: ${name}`, { ...OPTIONS }, run),
    helm,
    install: (values, options = {}) =>
      helm(['upgrade', '--install', SERVER, CHART, '--values=-'], { ...options, input: JSON.stringify(values) }),
    clone(t) {
      const place = cloneForPage(t)
      symlinkSync(path, join(place, 'bin/helm'))
      return place
    },
  }
}

/** The kinds of our objects, but for the ServiceAccount. */
function kinds(): string[] {
  return namespace
    .ours()
    .map(({ kind }) => kind)
    .toSorted()
}

/** The names of all ServiceAccounts. */
function accounts(): string[] {
  return namespace.get('serviceaccounts').map(({ metadata: { name } }) => name)
}

/** What goes up at any change of our objects, and of ServiceAccounts. */
function versions(): Record<string, string> {
  return Object.fromEntries(
    [...namespace.ours(), ...namespace.get('serviceaccounts')].map(({ kind, metadata }) => [
      `${kind} ${metadata.name}`,
      metadata.resourceVersion,
    ]),
  )
}

function uidOfClaim(): string | undefined {
  return namespace.get('persistentvolumeclaims', SERVER)[0]?.metadata.uid
}

/** A pattern for the Deployment of a server with this claim. */
function mounts(claimName: string): object {
  return [{ spec: { template: { spec: { volumes: [{ persistentVolumeClaim: { claimName } }] } } } }]
}

/** Makes a claim that is not of the chart, and its volume. */
function createClaim(name: string, { labels = {}, ...persistence }: Persistence & { labels?: object }): void {
  const { accessMode = 'ReadWriteOnce', storageClass = '' } = persistence
  createVolumeFor(name, persistence)
  cluster.create({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace: namespace.name, labels },
    spec: { accessModes: [accessMode], storageClassName: storageClass, resources: { requests: { storage: '1Gi' } } },
  })
}

function createVolumeFor(name: string, { accessMode = 'ReadWriteOnce', storageClass = '' }: Persistence = {}): void {
  const claimRef = { namespace: namespace.name, name }
  createVolume(cluster, { accessMode, claimRef, storageClassName: storageClass })
}
