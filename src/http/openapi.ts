import {
  TIME_PATTERN,
  publishedFailedCheckSchema,
  publishedRuleSchema,
  publishedSnapshotSchema,
} from '../status/contract.ts'
import {
  POSTED_ITEMS_MAX,
  STATES,
  documentSchema,
  savedDocumentSchema,
  statusSchema,
  summarySchema,
} from '../status/schema.ts'
import { helpFor } from '../project.ts'
import { ruleQuerySchema } from './accepted.ts'
import { type Choice, type Count, FORMAT, TIME_MAX_MS } from './view-query.ts'
import { VIEWS, type View } from './views.ts'
import { CONDITION_PATTERN, filterSchema } from '../views/filter.ts'
import { targetsSummarySchema } from '../views/summary.ts'
import { PROBLEM_MEDIA_TYPE, PROBLEMS, type ProblemCode, problemType } from './problems.ts'
import { selectorSchema } from './selector.ts'
import { PAGE } from './targets.ts'

const SNAPSHOT = {
  repo: 'rsyslog',
  server: 'rsyslog-lab',
  sync_status: 'OUT_OF_SYNC',
  drift_count: 2,
  files: [{ name: 'rsyslog.conf' }, { name: 'rsyslog.d/30-lab.conf' }],
  last_check: '2026-04-21T10:32:15Z',
}
const FAILED_CHECK = {
  repo: 'rsyslog',
  server: 'web-1',
  check_failed: 'unreachable: no route to host',
  attempted_at: '2026-04-21T10:34:15Z',
}
const RULE = {
  repo: 'rsyslog',
  server: 'web-*',
  file: 'rsyslog.d/30-lab.conf',
  until: '2026-12-01T00:00:00Z',
  reason: 'ticket 123',
  by: 'anna',
}
const STAMPED = {
  ...SNAPSHOT,
  state: 'drifted',
  files: SNAPSHOT.files.map((file) => ({ ...file, since: SNAPSHOT.last_check })),
  since: SNAPSHOT.last_check,
  stale: false,
  generation: 2,
}
const SUMMARY = {
  state: 'drifted',
  targets: 1,
  drifted: 1,
  failing: 0,
  missing: 0,
  stale: 0,
  accepted: 0,
  synced: 0,
} as const
const DOCUMENT = {
  $schema: './status.schema.json',
  generation: 2,
  updated_at: '2026-04-21T10:32:16Z',
  summary: SUMMARY,
  statuses: [STAMPED],
}

