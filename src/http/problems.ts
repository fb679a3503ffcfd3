import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { helpFor } from '../project.ts'
import type { Actor } from '../status/document.ts'
import type { Fault } from '../status/json.ts'
import { Refusal } from '../status/refusal.ts'
import { StoreError, type StoreErrorKind } from '../store/store.ts'
import { setHeaders } from './headers.ts'
import { pathOf, requestIdOf } from './request.ts'

/** The register of refusals: HTTP status and meaning by code. Tests compare docs/api.md and docs/troubleshooting.md with it. */
export const PROBLEMS = {
  'bad-request': { status: 400, title: 'The request is malformed' },
  'not-json': { status: 400, title: 'The body is not JSON' },
  unauthorized: { status: 401, title: 'A valid token is required' },
  forbidden: { status: 403, title: 'The token does not permit this' },
  'not-found': { status: 404, title: 'No such resource' },
  'target-not-found': { status: 404, title: 'No target matches' },
  'rule-not-found': { status: 404, title: 'No rule matches' },
  'method-not-allowed': { status: 405, title: 'The resource does not support this method' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time' },
  'too-large': { status: 413, title: 'The body exceeds 1 MiB, or its answer 16 MiB' },
  'unsupported-media-type': { status: 415, title: 'The body must be sent as JSON in UTF-8' },
  'expectation-failed': { status: 417, title: 'The Expect header is not supported' },
  'invalid-snapshot': { status: 422, title: 'The body is not a valid snapshot' },
  'invalid-rule': { status: 422, title: 'The body is not a valid rule' },
  'invalid-query': { status: 422, title: 'The query is not valid' },
  'too-many-refusals': { status: 429, title: 'Too many requests without a valid token' },
  'headers-too-large': { status: 431, title: 'The headers or the URL are too long' },
  internal: { status: 500, title: 'Internal error of the server' },
  'cannot-commit': { status: 503, title: 'The document cannot be written now' },
  overloaded: { status: 503, title: 'Too many large bodies at once' },
  starting: { status: 503, title: 'The server is starting' },
  'volume-full': { status: 507, title: 'The volume is full' },
  'document-full': { status: 507, title: 'The document has reached its largest size' },
} as const

export type ProblemCode = keyof typeof PROBLEMS

/** A fault, with its place in the text if a JSON Pointer does not say it: not JSON, or a duplicate key. */
export interface ProblemFault extends Fault {
  readonly line?: number
  readonly column?: number
}

/** A refusal, sent to the client as problem details (RFC 9457). */
export class Problem extends Refusal {
  override readonly name = 'Problem'
  readonly code: ProblemCode
  readonly faults: readonly ProblemFault[]
  readonly headers: Readonly<Record<string, string | readonly string[]>>

  constructor(
    code: ProblemCode,
    detail: string,
    {
      faults = [],
      headers = {},
    }: { faults?: readonly ProblemFault[]; headers?: Record<string, string | readonly string[]> } = {},
  ) {
    super(detail)
    this.code = code
    this.faults = faults
    this.headers = headers
  }
}

/** An answer has this many faults at most. */
const FAULTS_MAX = 100
const FAULTS_LOGGED_MAX = 10
/** Seconds after which a client may try again. */
const RETRY_AFTER = 5

export const PROBLEM_MEDIA_TYPE = 'application/problem+json'

/** The `type` of problem details. */
export function problemType(code: string): string {
  return `urn:gitops-status-server:problem:${code}`
}

/** The problem details object of a refusal. */
export function problemDetails({ code, message, faults }: Problem): Record<string, unknown> {
  const { status, title } = PROBLEMS[code]
  const more = faults.length > FAULTS_MAX ? ` (the first ${FAULTS_MAX} of ${faults.length} faults)` : ''
  return {
    type: problemType(code),
    title,
    status,
    detail: message + more,
    ...(faults.length === 0 ? {} : { errors: faults.slice(0, FAULTS_MAX) }),
    help: helpFor(code),
  }
}

/** Sends a refusal. Headers that are already set are sent as well. */
export function sendProblem(res: ServerResponse, problem: Problem): void {
  const body = Buffer.from(`${JSON.stringify(problemDetails(problem))}\n`)
  setHeaders(res, problem.headers)
  res.writeHead(PROBLEMS[problem.code].status, { 'Content-Type': PROBLEM_MEDIA_TYPE, 'Content-Length': body.length })
  res.end(body)
}

export interface ErrorAnswererOptions {
  readonly log: Logger
  readonly refused: (code: ProblemCode) => void
  /** The fields of a log line that say who sent a request. */
  readonly actorOf: (req: IncomingMessage) => Actor
}

/** Returns the function that answers an error, logs it and counts it. Every error of a request goes through it. */
export function errorAnswerer({ log, refused, actorOf }: ErrorAnswererOptions) {
  return (error: unknown, req: IncomingMessage, res: ServerResponse): void => {
    const request = { request: requestIdOf(req), ...actorOf(req), method: req.method, path: pathOf(req) }
    if (req.socket.destroyed) {
      log.debug(request, 'client disconnected')
      return
    }
    if (res.headersSent) {
      log.error({ ...request, err: error }, 'request failed')
      res.destroy()
      return
    }
    const problem = problemOf(error)
    refused(problem.code)
    const line = {
      ...request,
      problem: problem.code,
      detail: problem.message,
      ...(problem.faults.length === 0 ? {} : { errors: problem.faults.slice(0, FAULTS_LOGGED_MAX) }),
    }
    if (problem.code === 'internal') {
      // The store logs the stack of its own defects, once for all requests of a batch.
      log.error({ ...line, ...(error instanceof StoreError ? {} : { err: error }) }, 'request failed')
    } else log[problem.code === 'too-many-refusals' ? 'debug' : 'warn'](line, 'request refused')
    sendProblem(res, problem)
  }
}

const STORE_PROBLEMS: Record<Exclude<StoreErrorKind, 'internal'>, ProblemCode> = {
  'volume-full': 'volume-full',
  'document-full': 'document-full',
  'no-lock': 'cannot-commit',
  unavailable: 'cannot-commit',
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof StoreError && error.kind !== 'internal') {
    const headers = { 'Retry-After': String(RETRY_AFTER) }
    return new Problem(STORE_PROBLEMS[error.kind], error.message, error.kind === 'document-full' ? {} : { headers })
  }
  const status = error instanceof Error && 'status' in error ? error.status : undefined
  const detail = error instanceof Error ? error.message : ''
  // Express and its body parser mark what they refuse with a status.
  if (status === 413) return new Problem('too-large', detail)
  if (status === 415) return new Problem('unsupported-media-type', detail)
  if (typeof status === 'number' && status >= 400 && status < 500) return new Problem('bad-request', detail)
  return new Problem('internal', 'the log of the server has the cause')
}
