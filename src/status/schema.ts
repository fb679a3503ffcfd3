import type { FromSchema, JSONSchema } from 'json-schema-to-ts'
import { NAME_MESSAGES, POSTED_NAME_PATTERN, TARGET_NAME_PATTERN } from './names.ts'

/** The longest name of a repository or a server, in characters: what DNS allows for a host. */
export const NAME_LENGTH_MAX = 253
/** The longest name of a file, in characters: Linux's PATH_MAX. */
export const FILE_NAME_LENGTH_MAX = 4096
/** The largest number of targets in a document. */
export const TARGETS_MAX = 100_000
/** The largest number of items in an array of a post; a body of 1 MiB of `[0,0,…]` would otherwise give 500,000 faults. */
export const POSTED_ITEMS_MAX = 10_000
/** The largest integer on which JSON readers agree. */
const INTEGER_MAX = Number.MAX_SAFE_INTEGER

const HTTP_PATTERN = '^[Hh][Tt][Tt][Pp][Ss]?://'

/** What to say of a text that a pattern of these schemas refuses. JSON Schema has no keyword for it. */
export const PATTERN_MESSAGES: Readonly<Record<string, string>> = {
  ...NAME_MESSAGES,
  [HTTP_PATTERN]: 'must be an http or https address',
}

const targetName = {
  type: 'string',
  minLength: 1,
  maxLength: NAME_LENGTH_MAX,
  pattern: TARGET_NAME_PATTERN,
} as const

export const time = {
  type: 'string',
  format: 'date-time',
} as const

/** More commits than a server will ever make, and below the largest integer on which JSON readers agree. */
export const GENERATION_MAX = 2 ** 52

const generation = {
  type: 'integer',
  minimum: 0,
  maximum: GENERATION_MAX,
} as const

export const fileProperties = {
  name: {
    type: 'string',
    minLength: 1,
    maxLength: FILE_NAME_LENGTH_MAX,
    description: 'The path of the drifted file, relative to the base of the drift check.',
  },
  diff: { type: 'string', description: 'What differs, as text.' },
} as const

export const targetProperties = {
  repo: { ...targetName, description: 'The Git repository that the server was checked against.' },
  server: { ...targetName, description: 'The server that was checked.' },
} as const

/** The outcome of a check. It is kept or replaced as a whole: half of one check and half of another would be a lie. */
const verdictProperties = {
  sync_status: {
    type: 'string',
    enum: ['SYNCED', 'OUT_OF_SYNC'],
    description: 'SYNCED: every managed file is as in Git. OUT_OF_SYNC: at least one is not.',
  },
  drift_count: {
    type: 'integer',
    minimum: 0,
    maximum: INTEGER_MAX,
    description: 'Number of drifted files: the length of files.',
  },
  files: {
    type: 'array',
    description: 'The drifted files.',
    items: {
      type: 'object',
      description: 'A drifted file. Properties that are not known here are kept.',
      required: ['name'],
      properties: fileProperties,
    },
  },
  last_check: { ...time, description: 'When the drift check ran: ISO 8601 with a zone. Kept as UTC, whole seconds.' },
  commit: { type: 'string', maxLength: 1024, description: 'The Git commit that was checked against.' },
  branch: { type: 'string', maxLength: 1024, description: 'The Git branch that was checked against.' },
  pipeline_url: {
    type: 'string',
    format: 'uri',
    maxLength: 4096,
    pattern: HTTP_PATTERN,
    description: 'The page of the CI run that made the check.',
  },
} as const

/** The names of the properties that are the outcome of a check. */
export const VERDICT_PROPERTIES: readonly string[] = Object.keys(verdictProperties)

const reportedProperties = {
  ...targetProperties,
  ...verdictProperties,
  stale_after: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: INTEGER_MAX,
    description: "Seconds after last_check from which the status counts as stale. Without it, the server's setting.",
  },
} as const

/** Names in the file may be of version 0.1, or a person's; those in a post are new. */
const snapshotProperties = {
  ...reportedProperties,
  repo: { ...reportedProperties.repo, pattern: POSTED_NAME_PATTERN },
  server: { ...reportedProperties.server, pattern: POSTED_NAME_PATTERN },
  files: {
    ...verdictProperties.files,
    items: {
      ...verdictProperties.files.items,
      properties: { ...fileProperties, name: { ...fileProperties.name, pattern: POSTED_NAME_PATTERN } },
    },
  },
} as const