/** An example of each schema that is the body of an answer. */
const EXAMPLES: Readonly<Record<string, unknown>> = {
  StatusDocument: DOCUMENT,
  TargetsSummary: {
    ...SUMMARY,
    longest_drift_seconds: 93_725,
    newest_check_seconds: 41,
    verdict: '1 target is out of sync (newest 1 d ago).',
  },
  Receipt: { result: 'created', status: STAMPED },
  HistoryRow: {
    time: DOCUMENT.updated_at,
    repo: SNAPSHOT.repo,
    server: SNAPSHOT.server,
    state: 'drifted',
    sync_status: SNAPSHOT.sync_status,
    drift_count: SNAPSHOT.drift_count,
    files: SNAPSHOT.files.map(({ name }) => name),
    stale: false,
    generation: 2,
    changes: ['first_seen'],
    cause: 'snapshot',
    commit: '9fceb02d0ae598e95dc970b74767f19372d61af8',
    pipeline_url: 'https://ci.example.net/repos/7/pipeline/812',
  },
  TargetRow: {
    repo: SNAPSHOT.repo,
    server: SNAPSHOT.server,
    state: 'drifted',
    status: 'out of sync',
    since: SNAPSHOT.last_check,
    since_seconds: 93_725,
    differences: 2,
    what: '2 files',
    last_check: SNAPSHOT.last_check,
    last_check_seconds: 41,
    reason: null,
    accepted_until: null,
    commit: '9fceb02d0ae598e95dc970b74767f19372d61af8',
    branch: 'main',
    pipeline_url: 'https://ci.example.net/repos/7/pipeline/812',
    labels: 'env=prod,owner=team-a',
  },
  FileRow: {
    repo: SNAPSHOT.repo,
    server: SNAPSHOT.server,
    name: 'rsyslog.conf',
    kind: 'file',
    since: SNAPSHOT.last_check,
    since_seconds: 93_725,
    diff: null,
  },
  FileSum: {
    repo: SNAPSHOT.repo,
    name: 'rsyslog.conf',
    kind: 'file',
    servers: 4,
    since: SNAPSHOT.last_check,
    since_seconds: 93_725,
  },
  RepositoryRow: {
    repo: SNAPSHOT.repo,
    ...SUMMARY,
    newest_check: SNAPSHOT.last_check,
    newest_check_seconds: 41,
    newest_reason: null,
  },
  CountsRow: { time: DOCUMENT.updated_at, drifted: 1, failing: 0, missing: 0, stale: 0, accepted: 0, synced: 0 },
  TimelineRow: {
    target: 'rsyslog / rsyslog-lab',
    repo: SNAPSHOT.repo,
    server: SNAPSHOT.server,
    state: 'drifted',
    status: 'out of sync',
    from: SNAPSHOT.last_check,
    to: DOCUMENT.updated_at,
    seconds: 1,
  },
  RepositoryTimelineRow: {
    repo: SNAPSHOT.repo,
    state: 'drifted',
    status: 'out of sync',
    from: SNAPSHOT.last_check,
    to: DOCUMENT.updated_at,
    seconds: 1,
    worst: 1,
  },
  NameRow: { name: 'rsyslog' },
  ReportRow: {
    repo: SNAPSHOT.repo,
    server: SNAPSHOT.server,
    from: '2026-04-20T00:00:00Z',
    to: '2026-04-21T00:00:00Z',
    seconds: 86_400,
    synced_seconds: 82_800,
    drifted_seconds: 1800,
    accepted_seconds: 0,
    unknown_seconds: 1800,
    synced_share: 0.9583,
    drifted_share: 0.0208,
    accepted_share: 0,
    unknown_share: 0.0208,
  },
  Removed: { removed: [STAMPED] },
  AcceptedRule: RULE,
  Added: { result: 'added', rule: RULE, targets: 4 },
  Ended: { ended: [RULE] },
  Alive: { status: 'alive' },
  Readiness: { ready: true, generation: 2, problems: [], warnings: [], volume: { file_system: 'ext4', limits: [] } },
}

const fault = {
  type: 'object',
  description: 'A fault.',
  required: ['pointer', 'detail'],
  properties: {
    pointer: { type: 'string', description: 'JSON Pointer (RFC 6901) to the faulty value; empty for the whole text.' },
    detail: { type: 'string', description: 'The expected value.' },
    line: { type: 'integer', minimum: 1, description: 'The line in the text, from 1.' },
    column: { type: 'integer', minimum: 1, description: 'The column in the line, from 1, in UTF-16 code units.' },
  },
  additionalProperties: false,
}

const help = { type: 'string', format: 'uri', description: 'Address of the documentation with the remedy.' }

