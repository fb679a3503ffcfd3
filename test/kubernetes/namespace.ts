import { readFileSync } from 'node:fs'
import { eventually, matches } from '../support/http.ts'
import type { Resource } from '../support/kubernetes/resources.ts'
import type { Cluster } from './cluster.ts'

/** The kinds of objects that an installation has, and what the controllers make of them. */
const KINDS = [
  'configmaps',
  'deployments',
  'ingresses',
  'jobs',
  'networkpolicies',
  'persistentvolumeclaims',
  'poddisruptionbudgets',
  'pods',
  'replicasets',
  'services',
]
const CRD = process.env['SERVICE_MONITOR_CRD']
/** The group, kind and names of the Prometheus operator, without its fields. */
const SERVICE_MONITORS = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'servicemonitors.monitoring.coreos.com' },
  spec: {
    group: 'monitoring.coreos.com',
    names: { kind: 'ServiceMonitor', plural: 'servicemonitors' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}
/** On the objects of others. */
const FOREIGN = { owner: 'others' }
/** Milliseconds until the controllers have done what follows from a change. */
const SETTLE_MS = 60_000

export const SERVER = 'gitops-status-server'
export const SECRET = 'gitops-status-server-tokens'
/** Labels of a namespace with the strictest Pod Security level. */
export const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' }

export type Item = Resource & {
  readonly metadata: {
    readonly uid: string
    readonly resourceVersion: string
    readonly generation?: number
    readonly ownerReferences?: readonly unknown[]
  }
}

/** Makes the kind ServiceMonitor known to the cluster, if it is not. */
export function installServiceMonitors(cluster: Cluster): void {
  // The operator's own, if .ci/run has downloaded it.
  const input = CRD === undefined ? JSON.stringify(SERVICE_MONITORS) : readFileSync(CRD, 'utf8')
  cluster.kubectl(['apply', '--server-side', '--force-conflicts', '--filename=-'], { input })
  cluster.kubectl(['wait', '--for=condition=established', `crd/${SERVICE_MONITORS.metadata.name}`])
}

/** A namespace of the cluster, and what tests look at in it. */
export class Namespace {
  readonly name: string
  readonly #cluster: Cluster

  constructor(cluster: Cluster, name = 'observability-stack') {
    this.#cluster = cluster
    this.name = name
  }

  create(labels: Readonly<Record<string, string>> = {}): void {
    this.#cluster.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: this.name, labels } })
  }

  /** Deletes the namespace if it is there, and waits until it is gone. */
  delete(): void {
    this.#cluster.kubectl(['delete', 'namespace', this.name, '--ignore-not-found'])
  }

  kubectl(...args: readonly string[]): string {
    return this.#cluster.kubectl(['--namespace', this.name, ...args]).stdout
  }

  /** Objects of some kinds; with a name, those that have it. */
  get(kinds: string, name?: string): Item[] {
    const named = name === undefined ? [] : [`--field-selector=metadata.name=${name}`]
    return (JSON.parse(this.kubectl('get', kinds, ...named, '--output=json')) as { items: Item[] }).items
  }

  /** Puts objects that belong to others into the namespace, and the Secret of the operator. */
  createForeign(): void {
    const metadata = { namespace: this.name, labels: FOREIGN }
    const podSelector = { matchLabels: FOREIGN }
    for (const object of [
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...metadata, name: 'others' }, data: { key: 'value' } },
      {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { ...metadata, name: 'others' },
        spec: { podSelector, policyTypes: ['Ingress'] },
      },
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { ...metadata, name: 'others' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
      { apiVersion: 'v1', kind: 'Secret', metadata: { ...metadata, name: 'others' }, stringData: { key: 'value' } },
    ])
      this.#cluster.create(object)
    const isThere = this.get('secrets', SECRET).length > 0
    if (!isThere) this.kubectl('create', 'secret', 'generic', SECRET, '--from-literal=tokens.json={ "tokens": [] }')
  }

  /** The namespace itself, what belongs to others in it, and the Secret of the operator: whole, with their versions. */
  foreign(): unknown[] {
    const namespace = JSON.parse(this.kubectl('get', 'namespace', this.name, '--output=json')) as unknown
    const others = this.get([...KINDS, 'secrets'].join(',')).filter((item) => isForeign(item))
    return [namespace, ...others]
  }

  /** Everything else in the namespace. */
  ours(): Item[] {
    return this.get([...KINDS, ...this.#optionalKinds()].join(',')).filter((item) => !isForeign(item))
  }

  /** Our objects, without the version that goes up at any change. */
  contents(): unknown[] {
    return this.ours().map((item) => ({ ...item, metadata: { ...item.metadata, resourceVersion: undefined } }))
  }

  /** Waits until these are the only ones of our objects, as `Kind name`. */
  async remains(expected: readonly string[]): Promise<void> {
    const names = (): string[] => this.ours().map(({ kind, metadata: { name } }) => `${kind} ${name}`)
    await eventually(() => {
      const there = names()
      if (there.join() !== expected.join()) throw new Error(`there are: ${there.join(', ')}`)
    }, SETTLE_MS)
  }

  /** The versions of all our objects. The generation goes up if the specification changes, the other one at any change. */
  versions(): Record<string, readonly [resourceVersion: string, generation: number | undefined]> {
    return Object.fromEntries(
      this.ours().map(({ kind, metadata: { name, resourceVersion, generation } }) => [
        `${kind} ${name}`,
        [resourceVersion, generation],
      ]),
    )
  }

  /**
   * Waits until each Deployment has all its pods, admitted and of its present template. Pods of the previous template stay if the
   * Deployment must not lose one before a new one is ready: without a kubelet none ever is.
   */
  async settled(): Promise<void> {
    let before = ''
    await eventually(() => {
      for (const { metadata, spec, status = {} } of this.get('deployments')) {
        const { replicas: wanted } = spec as { replicas: number }
        const { replicas = 0, updatedReplicas = 0 } = status as { replicas?: number; updatedReplicas?: number }
        const previous = replicas - updatedReplicas
        matches(status, { observedGeneration: metadata.generation })
        if (previous > 0 ? updatedReplicas === 0 : updatedReplicas !== wanted) throw new Error('pods are missing')
      }
      const now = JSON.stringify(this.versions())
      const last = before
      before = now
      if (now !== last) throw new Error('the controllers are still at work')
    }, SETTLE_MS)
  }

  /** Messages about pods that were not admitted. */
  refusals(): string[] {
    const events = this.get('events') as unknown as { type: string; message: string }[]
    return events.filter(({ type, message }) => type === 'Warning' && /forbidden/.test(message)).map((e) => e.message)
  }

  /** Gives the claim of the server a volume. Returns the claim when it has it. */
  async bind(accessMode: string): Promise<Item> {
    createVolume(this.#cluster, { accessMode, claimRef: { namespace: this.name, name: SERVER } })
    return eventually(() => {
      const [claim] = this.get('persistentvolumeclaims', SERVER)
      matches(claim, { status: { phase: 'Bound' } })
      if (claim === undefined) throw new Error('no claim')
      return claim
    }, SETTLE_MS)
  }

  #optionalKinds(): string[] {
    const { stdout } = this.#cluster.kubectl(['api-resources', '--api-group=monitoring.coreos.com', '--output=name'])
    return stdout.split('\n').filter(Boolean)
  }
}

let volumes = 0

/** Makes a volume for a claim. */
export function createVolume(
  cluster: Cluster,
  { accessMode, claimRef, storageClassName = '' }: { accessMode: string; claimRef: object; storageClassName?: string },
): void {
  volumes += 1
  cluster.create({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `volume-${volumes}` },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: [accessMode],
      claimRef,
      storageClassName,
      persistentVolumeReclaimPolicy: 'Retain',
      hostPath: { path: '/nowhere' },
    },
  })
}

function isForeign({ kind, metadata }: Item): boolean {
  return metadata.labels?.['owner'] === FOREIGN.owner || metadata.name === SECRET || isOfKubernetes(kind, metadata.name)
}

/** Kubernetes puts this into every namespace. */
function isOfKubernetes(kind: string, name: string): boolean {
  return kind === 'ConfigMap' && name === 'kube-root-ca.crt'
}
