import type { FromSchema, JSONSchema } from 'json-schema-to-ts'
import { NAME_MESSAGES, POSTED_NAME_PATTERN, TARGET_NAME_PATTERN } from './names.ts'
import { LINK_PLACEHOLDERS } from './placeholders.ts'

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

/** The largest number of rules in `accepted`, those that have ended included. */
export const RULES_MAX = 10_000
/** The largest number of labels of a target. */
export const LABELS_MAX = 64

const HTTP_PATTERN = '^[Hh][Tt][Tt][Pp][Ss]?://'
/** The name of a label, without anchors: nearly what Kubernetes allows. It is also a column and a variable. */
export const LABEL_NAME = '[A-Za-z_][A-Za-z0-9_./-]{0,62}'
const LABEL_PATTERN = `^${LABEL_NAME}$`
const LINK_PATTERN = `^[Hh][Tt][Tt][Pp][Ss]?://([^{}]|[{](${LINK_PLACEHOLDERS.join('|')})[}])+$`
/** Control characters would break the lines that show a label. */
const LABEL_VALUE_PATTERN = TARGET_NAME_PATTERN

/** The faults of texts that patterns of these schemas refuse. JSON Schema has no keyword for them. */
export const PATTERN_MESSAGES: Readonly<Record<string, string>> = {
  ...NAME_MESSAGES,
  [HTTP_PATTERN]: 'must be an http or https address',
  [LINK_PATTERN]: `must be an http or https address, with the placeholders ${LINK_PLACEHOLDERS.map((name) => `{${name}}`).join(', ')} and no other`,
  [LABEL_PATTERN]: 'must be a letter or _, then at most 62 letters, digits, and . _ / -',
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
    description: 'The path of the drifted file, relative to the base path of the drift check.',
  },
  kind: {
    type: 'string',
    enum: ['file', 'other'],
    description:
      'file (default), or other: a difference that is not a file, with a name such as service rsyslog. It counts like a file.',
  },
  diff: {
    type: 'string',
    description: 'The difference as text, preferably a unified diff from the server (-) to Git (+).',
  },
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
    description: 'SYNCED: the check found no drift. OUT_OF_SYNC: it found at least one difference.',
  },
  drift_count: {
    type: 'integer',
    minimum: 0,
    maximum: INTEGER_MAX,
    description: 'Number of differences: the length of files.',
  },
  files: {
    type: 'array',
    description: 'The differences: drifted files, and others.',
    items: {
      type: 'object',
      description: 'A difference. Unknown properties are kept.',
      required: ['name'],
      properties: fileProperties,
    },
  },
  last_check: {
    ...time,
    description: 'The time of the drift check: ISO 8601 with a zone. Stored as UTC in whole seconds.',
  },
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

const staleAfter = {
  type: 'number',
  exclusiveMinimum: 0,
  maximum: INTEGER_MAX,
  description: "Seconds after which the last check, or a failed check, is too old. Default: the server's setting.",
} as const

/** Labels of a target, by which readers select. */
const labels = {
  type: 'object',
  description:
    'Labels of the target, such as {"env": "prod"}. The labels of a post are added to those of the entry, so that people can add labels in the file.',
  maxProperties: LABELS_MAX,
  propertyNames: { type: 'string', pattern: LABEL_PATTERN },
  additionalProperties: { type: 'string', maxLength: 253, pattern: LABEL_VALUE_PATTERN },
} as const

const reportedProperties = {
  ...targetProperties,
  ...verdictProperties,
  stale_after: staleAfter,
  labels,
} as const

/** Names in the file may be of version 0.1, or a person's; those in a post are new. */
const postedTarget = {
  repo: { ...targetProperties.repo, pattern: POSTED_NAME_PATTERN },
  server: { ...targetProperties.server, pattern: POSTED_NAME_PATTERN },
} as const

const snapshotProperties = {
  ...reportedProperties,
  ...postedTarget,
  files: {
    ...verdictProperties.files,
    items: {
      ...verdictProperties.files.items,
      properties: { ...fileProperties, name: { ...fileProperties.name, pattern: POSTED_NAME_PATTERN } },
    },
  },
} as const

/** The required results of a check; a failed one has none of them. */
export const VERDICT_NAMES = ['sync_status', 'drift_count', 'files', 'last_check'] as const
const REQUIRED = ['repo', 'server', ...VERDICT_NAMES] as const

/** The result of one drift check of one server against one repository, as CI posts it. */
export const snapshotSchema = {
  title: 'Snapshot',
  description:
    'The result of one drift check of one server against one repository, posted by CI. Unknown properties are kept.',
  type: 'object',
  required: REQUIRED,
  properties: snapshotProperties,
} as const satisfies JSONSchema