const schemas = {
  Snapshot: publishedSnapshotSchema,
  FailedCheck: publishedFailedCheckSchema,
  Summary: summarySchema,
  Status: statusSchema,
  StatusDocument: {
    ...documentSchema,
    properties: {
      ...documentSchema.properties,
      summary: { ...reference('Summary'), description: summarySchema.description },
      statuses: { ...listOf('Status'), description: documentSchema.properties.statuses.description },
    },
  },
  TargetsSummary: targetsSummarySchema,
  Receipt: {
    type: 'object',
    description: 'The result for a posted snapshot or failed check.',
    required: ['result', 'status'],
    properties: {
      result: {
        type: 'string',
        enum: ['created', 'updated', 'ignored'],
        description: 'created: a new target. updated: it was merged into the entry. ignored: see reason.',
      },
      reason: { type: 'string', description: 'The reason why it was ignored: the entry has a newer last_check.' },
      status: { ...reference('Status'), description: 'The entry of the target as it is now.' },
    },
    additionalProperties: false,
  },
  ...Object.fromEntries(VIEWS.flatMap(({ rows }) => Object.values(rows).map((row) => [row.title, row]))),
  Removed: {
    type: 'object',
    description: 'The removed targets.',
    required: ['removed'],
    properties: { removed: { ...listOf('Status'), description: 'The entries before the removal.' } },
    additionalProperties: false,
  },
  AcceptedRule: publishedRuleSchema,
  Added: {
    type: 'object',
    description: 'The result for a posted rule.',
    required: ['result', 'rule', 'targets'],
    properties: {
      result: {
        type: 'string',
        enum: ['added', 'unchanged'],
        description: 'added: the rule is new. unchanged: the document already has the same rule.',
      },
      rule: { ...reference('AcceptedRule'), description: 'The rule as it is in the document.' },
      targets: { type: 'integer', minimum: 0, description: 'Number of targets that the rule matches now.' },
    },
    additionalProperties: false,
  },
  Ended: {
    type: 'object',
    description: 'The ended rules.',
    required: ['ended'],
    properties: { ended: { ...listOf('AcceptedRule'), description: 'The rules that were removed from the document.' } },
    additionalProperties: false,
  },
  Alive: {
    type: 'object',
    description: 'The process answers.',
    required: ['status'],
    properties: { status: { const: 'alive', description: 'Always alive.' } },
    additionalProperties: false,
  },
  Readiness: {
    type: 'object',
    description: 'Readiness for writes, and all problems.',
    required: ['ready', 'generation', 'problems'],
    properties: {
      ready: { type: 'boolean', description: 'True if a snapshot could be written now.' },
      generation: { type: 'integer', minimum: 0, description: 'The generation of the document.' },
      problems: {
        type: 'array',
        description: 'All current problems.',
        items: {
          type: 'object',
          description: 'A problem.',
          required: ['kind', 'since', 'detail', 'help'],
          properties: {
            kind: {
              type: 'string',
              description:
                'volume-full, no-lock or unavailable: nothing can be written. no-lock: the volume refuses the lock that keeps two servers apart, or lost it. internal-error: a defect of the program, whose stack is in the log. rejected-edit: an edit of status.json is not valid. tokens-file: TOKENS_FILE cannot be used. history: history.jsonl cannot be written, and its new rows wait. Later versions may add more.',
            },
            since: { type: 'string', format: 'date-time', description: 'The start of the problem.' },
            detail: { type: 'string', description: 'The problem in words, for people.' },
            file: { type: 'string', description: 'The file in the data directory that holds the rejected text.' },
            errors: {
              type: 'array',
              description: 'The faults of the rejected text.',
              items: { ...fault, required: ['pointer', 'detail', 'line', 'column'] },
            },
            help,
          },
          additionalProperties: false,
        },
      },
      warnings: {
        type: 'array',
        description:
          'Parts of the document that are valid but probably mistakes; the first 100. Missing if details require a token.',
        items: fault,
      },
      volume: {
        type: 'object',
        description:
          'The file system of the data directory. Missing if details require a token, and until it is known.',
        required: ['file_system', 'limits'],
        properties: {
          file_system: { type: 'string', description: 'The type of the file system.' },
          limits: {
            type: 'array',
            description: 'Limits of the volume and their consequences. Empty if there are none.',
            items: { type: 'string' },
          },
        },
        additionalProperties: false,
      },
    },
    additionalProperties: false,
  },
  Problem: {
    type: 'object',
    description: 'Problem details, RFC 9457.',
    required: ['type', 'title', 'status', 'detail', 'help'],
    properties: {
      type: {
        type: 'string',
        enum: Object.keys(PROBLEMS).map(problemType),
        description: 'The code of the refusal as a URN.',
      },
      title: { type: 'string', description: 'The meaning of the code.' },
      status: {
        type: 'integer',
        enum: [...new Set(Object.values(PROBLEMS).map(({ status }) => status))],
        description: 'The HTTP status.',
      },
      detail: { type: 'string', description: 'The fault of this request.' },
      errors: { type: 'array', description: 'All faults; the first 100.', items: fault },
      help,
    },
    additionalProperties: false,
  },
}

/** The bodies that CI posts. */
const REPORTS = [reference('Snapshot'), reference('FailedCheck')]

