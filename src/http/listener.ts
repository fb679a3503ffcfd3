import { type RequestListener, STATUS_CODES, type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Metrics } from './metrics.ts'
import { PROBLEMS, PROBLEM_MEDIA_TYPE, Problem, type ProblemCode, problemDetails } from './problems.ts'

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
  /** How often `headersMs` and `requestMs` are checked. */
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

/** An HTTP server that bounds what a client may take of it, and that can stop without breaking an answer. */
export class Listener {
  readonly #server: Server
  /** Answers that are not complete yet. */
  readonly #unanswered = new Set<ServerResponse>()
  #stopping = false

  constructor(app: RequestListener, metrics: Pick<Metrics, 'refused'>, limits: Limits = DEFAULT_LIMITS) {
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
        app(req, res)
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
      res.writeHead(PROBLEMS[problem.code].status, { 'Content-Type': PROBLEM_MEDIA_TYPE, Connection: 'close' })
      res.end(bodyOf(problem))
    })
  }

  /** Listens. Resolves with the address to reach it at. */
  async listen(port: number, host: string): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ port, host }, resolve)
    })
    return urlOf(this.#server.address())
  }

  /**
   * Stops accepting, lets every request that has begun be answered, and closes.
   *
   * @param graceMs after this time connections are cut
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

/** Answers what never became a request. */
function refuse({ code }: NodeJS.ErrnoException, socket: Socket, metrics: Pick<Metrics, 'refused'>): void {
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const problem = new Problem(clientProblem(code), 'the request cannot be read to its end')
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