/** The longest reason of a failed check, in characters. */
export const REASON_LENGTH_MAX = 4096

const reason = { type: 'string', minLength: 1, maxLength: REASON_LENGTH_MAX } as const

/** A check that could not be completed, as CI posts it. */
export const failedCheckSchema = {
  title: 'FailedCheck',
  description: 'A check that could not be completed, posted by CI. Unknown properties are kept.',
  type: 'object',
  required: ['repo', 'server', 'check_failed', 'attempted_at'],
  properties: {
    ...postedTarget,
    check_failed: { ...reason, description: 'The reason why the check could not be completed.' },
    attempted_at: {
      ...time,
      description: 'The time of the attempt: ISO 8601 with a zone. Stored as UTC in whole seconds.',
    },
    pipeline_url: verdictProperties.pipeline_url,
    stale_after: staleAfter,
    labels,
  },
} as const satisfies JSONSchema

/** The failed checks of a target since its last check, in its entry. */
const failedCheck = {
  type: 'object',
  description: 'Missing unless a check failed after last_check.',
  required: ['since', 'at', 'reason'],
  properties: {
    since: { ...time, description: 'The time of the first failed check.' },
    at: { ...time, description: 'The time of the newest failed check.' },
    reason: { ...reason, description: 'The reason of the newest failed check.' },
    pipeline_url: verdictProperties.pipeline_url,
  },
} as const

/** The states of a target, the worst first. */
export const STATES = ['drifted', 'failing', 'missing', 'stale', 'accepted', 'synced'] as const

export type State = (typeof STATES)[number]

/** The properties that the server derives for a status. `stamps.ts` says how; a name that it lacks does not compile. */
export const stampProperties = {
  since: { ...time, description: 'Stamped by the server: the start of the current sync_status.' },
  stale: { type: 'boolean', description: 'Stamped by the server: true if the last check is too old.' },
  generation: {
    ...generation,
    description: "Stamped by the server: the document's generation at which this entry last changed.",
  },
  state: {
    type: 'string',
    enum: STATES,
    description:
      'Stamped by the server: its conclusion about the target. missing: it was never checked. failing: the newest check failed. stale: the last check is too old. accepted: rules in accepted cover everything that is wrong. drifted, synced: the same as sync_status.',
  },
  accepted_until: {
    ...time,
    description: 'Stamped by the server in the state accepted: the earliest end of the covering rules.',
  },
  accepted_reason: { ...reason, description: 'Stamped by the server with accepted_until: the reason of that rule.' },
} as const

/** The properties that the server derives for a drifted file. */
export const fileStampProperties = {
  since: { ...time, description: 'Stamped by the server: the time since which the file differs without interruption.' },
} as const

const statusProperties = {
  ...reportedProperties,
  sync_status: {
    enum: [...verdictProperties.sync_status.enum, null],
    description: `${verdictProperties.sync_status.description} null: it was never checked.`,
  },
  last_check: {
    type: ['string', 'null'],
    format: 'date-time',
    description: `${verdictProperties.last_check.description} null: it was never checked.`,
  },
  failed_check: failedCheck,
  files: {
    ...verdictProperties.files,
    items: { ...verdictProperties.files.items, properties: { ...fileProperties, ...fileStampProperties } },
  },
  ...stampProperties,
} as const

const STATUS_DESCRIPTION =
  'The newest snapshot of a target, with the stamps of the server. Unknown properties are kept.'

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
  required: ['repo', 'server', 'state', ...VERDICT_NAMES, 'since', 'stale', 'generation'],
  properties: {
    ...statusProperties,
    files: {
      ...statusProperties.files,
      items: { ...statusProperties.files.items, required: ['name', 'since'] },
    },
  },
} as const satisfies JSONSchema

/** A pattern for names, as in the tokens. */
function glob<const Length extends number>(maxLength: Length) {
  return { type: 'string', minLength: 1, maxLength } as const
}

const ruleProperties = {
  repo: {
    ...glob(NAME_LENGTH_MAX),
    description: 'The repositories; * and ? as in a shell. Default: all.',
  },
  server: { ...glob(NAME_LENGTH_MAX), description: 'The servers; * and ? as in a shell. Default: all.' },
  file: {
    ...glob(FILE_NAME_LENGTH_MAX),
    description: 'The files; * matches / as well. Default: all.',
  },
  from: { ...time, description: 'The start of the rule. Default: at once.' },
  until: { ...time, description: 'The end of the rule, at most one year ahead. An ended rule covers nothing.' },
  reason: { ...reason, description: 'The reason for the acceptance.' },
  by: { type: 'string', minLength: 1, maxLength: NAME_LENGTH_MAX, description: 'The person who accepted it.' },
  stale: {
    type: 'boolean',
    description: 'true: a maintenance window. The rule then also covers targets that are stale or whose checks fail.',
  },
} as const

