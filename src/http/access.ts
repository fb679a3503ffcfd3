import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { type Action, type Token, type Tokens, mayDo } from '../access/tokens.ts'
import type { Actor } from '../status/document.ts'
import type { Target } from '../status/target.ts'
import type { Fault } from '../status/json.ts'
import { Problem } from './problems.ts'
import { isRead } from './request.ts'

/** Paths of probes, which have no credentials. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/healthz', '/readyz'])
const REALM = 'realm="gitops-status-server"'

/** A log line names this many targets at most. */
const TARGETS_LOGGED_MAX = 10
/** The number of requests without a valid token that one address may send in `REFUSALS_SECONDS`. */
const REFUSALS_MAX = 30
const REFUSALS_SECONDS = 60
/** Addresses share counters by hash, so that memory is bounded however many addresses a client uses. */
const COUNTERS = 4096

interface Trouble {
  readonly since: string
  readonly detail: string
}

export interface AccessOptions {
  /** The tokens in force now; `undefined`: every request may do everything. */
  readonly tokens?: { readonly tokens: Tokens; readonly trouble: Trouble | undefined } | undefined
  readonly protectReads: boolean
}

/** Access by token. Protects every path but those of probes, so that a new route is protected without being listed. */
export class Access {
  readonly #options: AccessOptions
  readonly #addressOf: (req: IncomingMessage) => string | undefined
  /** Found once per request: a token may expire or be removed while the body is still arriving. */
  readonly #found = new WeakMap<IncomingMessage, Token | undefined>()
  readonly #refusals = new RateLimiterMemory({ points: REFUSALS_MAX, duration: REFUSALS_SECONDS })

  constructor(options: AccessOptions, addressOf: (req: IncomingMessage) => string | undefined) {
    this.#options = options
    this.#addressOf = addressOf
  }

  /** Reports whether a request may be handled at all. `permit` checks what its token may do to a target. */
  admits(req: IncomingMessage, path: string): boolean {
    if (this.#options.tokens === undefined || OPEN_PATHS.has(path) || req.method === 'OPTIONS') return true
    if (!isRead(req)) return this.#tokenOf(req) !== undefined
    return this.mayRead(req)
  }

  /**
   * Refuses a request that is not admitted. Only requests without a valid token count against the limit of an address.
   *
   * @throws {Problem}
   */
  async refuse(req: IncomingMessage): Promise<never> {
    const token = this.#tokenOf(req)
    if (token !== undefined) throw forbidden(`the token ${token.name} may not read`)
    try {
      await this.#refusals.consume(counterOf(this.#addressOf(req) ?? ''))
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error
      const headers = { 'Retry-After': String(Math.ceil(error.msBeforeNext / 1000)) }
      throw new Problem('too-many-refusals', 'too many requests without a valid token from this address', { headers })
    }
    const presented = req.headers.authorization !== undefined
    const bearer = presented ? `Bearer ${REALM}, error="invalid_token"` : `Bearer ${REALM}`
    const challenge = isRead(req) ? [bearer, `Basic ${REALM}, charset="UTF-8"`] : bearer
    const detail = presented
      ? 'the token is unknown or has expired'
      : 'the request has no token; expected Authorization: Bearer'
    throw new Problem('unauthorized', detail, { headers: { 'WWW-Authenticate': challenge } })
  }

  /** Reports whether the client of a request may see content of the document. A probe may not if reads are protected. */
  mayRead(req: IncomingMessage): boolean {
    return !this.#options.protectReads || this.#tokenOf(req)?.read === true
  }

  /**
   * Checks that the token of a request may do this to all targets.
   *
   * @param pointers JSON Pointer of each target in the body
   * @throws {Problem} with a fault for each target that it may not touch
   */
  permit(req: IncomingMessage, action: Action, targets: readonly Target[], pointers: readonly string[] = []): void {
    if (this.#options.tokens === undefined) return
    const token = this.#tokenOf(req)
    const faults = targets.flatMap((target, index): Fault[] =>
      token !== undefined && mayDo(token, action, target)
        ? []
        : [
            {
              pointer: pointers[index] ?? '',
              detail: `must be a target that the token may ${action}: ${describeTarget(target)}`,
            },
          ],
    )
    if (faults.length === 0) return
    throw forbidden(`the token ${token?.name ?? ''} may not ${action} this; nothing was changed`, faults)
  }

  /** The reason why the current tokens file is not in use; `undefined` if it is. */
  get trouble(): Trouble | undefined {
    return this.#options.tokens?.trouble
  }

  /** The token and the address that a request came with, for the log and the history. */
  actorOf(req: IncomingMessage): Actor {
    const name = this.#tokenOf(req)?.name
    const address = this.#addressOf(req)
    return { ...(name === undefined ? {} : { token: name }), ...(address === undefined ? {} : { address }) }
  }

  #tokenOf(req: IncomingMessage): Token | undefined {
    if (this.#found.has(req)) return this.#found.get(req)
    const secret = secretOf(req)
    const token = secret === undefined ? undefined : this.#options.tokens?.tokens.find(secret, Date.now())
    this.#found.set(req, token)
    return token
  }
}

function forbidden(detail: string, faults: readonly Fault[] = []): Problem {
  return new Problem('forbidden', detail, {
    faults,
    headers: { 'WWW-Authenticate': `Bearer ${REALM}, error="insufficient_scope"` },
  })
}

/**
 * The secret of a request: a bearer token or, for reads only, the password of Basic, which browsers can ask a person for.
 * Writes do not accept Basic: a browser also sends a stored password with requests that pages of other origins make.
 */
function secretOf(req: IncomingMessage): string | undefined {
  const [, scheme = '', credentials = ''] = /^(\w+) +([\w.~+/=-]+) *$/.exec(req.headers.authorization ?? '') ?? []
  if (scheme.toLowerCase() === 'bearer') return credentials
  if (scheme.toLowerCase() !== 'basic' || !isRead(req)) return undefined
  const text = Buffer.from(credentials, 'base64').toString()
  return text.slice(text.indexOf(':') + 1)
}

function counterOf(address: string): number {
  return createHash('sha256').update(address).digest().readUInt32BE() % COUNTERS
}

function describeTarget({ repo, server }: Target): string {
  return `${JSON.stringify(server)} of ${JSON.stringify(repo)}`
}

/** The targets of a request as fields of a log line: their number, and the first few. */
export function summaryOf(targets: readonly Target[]): { targets: number; first: Target[] } {
  const first = targets.slice(0, TARGETS_LOGGED_MAX).map(({ repo, server }) => ({ repo, server }))
  return { targets: targets.length, first }
}
