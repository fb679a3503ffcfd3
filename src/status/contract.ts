import {
  POSTED_ITEMS_MAX,
  RULES_MAX,
  TARGETS_MAX,
  VERDICT_NAMES,
  failedCheckSchema,
  ruleSchema,
  savedDocumentSchema,
  savedStatusSchema,
  snapshotSchema,
} from './schema.ts'

const LEAP_YEAR = '([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)'
const DAY = `([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))|${LEAP_YEAR}-02-29)`
const HOUR = '([01][0-9]|2[0-3])'
const MINUTE = '[0-5][0-9]'

/** The times that `parseTime` accepts, except at the edges of the years 0000 and 9999. The format `date-time` is RFC 3339 only. */
export const TIME_PATTERN = `^${DAY}[Tt]${HOUR}:${MINUTE}(:([0-5][0-9]|60)([.,][0-9]+)?)?([Zz]|[+-]${HOUR}(:?${MINUTE})?)$`

/** The keywords whose value is a schema, or an array of them. */
const APPLICATORS: ReadonlySet<string> = new Set(['items', 'additionalProperties', 'anyOf', 'oneOf', 'allOf'])

/** A JSON Schema, or a part of one. */
export interface Schema {
  readonly [keyword: string]: unknown
}

/** The default, in words: Redocly takes a schema that does not say it for a closed one. */
const OPEN = { additionalProperties: true }

/** The rules of `contradictions` that JSON Schema can express: it cannot compare `drift_count` with a length. */
const CONSISTENT = {
  ...OPEN,
  allOf: [
    verdict('SYNCED', {
      drift_count: { type: 'integer', maximum: 0 },
      files: { type: 'array', maxItems: 0, items: {} },
    }),
    verdict('OUT_OF_SYNC', {
      drift_count: { type: 'integer', minimum: 1 },
      files: { type: 'array', minItems: 1, items: {} },
    }),
  ],
}

/** The properties that a failed check must not have. */
const WITHOUT_VERDICT = {
  ...OPEN,
  not: { ...OPEN, anyOf: VERDICT_NAMES.map((name) => ({ ...OPEN, required: [name], properties: { [name]: {} } })) },
}

/**
 * The schema of `status.json` for editors. It says more than the schema that the server checks with, which leaves the rest
 * to code, and refuses nothing that the server accepts. Editors know draft 07 best.
 */
export const publishedFileSchema: Schema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  $id: 'urn:gitops-status-server:schema:status',
  ...mapSchemas(savedDocumentSchema, (schema) => {
    const limited = portable(schema, TARGETS_MAX)
    if (schema === savedDocumentSchema.properties.statuses) return { ...limited, uniqueItems: true }
    return schema === savedStatusSchema ? { ...limited, ...CONSISTENT } : limited
  }),
}

/** The schema of a snapshot for those who post. */
export const publishedSnapshotSchema: Schema = mapSchemas(snapshotSchema, (schema) => {
  const limited = portable(schema, POSTED_ITEMS_MAX)
  if (schema === snapshotSchema.properties.files) return { ...limited, uniqueItems: true }
  return schema === snapshotSchema ? { ...limited, ...CONSISTENT } : limited
})

/** The schema of a failed check for those who post. */
export const publishedFailedCheckSchema: Schema = mapSchemas(failedCheckSchema, (schema) => {
  const limited = portable(schema, POSTED_ITEMS_MAX)
  return schema === failedCheckSchema ? { ...limited, ...WITHOUT_VERDICT } : limited
})

/** The schema of a rule of accepted drift for those who post. */
export const publishedRuleSchema: Schema = mapSchemas(ruleSchema, (schema) => portable(schema, RULES_MAX))

function verdict(syncStatus: 'SYNCED' | 'OUT_OF_SYNC', properties: Schema): Schema {
  const holds = { required: ['sync_status'], properties: { sync_status: { const: syncStatus } } }
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  return { if: { ...holds, ...OPEN }, then: { properties, ...OPEN } }
}

/**
 * The limit of every array, which the server checks ahead of the schema; and patterns in place of formats, which mean less
 * than the server accepts: RFC 3339 times and RFC 3986 addresses.
 */
function portable({ format, ...schema }: Schema, itemsMax: number): Schema {
  return {
    ...(schema['type'] === 'array' ? { maxItems: itemsMax } : {}),
    ...schema,
    ...(format === 'date-time' ? { pattern: TIME_PATTERN } : {}),
  }
}

/** A schema with each of its subschemas changed. `change` gets the original. */
function mapSchemas(schema: Schema, change: (schema: Schema) => Schema): Schema {
  const each = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(each)
    return isSchema(value) ? mapSchemas(value, change) : value
  }
  const { properties } = schema
  const nested = Object.entries(schema).filter(([keyword]) => APPLICATORS.has(keyword))
  return {
    ...change(schema),
    ...(isSchema(properties) ? { properties: mapValues(properties, each) } : {}),
    ...mapValues(Object.fromEntries(nested), each),
  }
}

function mapValues(values: Schema, change: (value: unknown) => unknown): Schema {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]))
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null
}

/** The text of a published document, in ASCII: its patterns have invisible characters. */
export function publishedText(document: object): string {
  const text = JSON.stringify(document, null, 2)
  return `${text.replaceAll(/[^\n -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`
}
