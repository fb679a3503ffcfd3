import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { type Action, type Token, type Tokens, mayDo } from '../access/tokens.ts'
import type { Actor, Target } from '../status/document.ts'
import type { Fault } from '../status/json.ts'
import { Problem } from './problems.ts'
import { isRead } from './request.ts'

/** Probes carry no credentials. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/healthz', '/readyz'])
const REALM = 'realm="gitops-status-server"'

/** How many targets one line of the log names. */
const TOLD_MAX = 10
/** So many refusals in so many seconds from one address. */
const REFUSALS_MAX = 30
const REFUSALS_SECONDS = 60
/** Addresses share so many counters, so that nobody can make counters without end. */
const COUNTERS = 4096

interface Trouble {
  readonly since: string
  readonly detail: string
}

export interface AccessOptions {
  /** The tokens in force now; without it anybody may do anything. */
  readonly tokens?: { readonly tokens: Tokens; readonly trouble: Trouble | undefined } | undefined
  readonly protectReads: boolean
}

/** Who may do what. Nothing but the probes is open unless it is meant to be: a new route is protected by itself. */
export class Access {
  readonly #options: AccessOptions
  readonly #addressOf: (req: IncomingMessage) => string | undefined
  /** The tokens that requests were admitted with: a token may be removed while the body is still arriving. */
  readonly #found = new WeakMap<IncomingMessage, Token | undefined>()
  readonly #refusals = new RateLimiterMemory({ points: REFUSALS_MAX, duration: REFUSALS_SECONDS })

  constructor(options: AccessOptions, addressOf: (req: IncomingMessage) => string | undefined) {
    this.#options = options
    this.#addressOf = addressOf
  }

  /** Reports whether a request may be handled at all. What a token may do to which target is up to `permit`. */
  admits(req: IncomingMessage, path: string): boolean {
    if (this.#options.tokens === undefined || OPEN_PATHS.has(path) || req.method === 'OPTIONS') return true
    if (!isRead(req)) return this.#tokenOf(req) !== undefined
    return this.mayRead(req)
  }

  /**
   * Refuses a request that is not admitted. A valid token is never kept out, whatever else comes from its address.
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
      throw new Problem('too-many-refusals', 'too many requests without a valid token came from there', { headers })
    }
    const presented = req.headers.authorization !== undefined
    const bearer = presented ? `Bearer ${REALM}, error="invalid_token"` : `Bearer ${REALM}`
    const challenge = isRead(req) ? [bearer, `Basic ${REALM}, charset="UTF-8"`] : bearer
    const detail = presented ? 'the token is not known, or no longer valid' : 'Authorization: Bearer is missing'
    throw new Problem('unauthorized', detail, { headers: { 'WWW-Authenticate': challenge } })
  }

  /** Whether who asks may know what is in the document: a probe may not, where reads are protected. */
  mayRead(req: IncomingMessage): boolean {
    return !this.#options.protectReads || this.#tokenOf(req)?.read === true
  }

  /**
   * Makes sure that all of this may be done.
   *
   * @param pointers where in the body each target stands
   * @throws {Problem} naming every target that the token may not touch
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
              detail: `must be a target that the token may ${action}: ${told(target)}`,
            },
          ],
    )
    if (faults.length === 0) return
    throw forbidden(`the token ${token?.name ?? ''} may not ${action} this; nothing was changed`, faults)
  }

  /** What is wrong with the tokens, as `/readyz` tells it. */
  get trouble(): Trouble | undefined {
    return this.#options.tokens?.trouble
  }

  /** Who sent a request, for the log and the history. */
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
 * The secret that a request brings: as a bearer, and for reading also as the password of Basic, which browsers ask for.
 * Not for writing: a browser sends a password that it knows with whatever page asks.
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

function told({ repo, server }: Target): string {
  return `${JSON.stringify(server)} of ${JSON.stringify(repo)}`
}

/** What a log line tells of the targets of a request: how many, and the first few. */
export function summaryOf(targets: readonly Target[]): { targets: number; first: Target[] } {
  const first = targets.slice(0, TOLD_MAX).map(({ repo, server }) => ({ repo, server }))
  return { targets: targets.length, first }
}