/** The API as an OpenAPI 3.1 document. */
export function openapi(version: string): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'gitops-status-server',
      version,
      description:
        'Reports which files on your servers differ from Git. Every answer but that of /status.json has X-Request-Id, the id of the request in the log.',
      contact: { name: 'The operator of this server' },
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This server.' }],
    tags: [
      {
        name: 'Reporting',
        description: 'For CI: post the results of drift checks, and remove targets that are no longer checked.',
      },
      { name: 'Accepting', description: 'For people: accept drift until a given time, with a reason.' },
      { name: 'Reading', description: 'For dashboards and people: the current state and the history.' },
      { name: 'Operation', description: 'For probes and Prometheus: the health of the server.' },
      { name: 'Contract', description: 'For programs: the format of the file and of this API.' },
    ],
    // TOKENS_FILE and PROTECT_READS decide whether a token is required.
    security: [{}, { bearer: [] }, { basic: [] }],
    paths: {
      '/status.json': {
        get: read({
          operationId: 'getStatusFile',
          summary: 'The status document',
          description: 'The file, byte for byte.',
          content: json('StatusDocument'),
          headers: {
            ETag: header('Changes with every byte of the document.'),
            'Last-Modified': header('The time of the last write of the document.'),
          },
        }),
      },
      '/api/status': {
        get: read({
          operationId: 'listTargets',
          summary: 'The status document with only the matching entries',
          description:
            'An entry matches if it matches each parameter of the filter. With limit and offset, the answer has a page of the matching entries, by repo and server; summary counts all of them.',
          content: json('StatusDocument'),
          parameters: [...FILTER, ...Object.entries(PAGE).map(count)],
          problems: ['invalid-query'],
        }),
        post: {
          operationId: 'postSnapshots',
          tags: ['Reporting'],
          summary: 'Merges snapshots and failed checks, one or an array of them',
          description:
            'All items are accepted, or none. The server answers after its write. In addition to the schema: drift_count must be the length of files, names in files must be unique, last_check must not be more than 5 minutes ahead, keys must not be duplicate, and the body must not exceed 1 MiB. With REFUSE_DIFFS, files must have no diff.',
          security: WRITES,
          requestBody: {
            description: 'The results of the drift check.',
            required: true,
            content: {
              'application/json': {
                schema: {
                  anyOf: [
                    ...REPORTS,
                    {
                      type: 'array',
                      items: { anyOf: REPORTS },
                      minItems: 1,
                      maxItems: POSTED_ITEMS_MAX,
                      description: 'Several targets.',
                    },
                  ],
                },
                examples: {
                  one: { summary: 'One server that differs from Git', value: SNAPSHOT },
                  failed: { summary: 'A check that could not be completed', value: FAILED_CHECK },
                  several: {
                    summary: 'Two servers, one in sync',
                    value: [
                      SNAPSHOT,
                      { ...SNAPSHOT, server: 'rsyslog-prod', sync_status: 'SYNCED', drift_count: 0, files: [] },
                    ],
                  },
                },
              },
            },
          },
          responses: {
            200: { description: 'No target is new.', content: oneOrMany('Receipt'), links: LINKS },
            201: { description: 'At least one target is new.', content: oneOrMany('Receipt'), links: LINKS },
            ...refusals(...ACCESS, ...POSTED, 'invalid-snapshot'),
          },
        },
        delete: {
          operationId: 'removeTargets',
          tags: ['Reporting'],
          summary: 'Removes the matching targets',
          description:
            'A repo alone removes all its servers. At least one of repo and server is required. Names are exact: * and ? are not patterns.',
          security: WRITES,
          parameters: selector(
            'A name to remove; may be repeated. Must not be empty, so that an unset variable does not remove everything.',
            {
              type: 'array',
              minItems: 1,
              items: { type: 'string', minLength: 1 },
            },
          ),
          responses: {
            200: {
              description: 'The removed entries.',
              content: json('Removed'),
              links: {
                history: {
                  operationId: 'listHistory',
                  description: 'The history of the first removed target.',
                  parameters: { repo: '$response.body#/removed/0/repo', server: '$response.body#/removed/0/server' },
                },
              },
            },
            ...refusals(...ACCESS, 'target-not-found', 'invalid-query', 'cannot-commit', 'volume-full'),
          },
        },
      },
      '/api/accepted': {
        get: read({
          operationId: 'listAccepted',
          summary: 'The rules of accepted drift',
          description: 'In the order of the file, including ended rules.',
          content: { 'application/json': { schema: listOf('AcceptedRule'), example: [RULE] } },
          problems: ['invalid-query'],
        }),
        post: {
          operationId: 'acceptDrift',
          tags: ['Accepting'],
          summary: 'Accepts drift until a given time',
          description:
            'Adds a rule to accepted in the document. The server answers after its write. In addition to the schema: until must be later than now and at most one year ahead, from must be earlier than until, and keys must not be duplicate. by defaults to the name of the token.',
          security: WRITES,
          requestBody: {
            description: 'The rule.',
            required: true,
            content: { 'application/json': { schema: reference('AcceptedRule'), example: RULE } },
          },
          responses: {
            200: { description: 'The document already has the rule.', content: json('Added'), links: RULE_LINKS },
            201: { description: 'The rule is new.', content: json('Added'), links: RULE_LINKS },
            ...refusals(...ACCESS, ...POSTED, 'invalid-rule'),
          },
        },
        delete: {
          operationId: 'endAcceptance',
          tags: ['Accepting'],
          summary: 'Ends rules of accepted drift',
          description:
            'Removes the rules that match all parameters from the document. At least one parameter is required.',
          security: WRITES,
          parameters: Object.entries(ruleQuerySchema.properties).map(([name, { description }]) =>
            parameter(
              name,
              description,
              name === 'until' ? { type: 'string', pattern: TIME_PATTERN } : { type: 'string', minLength: 1 },
            ),
          ),
          responses: {
            200: { description: 'The ended rules.', content: json('Ended') },
            ...refusals(...ACCESS, 'rule-not-found', 'invalid-query', 'cannot-commit', 'volume-full'),
          },
        },
      },
      '/api/summary': {
        get: read({
          operationId: 'getSummary',
          summary: 'A summary of the matching targets, in one object',
          description: 'For tiles, gates and widgets. The answer is small for any number of targets.',
          content: json('TargetsSummary'),
          parameters: FILTER,
          problems: ['invalid-query'],
        }),
      },
      ...Object.fromEntries(VIEWS.map((view) => [view.path, { get: viewOperation(view) }])),
      '/status.schema.json': {
        get: read({
          operationId: 'getSchema',
          tag: 'Contract',
          summary: 'The JSON Schema of status.json',
          description: 'For the file as people may save it. Draft 07.',
          content: anyJson(savedDocumentSchema.title),
        }),
      },
      '/openapi.json': {
        get: read({
          operationId: 'getOpenapi',
          tag: 'Contract',
          summary: 'This document',
          description: 'OpenAPI 3.1.',
          content: anyJson('OpenAPI 3.1'),
        }),
      },
      '/': {
        get: read({
          operationId: 'getPage',
          summary: 'The status page',
          description: 'For people.',
          content: { 'text/html': { schema: { type: 'string' } } },
        }),
      },
      '/badge': {
        get: read({
          operationId: 'getBadge',
          summary: 'The worst state of the matching targets as an image',
          description: 'The text is "unknown" if no target matches.',
          content: { 'image/svg+xml': { schema: { type: 'string' } } },
          parameters: FILTER,
          problems: ['invalid-query'],
        }),
      },
      '/metrics': {
        get: {
          operationId: 'getMetrics',
          tags: ['Operation'],
          summary: 'Every target and the server itself, for Prometheus',
          description: 'The series of a removed target end.',
          responses: {
            200: {
              description: 'The text format of Prometheus.',
              content: { 'text/plain': { schema: { type: 'string' } } },
            },
            ...refusals(...ACCESS),
          },
        },
      },
      '/healthz': {
        get: {
          operationId: 'isAlive',
          tags: ['Operation'],
          summary: 'Checks that the process is alive',
          description: 'A liveness probe. It never needs a token.',
          security: [],
          responses: {
            200: { description: 'The process is alive.', content: json('Alive') },
            ...refusals('headers-too-large'),
          },
        },
      },
      '/readyz': {
        get: {
          operationId: 'isReady',
          tags: ['Operation'],
          summary: 'Checks that the document can be written, and lists all problems',
          description: 'A readiness probe. It never needs a token; if reads are protected, details need one.',
          responses: {
            200: { description: 'A snapshot could be written.', content: json('Readiness') },
            503: { description: 'Nothing can be written.', content: json('Readiness') },
            ...refusals('headers-too-large'),
          },
        },
      },
    },
    components: {
      schemas,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'A token of TOKENS_FILE.' },
        basic: {
          type: 'http',
          scheme: 'basic',
          description: 'For reads: the token as the password, with any user name.',
        },
      },
    },
  }
}