const REQUIRED = ['repo', 'server', 'sync_status', 'drift_count', 'files', 'last_check'] as const

/** What CI posts after one drift check of one server against one repository. */
export const snapshotSchema = {
  title: 'Snapshot',
  description:
    'What CI posts after one drift check of one server against one repository. Properties that are not known here are kept.',
  type: 'object',
  required: REQUIRED,
  properties: snapshotProperties,
} as const satisfies JSONSchema

/** What the server derives for a status. `stamps.ts` says how; a name that it lacks does not compile. */
export const stampProperties = {
  since: { ...time, description: 'Stamped by the server: when the present sync_status began.' },
  stale: { type: 'boolean', description: 'Stamped by the server: the last check is older than it should be.' },
  generation: {
    ...generation,
    description: "Stamped by the server: the document's generation at which this entry last changed.",
  },
} as const

/** What the server derives for a drifted file. */
export const fileStampProperties = {
  since: { ...time, description: 'Stamped by the server: when the file first drifted in this unbroken drift.' },
} as const

const statusProperties = {
  ...reportedProperties,
  files: {
    ...verdictProperties.files,
    items: { ...verdictProperties.files.items, properties: { ...fileProperties, ...fileStampProperties } },
  },
  ...stampProperties,
} as const

const STATUS_DESCRIPTION =
  'The newest snapshot of a target, and what the server has stamped. Properties that are not known here are kept.'

/** An entry as a person may save it: the server's stamps may be missing. */
export const savedStatusSchema = {
  title: 'Status',
  description: STATUS_DESCRIPTION,
  type: 'object',
  required: REQUIRED,
  properties: statusProperties,
} as const satisfies JSONSchema

/** An entry as the server keeps and serves it. The order of `required` is the order of the properties in the file. */
export const statusSchema = {
  title: 'Status',
  description: STATUS_DESCRIPTION,
  type: 'object',
  required: [...REQUIRED, 'since', 'stale', 'generation'],
  properties: {
    ...statusProperties,
    files: {
      ...statusProperties.files,
      items: { ...statusProperties.files.items, required: ['name', 'since'] },
    },
  },
} as const satisfies JSONSchema

const documentProperties = {
  $schema: { type: 'string', description: 'The JSON Schema of this file, for editors.' },
  generation: {
    ...generation,
    description:
      'The version of the document, one higher at every commit. Leave it as you opened it: the server finds by it the document that your copy was made from.',
  },
  updated_at: { ...time, description: 'Stamped by the server: when it last wrote the file.' },
} as const

const DOCUMENT_DESCRIPTION =
  'What on the servers is no longer what is in Git. Properties that are not known here are kept.'
const STATUSES_DESCRIPTION = 'The targets, one entry each, sorted by repo, then server.'

/** `status.json` as a person may save it. */
export const savedDocumentSchema = {
  title: 'Status document of gitops-status-server',
  description: DOCUMENT_DESCRIPTION,
  type: 'object',
  required: ['statuses'],
  properties: {
    ...documentProperties,
    statuses: { type: 'array', description: STATUSES_DESCRIPTION, maxItems: TARGETS_MAX, items: savedStatusSchema },
  },
} as const satisfies JSONSchema

/** `status.json` as the server writes it. */
export const documentSchema = {
  title: 'StatusDocument',
  description: DOCUMENT_DESCRIPTION,
  type: 'object',
  required: ['$schema', 'generation', 'updated_at', 'statuses'],
  properties: {
    ...documentProperties,
    statuses: { type: 'array', description: STATUSES_DESCRIPTION, items: statusSchema },
  },
} as const satisfies JSONSchema

export type Snapshot = FromSchema<typeof snapshotSchema>
export type SavedStatus = FromSchema<typeof savedStatusSchema>
export type Status = FromSchema<typeof statusSchema>
export type SavedDocument = FromSchema<typeof savedDocumentSchema>
/** A drifted file in an entry, with its stamps. */
export type DriftedFile = Status['files'][number]
export type StampName = keyof typeof stampProperties
export type FileStampName = keyof typeof fileStampProperties
