/*
 * Applies the manifests of deploy/kubernetes to a real API server: npm run test:kubernetes. Its controllers make pods, which are admitted
 * or refused. There is no kubelet: no pod runs, nothing is mounted, and no network policy is enforced.
 */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { eventually, matches } from '../support/http.ts'
import { APPLICABLE, COMPONENTS, KUBERNETES, writeOverlay } from '../support/kubernetes/kustomize.ts'
import { needs } from '../support/machine.ts'
import { CLUSTER_PROGRAMS, Cluster } from './cluster.ts'
import { type Item, Namespace, RESTRICTED, SECRET, SERVER, createVolume, installServiceMonitors } from './namespace.ts'
import { cloneForPage, runPage } from './page.ts'

const OPTIONS = needs(...CLUSTER_PROGRAMS)
/** Deletes all but the data. */
const NOT_DATA = ['--selector', 'app.kubernetes.io/component!=data']

/** What kubectl says at every client-side apply, because it always sends the selector of a budget. The budget is not changed. */
const BUDGET_CONFIGURED = `poddisruptionbudget.policy/${SERVER} configured`

let cluster: Cluster
/** The namespace of the base, and the one in docs/install/kubernetes/overlays.md. */
let namespace: Namespace
let status: Namespace
if (OPTIONS.skip === undefined) {
  cluster = await Cluster.start()
  t.teardown(async () => cluster.stop())
  namespace = new Namespace(cluster)
  status = new Namespace(cluster, 'status')
  t.beforeEach(() => {
    namespace.delete()
    status.delete()
    cluster.kubectl(['delete', 'persistentvolumes', '--all'])
  })
}

/** A test that needs the cluster. Each has options of its own, since tap writes into them. */
const test = (name: string, run: (t: Test) => Promise<void>): unknown => t.test(name, { ...OPTIONS }, run)

test('the kind ServiceMonitor is only in the component that says so', async (t) => {
  namespace.create()
  apply(join(KUBERNETES, 'overlays/complete'))
  const place = writeOverlay(t, { resources: ['base'], components: ['components/servicemonitor'] })
  const { code, stderr } = cluster.kubectl(['apply', '--kustomize', place], { mayFail: true })
  t.equal(code, 1)
  t.match(stderr, /no matches for kind "ServiceMonitor"/)
})

for (const name of [...APPLICABLE, ...COMPONENTS]) {
  test(`${name}, in a new namespace: applied twice, and deleted`, async (t) => {
    const place = placeOf(t, name)
    namespace.create()
    t.same(
      apply(place).filter((line) => !line.endsWith(' created')),
      [],
    )
    await namespace.settled()
    isUnchanged(t, place)
    t.equal(cluster.kubectl(['diff', '--kustomize', place], { mayFail: true }).code, 0, 'diff finds none')
    cluster.kubectl(['delete', '--kustomize', place])
    await namespace.remains([])
  })

  test(`${name}, in a namespace that others use, under restricted`, async (t) => {
    const place = placeOf(t, name)
    namespace.create({ ...RESTRICTED, team: 'others' })
    namespace.createForeign()
    const before = namespace.foreign()
    t.equal(before.length, 7)
    apply(place)
    await namespace.settled()
    t.same(namespace.refusals(), [], 'all pods are admitted')
    isUnchanged(t, place)
    t.same(namespace.foreign(), before, 'what others have is as it was')
    cluster.kubectl(['delete', '--kustomize', place, ...NOT_DATA])
    await namespace.remains([`PersistentVolumeClaim ${SERVER}`])
    cluster.kubectl(['delete', '--kustomize', place, '--ignore-not-found'])
    await namespace.remains([])
    t.same(namespace.foreign(), before, 'what others have is as it was')
  })
}

test('a server-side apply changes nothing the second time either', async (t) => {
  namespace.create()
  const place = join(KUBERNETES, 'overlays/complete')
  apply(place, '--server-side')
  await namespace.settled()
  const before = namespace.contents()
  apply(place, '--server-side')
  // Not the versions: the API server stores a claim once more, with the same content.
  t.same(namespace.contents(), before)
})

