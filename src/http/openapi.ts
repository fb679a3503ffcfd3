import { publishedSnapshotSchema } from '../status/contract.ts'
import { historyRowSchema } from '../status/history.ts'
import { documentSchema, savedDocumentSchema, statusSchema } from '../status/schema.ts'
import { historyQuerySchema } from './history.ts'
import { PROBLEM_MEDIA_TYPE, PROBLEMS, type ProblemCode } from './problems.ts'
import { selectorSchema } from './selector.ts'

const EXAMPLE = {
  repo: 'rsyslog',
  server: 'rsyslog-lab',
  sync_status: 'OUT_OF_SYNC',
  drift_count: 2,
  files: [{ name: 'rsyslog.conf' }, { name: 'rsyslog.d/30-lab.conf' }],
  last_check: '2026-04-21T10:32:15Z',
}

const fault = {
  type: 'object',
  required: ['pointer', 'detail'],
  properties: {
    pointer: { type: 'string', description: 'JSON Pointer (RFC 6901) to the faulty value; empty for the whole text.' },
    detail: { type: 'string', description: 'What was expected.' },
    line: { type: 'integer', minimum: 1 },
    column: { type: 'integer', minimum: 1 },
  },
  additionalProperties: false,
}

const schemas = {
  Snapshot: publishedSnapshotSchema,
  Status: statusSchema,
  StatusDocument: { ...documentSchema, properties: { ...documentSchema.properties, statuses: listOf('Status') } },
  Receipt: {
    type: 'object',
    required: ['result', 'status'],
    properties: {
      result: {
        type: 'string',
        enum: ['created', 'updated', 'ignored'],
        description: 'created: a new target. updated: the snapshot replaced the status. ignored: see reason.',
      },
      reason: { type: 'string', description: 'Why the snapshot was ignored: the entry has a newer last_check.' },
      status: reference('Status'),
    },
    additionalProperties: false,
  },
  HistoryRow: historyRowSchema,
  Removed: {
    type: 'object',
    required: ['removed'],
    properties: { removed: listOf('Status') },
    additionalProperties: false,
  },
  Alive: {
    type: 'object',
    required: ['status'],
    properties: { status: { const: 'alive' } },
    additionalProperties: false,
  },
  Readiness: {
    type: 'object',
    required: ['ready', 'generation', 'problems'],
    properties: {
      ready: { type: 'boolean', description: 'True if a snapshot could be committed now.' },
      generation: { type: 'integer', minimum: 0 },
      problems: {
        type: 'array',
        items: {
          type: 'object',
          required: ['kind', 'since', 'detail'],
          properties: {
            kind: {
              type: 'string',
              description:
                'volume-full, no-lock or unavailable: nothing can be committed. no-lock: the volume refuses the lock that keeps two servers apart, or did not keep it. internal-error: a defect of the program, whose stack is in the log. rejected-edit: an edit of status.json is not valid. tokens-file: TOKENS_FILE cannot be used. Later versions may add more.',
            },
            since: { type: 'string', format: 'date-time' },
            detail: { type: 'string' },
            file: { type: 'string', description: 'The file in the data directory that holds the rejected text.' },
            errors: { type: 'array', items: { ...fault, required: ['pointer', 'detail', 'line', 'column'] } },
          },
          additionalProperties: false,
        },
      },
      volume: {
        type: 'object',
        description:
          'The file system of the data directory. Missing where details require a token, and while it is not known.',
        required: ['file_system', 'limits'],
        properties: {
          file_system: { type: 'string' },
          limits: {
            type: 'array',
            description: 'What the volume cannot do, and what follows from it. Empty if it can do everything.',
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
    required: ['type', 'title', 'status', 'detail'],
    properties: {
      type: { type: 'string', enum: Object.keys(PROBLEMS).map((code) => `urn:gitops-status-server:problem:${code}`) },
      title: { type: 'string' },
      status: { type: 'integer', enum: [...new Set(Object.values(PROBLEMS).map(({ status }) => status))] },
      detail: { type: 'string' },
      errors: { type: 'array', items: fault },
    },
    additionalProperties: false,
  },
}

/** The API as an OpenAPI 3.1 document. */
export function openapi(version: string): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'gitops-status-server',
      version,
      description: 'Reports which files on your servers differ from Git.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    // TOKENS_FILE and PROTECT_READS decide whether a token is required.
    security: [{}, { bearer: [] }, { basic: [] }],
    paths: {
      '/status.json': {
        get: read('getStatusFile', 'The status document, byte for byte the file', json('StatusDocument'), {
          ETag: header('Changes with every byte of the document.'),
          'Last-Modified': header('When the document was written.'),
        }),
      },
      '/api/status': {
        get: {
          ...read('listTargets', 'The status document with only the matching entries', json('StatusDocument'), {}, [
            'invalid-query',
          ]),
          parameters: selector('Filter; may be repeated. Empty: all.'),
        },
        post: {
          operationId: 'postSnapshots',
          summary: 'Merges one snapshot or an array of them, all or none. Answers once they are safely on disk.',
          requestBody: {
            required: true,
            content: {
              'application/json': { schema: { anyOf: [reference('Snapshot'), listOf('Snapshot')] }, example: EXAMPLE },
            },
          },
          responses: {
            200: { description: 'No target is new.', content: oneOrMany('Receipt') },
            201: { description: 'At least one target is new.', content: oneOrMany('Receipt') },
            ...refusals(
              ...ACCESS,
              'not-json',
              'bad-request',
              'too-large',
              'unsupported-media-type',
              'invalid-snapshot',
              'cannot-commit',
              'overloaded',
              'volume-full',
              'document-full',
            ),
          },
        },
        delete: {
          operationId: 'removeTargets',
          summary: 'Removes the matching targets; a repo alone removes all its servers.',
          parameters: selector('What to remove; may be repeated. At least one of repo and server is required.'),
          responses: {
            200: { description: 'The removed entries.', content: json('Removed') },
            ...refusals(...ACCESS, 'target-not-found', 'invalid-query', 'cannot-commit', 'volume-full'),
          },
        },
      },
      '/api/history': {
        get: {
          ...read(
            'listHistory',
            'Changes, oldest first; before them the state of each target at the beginning',
            { 'application/json': { schema: listOf('HistoryRow') } },
            {},
            ['invalid-query'],
          ),
          parameters: Object.entries(historyQuerySchema.properties).map(([name, schema]) =>
            'description' in schema
              ? { name, in: 'query', description: schema.description, schema: { type: 'string' } }
              : parameter(name, 'Filter; may be repeated. Empty: all.'),
          ),
        },
      },
      '/status.schema.json': {
        get: read(
          'getSchema',
          'The JSON Schema of status.json as a person may save it',
          anyJson(savedDocumentSchema.title),
        ),
      },
      '/openapi.json': { get: read('getOpenapi', 'This document', anyJson('OpenAPI 3.1')) },
      '/': {
        get: read('getPage', 'The status page, for people', { 'text/html': { schema: { type: 'string' } } }),
      },
      '/badge': {
        get: {
          ...read(
            'getBadge',
            'The worst state of the matching targets as an image; unknown if none matches',
            { 'image/svg+xml': { schema: { type: 'string' } } },
            undefined,
            ['invalid-query'],
          ),
          parameters: selector('Filter; may be repeated. Empty: all.'),
        },
      },
      '/metrics': {
        get: {
          operationId: 'getMetrics',
          summary: 'Every target and the server itself, for Prometheus',
          responses: {
            200: {
              description: 'The text format of Prometheus.',
              content: { 'text/plain': { schema: { type: 'string' } } },
            },
            ...refusals(),
          },
        },
      },
      '/healthz': {
        get: {
          operationId: 'isAlive',
          summary: 'Whether the process is alive',
          responses: { 200: { description: 'The process is alive.', content: json('Alive') }, ...refusals() },
        },
      },
      '/readyz': {
        get: {
          operationId: 'isReady',
          summary: 'Whether a snapshot could be committed now, and everything that is wrong',
          responses: {
            200: { description: 'A snapshot could be committed.', content: json('Readiness') },
            503: { description: 'Nothing can be committed.', content: json('Readiness') },
            ...refusals(),
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

function read(
  operationId: string,
  summary: string,
  content: object,
  headers: Readonly<Record<string, object>> = { ETag: header('Changes with the content.') },
  problems: ProblemCode[] = [],
): object {
  const { ETag } = headers
  return {
    operationId,
    summary,
    responses: {
      200: { description: summary, headers, content },
      304: { description: 'The client has the current version.', headers: ETag === undefined ? {} : { ETag } },
      ...refusals(...ACCESS, ...problems),
    },
  }
}

/** The refusals of an operation by status; the default stands for those that any request can get. */
function refusals(...codes: ProblemCode[]): Record<string, object> {
  const content = { [PROBLEM_MEDIA_TYPE]: { schema: reference('Problem') } }
  const named = codes.map((code) => {
    const same = codes.filter((other) => PROBLEMS[other].status === PROBLEMS[code].status)
    return [PROBLEMS[code].status, { description: same.map((other) => PROBLEMS[other].title).join('; '), content }]
  })
  return { ...Object.fromEntries(named), default: { description: 'Any other refusal.', content } }
}

function selector(description: string): object[] {
  return Object.keys(selectorSchema.properties).map((name) => parameter(name, description))
}

function parameter(name: string, description: string): object {
  return { name, in: 'query', description, schema: { type: 'array', items: { type: 'string' } } }
}

function reference(name: string): { $ref: string } {
  return { $ref: `#/components/schemas/${name}` }
}

function listOf(name: string): object {
  return { type: 'array', items: reference(name) }
}

function json(name: string): object {
  return { 'application/json': { schema: reference(name) } }
}

function oneOrMany(name: string): object {
  return { 'application/json': { schema: { anyOf: [reference(name), listOf(name)] } } }
}

function anyJson(description: string): object {
  return { 'application/json': { schema: { type: 'object', description } } }
}

function header(description: string): object {
  return { description, schema: { type: 'string' } }
}