/** Refusals because of a missing, invalid or insufficient token. */
const ACCESS: readonly ProblemCode[] = ['unauthorized', 'forbidden', 'too-many-refusals']
/** The refusals of any posted body. */
const POSTED = [
  'not-json',
  'bad-request',
  'too-large',
  'unsupported-media-type',
  'cannot-commit',
  'overloaded',
  'volume-full',
  'document-full',
] as const satisfies readonly ProblemCode[]

/** Writes do not accept Basic. */
const WRITES = [{}, { bearer: [] }]

const TEXT = { type: 'string' }
/** Without the largest length: a value that is longer does not fit into a request. Each of the parameters may be repeated, so that its example is a list. */
const FILTERS = [
  { name: 'repo', schema: TEXT, example: 'rsyslog' },
  { name: 'server', schema: TEXT, example: 'web-*' },
  { name: 'state', schema: { ...TEXT, pattern: separatedBy(STATES.join('|')) }, example: 'drifted,failing' },
  { name: 'label', schema: { ...TEXT, pattern: separatedBy(CONDITION_PATTERN) }, example: 'env=prod' },
] as const
const FILTER = FILTERS.map(({ name, schema, example }) => ({
  ...parameter(name, filterSchema.properties[name].description, { type: 'array', items: schema }),
  example: [example],
}))
const TARGET_FILTER = FILTER.slice(0, 2)

