import type { Test } from 'tap'
import { parseAllDocuments } from 'yaml'

export interface Resource {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly [property: string]: unknown
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value?: string }[]
  readonly [property: string]: unknown
}

export interface PodSpec {
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly volumes?: readonly object[]
  readonly [property: string]: unknown
}

/** The objects in a text of YAML. */
export function resourcesOf(text: string): Resource[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Resource | null)
    .filter((each) => each !== null)
}

/** An object by its kind, if that is not empty, and by the end of its name. */
export function find(resources: readonly Resource[] = [], kind: string, end = ''): Resource {
  const found = resources.filter((each) => (kind === '' || each.kind === kind) && each.metadata.name.endsWith(end))
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} objects are ${kind} …${end}`)
  return found[0]
}

/** The specification of the pods that an object makes, or of a pod. */
export function podOf({ kind, spec }: Resource): PodSpec | undefined {
  if (kind === 'Pod') return spec as PodSpec
  if (kind === 'Deployment' || kind === 'Job') return (spec as { template: { spec: PodSpec } }).template.spec
  return undefined
}

/**
 * Checks the pod of an object, and returns it. The API server checks more: see test/kubernetes.
 *
 * @throws {Error} if the object makes no pods
 */
export function isRestricted(t: Test, resource: Resource): PodSpec {
  const pod = podOf(resource)
  if (pod === undefined) throw new Error(`${resource.kind} ${resource.metadata.name} makes no pods`)
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
    t.notMatch(JSON.stringify(container['volumeMounts'] ?? []), 'subPath')
  }
  return pod
}