test('a pod that restricted forbids is refused: the check above can fail', async (t) => {
  namespace.create(RESTRICTED)
  apply(patched(t, 'Deployment', { op: 'remove', path: '/spec/template/spec/securityContext/seccompProfile' }))
  await eventually(() => matches(namespace.refusals(), [/violates PodSecurity "restricted/]), 30_000)
  t.same(namespace.get('pods'), [])
})

test('a policy with an empty list changes at each apply: the check above can fail', async (t) => {
  namespace.create()
  const place = patched(t, 'NetworkPolicy', { op: 'add', path: '/spec/egress', value: [] })
  apply(place)
  await namespace.settled()
  const before = namespace.versions()
  t.same(
    apply(place).filter((line) => !line.endsWith(' unchanged')),
    [`networkpolicy.networking.k8s.io/${SERVER} configured`],
  )
  t.notSame(namespace.versions(), before)
})

for (const name of ['base', 'complete', 'replicas', 'static-readers']) {
  test(`upgrade from ${name} of 0.1`, async (t) => {
    applyOld(name)
    const claim = await namespace.bind(name === 'base' || name === 'complete' ? 'ReadWriteOnce' : 'ReadWriteMany')
    if (name === 'complete') {
      const patch = JSON.stringify({ stringData: { 'tokens.json': 'the tokens of the operator' } })
      namespace.kubectl('patch', 'secret', SECRET, '--patch', patch)
    }
    namespace.createForeign()
    await namespace.settled()
    const before = namespace.foreign()
    const [deployment] = namespace.get('deployments', SERVER)

    const place = join(KUBERNETES, name === 'base' ? name : `overlays/${name}`)
    apply(place)
    await namespace.settled()
    const [kept, ...more] = namespace.ours().filter(({ kind }) => kind === 'PersistentVolumeClaim')
    t.same(more, [], 'no other claim')
    t.equal(kept?.metadata.uid, claim.metadata.uid)
    t.same(kept?.['spec'], claim['spec'], 'the claim has its volume')
    const [updated] = namespace.get('deployments', SERVER)
    t.equal(updated?.metadata.uid, deployment?.metadata.uid, 'updated, not made anew')
    t.same(new Set(namespace.get('pods').flatMap((pod) => claimsOf(pod))), new Set([SERVER]))
    t.same(namespace.foreign(), before, 'the namespace and the Secret are as they were')
    isUnchanged(t, place)
  })
}

test('from the base to an overlay with ReadWriteMany, without the steps: refused', async (t) => {
  namespace.create()
  apply(join(KUBERNETES, 'base'))
  const claim = await namespace.bind('ReadWriteOnce')
  for (const name of ['overlays/replicas', 'overlays/static-readers']) {
    const trial = cluster.kubectl(['apply', '--dry-run=server', '--kustomize', join(KUBERNETES, name)], {
      mayFail: true,
    })
    t.equal(trial.code, 1)
    t.match(trial.stderr, /spec is immutable after creation/)
  }
  t.same(namespace.get('persistentvolumeclaims', SERVER), [claim])
})

test('docs/install/kubernetes.md: from nothing to applied, and removed', async (t) => {
  const page = 'docs/install/kubernetes.md'
  const place = cloneForPage(t)
  const began = Date.now()
  runPage(t, cluster, place, page, { until: '## What there is' })
  t.comment(`from nothing to applied twice: ${Date.now() - began} ms`)
  await namespace.settled()
  t.equal(namespace.get('deployments,services,networkpolicies,persistentvolumeclaims').length, 4)
  const tokens = '{ "tokens": [] }'
  writeFileSync(join(place, 'tokens.json'), tokens)
  runPage(t, cluster, place, page, { from: '## What there is', until: '## Remove it' })
  t.match(namespace.get('secrets', SECRET), [{ data: { 'tokens.json': Buffer.from(tokens).toString('base64') } }])
  const before = namespace.foreign()
  runPage(t, cluster, place, page, { from: '## Remove it' })
  await namespace.remains([])
  t.same(namespace.foreign(), before)
})

test('docs/install/kubernetes/overlays.md: the API server takes every patch', async (t) => {
  const place = cloneForPage(t)
  runPage(t, cluster, place, 'docs/install/kubernetes/overlays.md')
  const mine = join(place, 'deploy/kubernetes/overlays/mine')
  apply(mine)
  await status.settled()
  const before = status.versions()
  t.same(changedBy(mine), [])
  t.same(status.versions(), before)
})

test('docs/install/kubernetes/upgrade.md: from 0.1, then to two servers on a new claim', async (t) => {
  const page = 'docs/install/kubernetes/upgrade.md'
  applyOld('complete')
  const claim = await namespace.bind('ReadWriteOnce')
  const place = cloneForPage(t)
  const mine = join(place, 'deploy/kubernetes/overlays/mine')
  mkdirSync(mine)
  cpSync(join(KUBERNETES, 'overlays/complete'), mine, { recursive: true })
  runPage(t, cluster, place, page, { until: '## From one server to two' })
  const maps = namespace.get('configmaps').map(({ metadata: { name } }) => name)
  t.same(
    maps.filter((name) => name.startsWith('gitops-grafana')),
    [],
  )
  const labels = namespace.kubectl('get', 'namespace', namespace.name, '--output=jsonpath={.metadata.labels}')
  t.same(JSON.parse(labels), { 'kubernetes.io/metadata.name': namespace.name })
  t.same(namespace.get('persistentvolumeclaims', SERVER)[0]?.['spec'], claim['spec'])

  // The namespace may be restricted now. The new claim gets a volume of the class that the page names.
  namespace.kubectl('label', 'namespace', namespace.name, 'pod-security.kubernetes.io/enforce=restricted')
  const shared = `${SERVER}-shared`
  const claimRef = { namespace: namespace.name, name: shared }
  createVolume(cluster, { accessMode: 'ReadWriteMany', claimRef, storageClassName: 'shared' })
  runPage(t, cluster, place, page, { from: '## From one server to two', until: '**4. Start' })
  const mounted = (): string[][] => namespace.get('pods').map((pod) => claimsOf(pod))
  await eventually(() => matches(mounted().length, 1))
  t.same(mounted(), [[SERVER, shared]], 'the job')
  t.same(namespace.refusals(), [])
  runPage(t, cluster, place, page, { from: '**4. Start', until: '**5. ' })
  await namespace.settled()
  t.same(mounted(), [[shared], [shared]])
  t.match(namespace.get('persistentvolumeclaims', shared), [{ status: { phase: 'Bound' } }])
  apply(join(KUBERNETES, 'overlays/complete'))
  await namespace.settled()
  t.same(mounted(), [[SERVER]], 'back on the old claim')
  runPage(t, cluster, place, page, { from: '**5. ' })
  const claims = namespace.get('persistentvolumeclaims').map(({ metadata: { name } }) => name)
  t.same(claims, [shared])
})

/** The directory to apply: for a component, which cannot be applied alone, an overlay with the base. */
function placeOf(t: Test, name: string): string {
  if (name === 'components/servicemonitor') installServiceMonitors(cluster)
  return name.startsWith('components/')
    ? writeOverlay(t, { resources: ['base'], components: [name] })
    : join(KUBERNETES, name)
}

/** The claims that a pod mounts. */
function claimsOf({ spec }: Item): string[] {
  const { volumes } = spec as { volumes: { persistentVolumeClaim?: { claimName: string } }[] }
  return volumes.flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? [])
}

/** An overlay of the base with a patch for one kind. */
function patched(t: Test, kind: string, operation: object): string {
  return writeOverlay(t, { resources: ['base'], patches: [{ target: { kind }, patch: JSON.stringify([operation]) }] })
}

/** Applies a directory. Returns what kubectl says of each object. */
function apply(place: string, ...options: readonly string[]): string[] {
  return cluster
    .kubectl(['apply', '--kustomize', place, ...options])
    .stdout.trim()
    .split('\n')
}

/** Applies what 0.1 rendered. */
function applyOld(name: string): void {
  installServiceMonitors(cluster)
  cluster.kubectl(['apply', '--filename', join(import.meta.dirname, '0.1', `${name}.yaml`)])
}

/** Applies a directory again. Returns what kubectl says of the objects that it changes. */
function changedBy(place: string): string[] {
  return apply(place).filter((line) => !line.endsWith(' unchanged'))
}

function isUnchanged(t: Test, place: string): void {
  const before = namespace.versions()
  const expected = before[`PodDisruptionBudget ${SERVER}`] === undefined ? [] : [BUDGET_CONFIGURED]
  t.same(changedBy(place), expected, 'another apply changes nothing')
  t.same(namespace.versions(), before)
}
