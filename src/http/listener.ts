import { type RequestListener, STATUS_CODES, type Server, type ServerResponse, createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import type { Metrics } from './metrics.ts'
import { PROBLEMS, PROBLEM_MEDIA_TYPE, Problem, type ProblemCode, problemDetails, sendProblem } from './problems.ts'

/** Time limits of connections, in ms. */
export interface Limits {
  /** From the connection to the end of the headers. */
  readonly headersMs: number
  /** From the first byte of a request to its last; not less than `headersMs`. */
  readonly requestMs: number
  /** Without a byte in either direction, also while an answer is being sent. */
  readonly idleMs: number
  /** Between two requests of one connection. */
  readonly keepAliveMs: number
  /** The interval in which `headersMs` and `requestMs` are checked. */
  readonly checkEveryMs: number
}

export const DEFAULT_LIMITS: Limits = {
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 60_000,
  // Longer than the idle time of common proxies (nginx: 60 s): if the server closed first, a proxy could send a request
  // into a connection that is being closed.
  keepAliveMs: 75_000,
  checkEveryMs: 2_000,
}

const HEADER_BYTES_MAX = 16 * 1024

/** Seconds after which a client may try again while the server is starting. */
const RETRY_AFTER = 5

/** The address cannot be listened on. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}

/** The fault and the expectation, by the system's error code. */
const LISTEN_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use; PORT must be a free port',
  EACCES: 'this user may not listen on the port; PORT must be 1024 or higher',
  EADDRNOTAVAIL: 'this machine does not have the address; HOST must be an address of this machine, or 0.0.0.0 for all',
  ENOTFOUND: 'the name cannot be resolved; HOST must be an IP address or a host name',
}

/**
 * An HTTP server that limits what a client can use of it, and that stops without breaking an answer. Until an app is
 * attached, every request is answered with 503.
 */
export class Listener {
  readonly #server: Server
  /** Answers that are not complete yet. */
  readonly #unanswered = new Set<ServerResponse>()
  #app: RequestListener
  #stopping = false

  constructor(metrics: Pick<Metrics, 'refused'>, limits: Limits = DEFAULT_LIMITS) {
    this.#app = (_req, res) => {
      const problem = new Problem('starting', 'the document is being loaded', {
        headers: { 'Retry-After': String(RETRY_AFTER) },
      })
      metrics.refused(problem.code)
      sendProblem(res, problem)
    }
    this.#server = createServer(
      {
        headersTimeout: limits.headersMs,
        requestTimeout: limits.requestMs,
        keepAliveTimeout: limits.keepAliveMs,
        connectionsCheckingInterval: limits.checkEveryMs,
        maxHeaderSize: HEADER_BYTES_MAX,
      },
      (req, res) => {
        if (this.#stopping) res.setHeader('Connection', 'close')
        this.#app(req, res)
        if (res.writableEnded) return
        this.#unanswered.add(res)
        res.once('close', () => this.#unanswered.delete(res))
      },
    )
    this.#server.setTimeout(limits.idleMs)
    this.#server.on('clientError', (error, socket: Socket) => refuse(error, socket, metrics))
    this.#server.on('checkExpectation', (req, res: ServerResponse) => {
      const problem = new Problem('expectation-failed', `${req.headers.expect ?? ''} is not 100-continue`)
      metrics.refused(problem.code)
      res.setHeader('Connection', 'close')
      sendProblem(res, problem)
    })
  }

  /**
   * Takes the port.
   *
   * @param port 0 takes any free port
   * @returns the address, such as `http://127.0.0.1:8080`
   * @throws {ListenError}
   */
  async listen(port: number, host: string): Promise<string> {
    try {
      await once(this.#server.listen({ port, host }), 'listening')
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      const reason = LISTEN_FAULTS[code] ?? String(error)
      throw new ListenError(`${host}:${port}: cannot listen: ${reason}`, { cause: error })
    }
    return urlOf(this.#server.address())
  }

  /** From now on the app answers the requests. */
  attach(app: RequestListener): void {
    this.#app = app
  }

  /**
   * Accepts no more connections, waits until every request that has begun is answered, and closes.
   *
   * @param graceMs connections that are still open after this time are destroyed
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    for (const res of this.#unanswered) if (!res.headersSent) res.setHeader('Connection', 'close')
    const cut = setTimeout(() => this.#server.closeAllConnections(), graceMs)
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
    clearTimeout(cut)
  }
}

function urlOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') return String(address)
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${host}:${address.port}`
}

/** Answers bytes that are not a request, or not a whole one. */
function refuse({ code }: NodeJS.ErrnoException, socket: Socket, metrics: Pick<Metrics, 'refused'>): void {
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const problem = new Problem(clientProblem(code), 'the request is malformed or incomplete')
  metrics.refused(problem.code)
  const { status } = PROBLEMS[problem.code]
  const body = bodyOf(problem)
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: ${PROBLEM_MEDIA_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}

function clientProblem(code: string | undefined): ProblemCode {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request-timeout'
  return code === 'HPE_HEADER_OVERFLOW' ? 'headers-too-large' : 'bad-request'
}

function bodyOf(problem: Problem): string {
  return `${JSON.stringify(problemDetails(problem))}\n`
}