/** Links to the operations on a target that was posted alone. */
const LINKS = Object.fromEntries(
  [
    ['target', 'listTargets', 'The entry of the target.'],
    ['history', 'listHistory', 'The history of the target.'],
    ['remove', 'removeTargets', 'Removes the target.'],
  ].map(([name = '', operationId, description]) => [
    name,
    {
      operationId,
      description,
      parameters: { repo: '$response.body#/status/repo', server: '$response.body#/status/server' },
    },
  ]),
)

/** Links to the operations on a posted rule. */
const RULE_LINKS = {
  end: {
    operationId: 'endAcceptance',
    description: 'Ends the rule.',
    parameters: { until: '$response.body#/rule/until', reason: '$response.body#/rule/reason' },
  },
}

const EMPTY = { type: 'string', maxLength: 0 }
const timeParameter = {
  anyOf: [{ type: 'string', pattern: TIME_PATTERN }, { type: 'integer', minimum: 0, maximum: TIME_MAX_MS }, EMPTY],
}
const TIME = 'ISO 8601 with a zone, or milliseconds since 1970.'
const RANGES = {
  day: [
    parameter('from', `${TIME} Empty: a day before to.`, timeParameter),
    parameter('to', `${TIME} Empty, or in the future: now.`, timeParameter),
  ],
  all: [
    parameter('from', `${TIME} Empty: the beginning of the history.`, timeParameter),
    parameter('to', `${TIME} Empty: now.`, timeParameter),
  ],
}

function choice([name, { description, values }]: [string, Choice]): object {
  return parameter(name, `${description} By default ${values[0]}.`, { type: 'string', enum: ['', ...values] })
}

function count([name, { description, min, max, fallback }]: [string, Count]): object {
  return parameter(name, description, {
    anyOf: [{ type: 'integer', minimum: min, maximum: max, default: fallback }, EMPTY],
  })
}

/** The operation of a view. */
function viewOperation(view: View): object {
  const { operationId, summary, description, rows, choices, counts, range, ofThePast } = view
  const names = Object.values(rows).map(({ title }) => title)
  const lists = names.map(listOf)
  const examples = Object.fromEntries(names.map((name) => [name, { value: [EXAMPLES[name]] }]))
  return read({
    operationId,
    summary,
    description,
    content: {
      'application/json': { schema: lists.length === 1 ? lists[0] : { anyOf: lists }, examples },
      'text/csv': { schema: { type: 'string' }, example: 'repo,server\r\nrsyslog,rsyslog-lab\r\n' },
    },
    parameters: [
      ...(ofThePast === true ? TARGET_FILTER : FILTER),
      ...(range === undefined ? [] : RANGES[range]),
      ...Object.entries(counts).map(count),
      ...Object.entries({ ...choices, format: FORMAT }).map(choice),
    ],
    problems: ['invalid-query'],
  })
}

