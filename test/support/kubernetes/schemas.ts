import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { Requirement } from '../machine.ts'

/**
 * The API's own descriptions: swagger.json of the Go module k8s.io/kubernetes, and the CRD of ServiceMonitor of the Go module
 * github.com/prometheus-operator/prometheus-operator. `.ci/run` downloads both.
 */
const OPENAPI = process.env['KUBERNETES_OPENAPI'] ?? ''
const CRD = process.env['SERVICE_MONITOR_CRD'] ?? ''

export const KUBERNETES_SCHEMAS: Requirement = {
  there: existsSync(OPENAPI) && existsSync(CRD),
  what: 'KUBERNETES_OPENAPI and SERVICE_MONITOR_CRD, the files with the schemas of Kubernetes',
  program: 'kubeconform',
}

type Schema = Readonly<Record<string, unknown>>

interface Kind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

/**
 * Writes a JSON schema for each kind of object, with the names that kubeconform expects, and with all that it refers to. Unlike the API's
 * descriptions, they refuse keys that the API does not know.
 *
 * @returns the template for kubeconform's `-schema-location`
 */
export function writeSchemas(directory: string): string {
  mkdirSync(directory, { recursive: true })
  const { definitions } = JSON.parse(readFileSync(OPENAPI, 'utf8')) as { definitions: Record<string, Schema> }
  for (const [name, definition] of Object.entries(definitions)) {
    // Some, such as DeleteOptions, are the same in all groups, and no objects.
    const [kind, ...others] = (definition['x-kubernetes-group-version-kind'] ?? []) as Kind[]
    if (kind === undefined || others.length > 0) continue
    const used = closure(name, definitions)
    write(kind, { $ref: `#/definitions/${name}`, definitions: Object.fromEntries(used) })
  }
  const { spec } = parse(readFileSync(CRD, 'utf8')) as {
    spec: {
      group: string
      names: { kind: string }
      versions: { name: string; schema: { openAPIV3Schema: Schema } }[]
    }
  }
  for (const { name, schema } of spec.versions)
    write({ group: spec.group, version: name, kind: spec.names.kind }, withMetadata(strict(schema.openAPIV3Schema)))

  function write({ group, version, kind }: Kind, schema: Schema): void {
    const [prefix = ''] = group.split('.')
    const suffix = [prefix, version].filter(Boolean).join('-')
    writeFileSync(join(directory, `${kind}-${suffix}.json`.toLowerCase()), JSON.stringify(schema))
  }

  /** A custom resource has the metadata that all objects have; its CRD does not repeat it. */
  function withMetadata(schema: Schema): Schema {
    const name = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'
    const properties = { ...(schema['properties'] as Schema), metadata: { $ref: `#/definitions/${name}` } }
    return { ...schema, properties, definitions: Object.fromEntries(closure(name, definitions)) }
  }
  return join(directory, '{{.ResourceKind}}{{.KindSuffix}}.json')
}

/** A definition and all that it refers to, by name. */
function closure(name: string, definitions: Readonly<Record<string, Schema>>): Map<string, Schema> {
  const used = new Map<string, Schema>()
  const waiting = [name]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (used.has(next)) continue
    const definition = strict(definitions[next] ?? {})
    used.set(next, definition)
    for (const [, other = ''] of JSON.stringify(definition).matchAll(/"#\/definitions\/([^"]+)"/g)) waiting.push(other)
  }
  return used
}

/** The same schema, without keys that it does not name, and with the two types that the API writes in two ways. */
function strict(schema: Schema): Schema {
  if (schema['format'] === 'int-or-string' || schema['x-kubernetes-int-or-string'] === true)
    return { anyOf: [{ type: 'string' }, { type: 'integer' }] }
  if (String(schema['description']).startsWith('Quantity is a fixed-point'))
    return { anyOf: [{ type: 'string' }, { type: 'number' }] }
  const entries = Object.entries(schema).flatMap(([key, value]): [string, unknown][] => {
    if (key === 'description' || key.startsWith('x-kubernetes')) return []
    // Formats of Go's types, which JSON schema does not know.
    if (key === 'format') return []
    if (key === 'properties')
      return [
        [
          key,
          Object.fromEntries(Object.entries(value as Schema).map(([name, each]) => [name, strict(each as Schema)])),
        ],
      ]
    if (Array.isArray(value)) return [[key, value.map((each: unknown) => (isSchema(each) ? strict(each) : each))]]
    return [[key, isSchema(value) ? strict(value) : value]]
  })
  const isOpen = schema['properties'] === undefined || 'additionalProperties' in schema
  const closed =
    isOpen || schema['x-kubernetes-preserve-unknown-fields'] === true ? [] : [['additionalProperties', false]]
  return Object.fromEntries([...entries, ...closed])
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