/** An acceptance rule. */
export const ruleSchema = {
  title: 'AcceptedRule',
  description: 'An acceptance rule: drift that is left as it is until a given time.',
  type: 'object',
  required: ['until', 'reason'],
  properties: ruleProperties,
  additionalProperties: false,
} as const satisfies JSONSchema

const expectedName = { type: 'string', minLength: 1, maxLength: NAME_LENGTH_MAX, pattern: POSTED_NAME_PATTERN } as const

/** Targets that must report, of one repository. */
export const expectedSchema = {
  title: 'Expected',
  description: 'Targets that must report. A target that was never checked is missing.',
  type: 'object',
  required: ['repo', 'servers'],
  properties: {
    repo: { ...expectedName, description: 'The Git repository.' },
    servers: {
      type: 'array',
      description: 'The servers, by their names.',
      items: { ...expectedName, description: 'A server.' },
    },
  },
  additionalProperties: false,
} as const satisfies JSONSchema

const linkTemplate = { type: 'string', maxLength: 4096, pattern: LINK_PATTERN } as const

/** Addresses of the pages of a commit and of a file of a repository. */
export const linksSchema = {
  title: 'Links',
  description: `Addresses of the pages of a commit and of a file, by repository; * and ? as in a shell. Placeholders: ${LINK_PLACEHOLDERS.map((name) => `{${name}}`).join(', ')}.`,
  type: 'object',
  additionalProperties: {
    type: 'object',
    description: 'The pages of a repository.',
    properties: {
      commit: { ...linkTemplate, description: 'The page of a commit.' },
      file: { ...linkTemplate, description: 'The page of a file.' },
    },
    additionalProperties: false,
  },
} as const satisfies JSONSchema

const headProperties = {
  accepted: {
    type: 'array',
    description: 'Acceptance rules. The server does not change them by itself.',
    maxItems: RULES_MAX,
    items: ruleSchema,
  },
  expected: { type: 'array', description: expectedSchema.description, items: expectedSchema },
  links: linksSchema,
} as const

/** The properties at the top of the document that people write and the server reads. */
export const headSchema = { type: 'object', properties: headProperties } as const satisfies JSONSchema

const documentProperties = {
  $schema: { type: 'string', description: 'The JSON Schema of this file, for editors.' },
  generation: {
    ...generation,
    description:
      'The version of the document; each write makes it one higher. Do not change it: the server uses it to find the document that you opened.',
  },
  updated_at: { ...time, description: 'Stamped by the server: the time of its last write.' },
  ...headProperties,
} as const

const count = {
  type: 'integer',
  minimum: 0,
  maximum: TARGETS_MAX,
  description: 'Number of targets in this state.',
} as const

/** The number of targets in each state. */
export const summarySchema = {
  title: 'Summary',
  type: 'object',
  description: 'Stamped by the server: the worst state of all targets, and the number in each state.',
  required: ['state', 'targets', ...STATES],
  properties: {
    state: { type: 'string', enum: [...STATES, 'empty'], description: 'The worst state; empty without targets.' },
    targets: { ...count, description: 'Number of targets.' },
    drifted: count,
    failing: count,
    missing: count,
    stale: count,
    accepted: count,
    synced: count,
  },
} as const satisfies JSONSchema

const DOCUMENT_DESCRIPTION = 'The drift of servers from Git. Unknown properties are kept.'
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
  required: ['$schema', 'generation', 'updated_at', 'summary', 'statuses'],
  properties: {
    ...documentProperties,
    summary: summarySchema,
    statuses: { type: 'array', description: STATUSES_DESCRIPTION, items: statusSchema },
  },
} as const satisfies JSONSchema

export type AcceptedRule = FromSchema<typeof ruleSchema>
export type ExpectedTargets = FromSchema<typeof expectedSchema>
export type Links = FromSchema<typeof linksSchema>
export type Snapshot = FromSchema<typeof snapshotSchema>
export type FailedCheck = FromSchema<typeof failedCheckSchema>
export type Summary = FromSchema<typeof summarySchema>
export type SavedStatus = FromSchema<typeof savedStatusSchema>
export type Status = FromSchema<typeof statusSchema>
export type SavedDocument = FromSchema<typeof savedDocumentSchema>
/** A drifted file in an entry, with its stamps. */
export type DriftedFile = Status['files'][number]
export type StampName = keyof typeof stampProperties
export type FileStampName = keyof typeof fileStampProperties