interface ReadOperation {
  readonly operationId: string
  readonly tag?: string
  readonly summary: string
  readonly description: string
  readonly content: object
  readonly headers?: Readonly<Record<string, object>>
  readonly parameters?: readonly object[]
  readonly problems?: readonly ProblemCode[]
}

function read({ tag = 'Reading', content, parameters, problems = [], ...operation }: ReadOperation): object {
  const { headers = { ETag: header('Changes with the content.') }, ...described } = operation
  const { ETag } = headers
  return {
    ...described,
    tags: [tag],
    ...(parameters === undefined ? {} : { parameters }),
    responses: {
      200: { description: operation.summary, headers, content },
      304: { description: 'The client has the current version.', headers: { ETag } },
      ...refusals(...ACCESS, ...problems),
    },
  }
}

const CHALLENGE = header('The authentication schemes, and the fault of the given token.')
const RETRY_AFTER = { description: 'Seconds after which to try again.', schema: { type: 'integer', minimum: 1 } }
const ALLOW = { description: 'With 405: the methods of the path.', schema: { type: 'string' } }

/** The refusals that say when to try again. */
const RETRIED: ReadonlySet<ProblemCode> = new Set([
  'too-many-refusals',
  'cannot-commit',
  'overloaded',
  'starting',
  'volume-full',
])
const CHALLENGED: ReadonlySet<ProblemCode> = new Set(['unauthorized', 'forbidden'])

/** The refusals of an operation by status; the default has those that any request can get. */
function refusals(...codes: ProblemCode[]): Record<string, object> {
  const schema = reference('Problem')
  const named = codes.map((code) => {
    const { status } = PROBLEMS[code]
    const same = codes.filter((other) => PROBLEMS[other].status === status)
    const headers = {
      ...(same.some((other) => CHALLENGED.has(other)) ? { 'WWW-Authenticate': CHALLENGE } : {}),
      ...(same.some((other) => RETRIED.has(other))
        ? { 'Retry-After': { ...RETRY_AFTER, required: same.every((other) => RETRIED.has(other)) } }
        : {}),
    }
    const description = same.map((other) => PROBLEMS[other].title).join('; ')
    const examples = Object.fromEntries(same.map((other) => [other, { value: exampleOf(other) }]))
    return [status, { description, headers, content: { [PROBLEM_MEDIA_TYPE]: { schema, examples } } }]
  })
  const others = {
    description: 'Any other refusal.',
    headers: { Allow: ALLOW, 'Retry-After': RETRY_AFTER },
    content: { [PROBLEM_MEDIA_TYPE]: { schema, example: exampleOf('starting') } },
  }
  return { ...Object.fromEntries(named), default: others }
}

function exampleOf(code: ProblemCode): object {
  const { status, title } = PROBLEMS[code]
  const errors = [{ pointer: '/drift_count', detail: 'must be the length of files, which is 2' }]
  return {
    type: problemType(code),
    title,
    status,
    detail: code === 'invalid-snapshot' ? '1 fault; nothing was changed' : title,
    ...(code === 'invalid-snapshot' ? { errors } : {}),
    help: helpFor(code),
  }
}

/** The pattern of a list with commas, whose items may be empty. */
function separatedBy(item: string): string {
  return `^(${item})?(,(${item})?)*$`
}

function selector(description: string, schema: object): object[] {
  return Object.keys(selectorSchema.properties).map((name) => parameter(name, description, schema))
}

function parameter(name: string, description: string, schema: object): object {
  return { name, in: 'query', description, schema }
}

function reference(name: string): { $ref: string } {
  return { $ref: `#/components/schemas/${name}` }
}

function listOf(name: string): object {
  return { type: 'array', items: reference(name) }
}

function json(name: string): object {
  return { 'application/json': { schema: reference(name), example: EXAMPLES[name] } }
}

function oneOrMany(name: string): object {
  return { 'application/json': { schema: { anyOf: [reference(name), listOf(name)] }, example: EXAMPLES[name] } }
}

function anyJson(description: string): object {
  return { 'application/json': { schema: { type: 'object', description } } }
}

/** A header that the answer always has. */
function header(description: string): object {
  return { description, required: true, schema: { type: 'string' } }
}
