import { createHash } from 'node:crypto'
import type { Request, RequestHandler, Response } from 'express'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { type Action, type Token, type Tokens, mayDo } from '../access/tokens.ts'
import type { Actor, Target } from '../status/document.ts'
import type { Fault } from '../status/json.ts'
import { Problem } from './problems.ts'

/** Probes carry no credentials. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/healthz', '/readyz'])
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD'])
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
  readonly #known = new WeakMap<Request, Token>()
  readonly #refusals = new RateLimiterMemory({ points: REFUSALS_MAX, duration: REFUSALS_SECONDS })

  constructor(options: AccessOptions) {
    this.#options = options
  }

  /** Lets through who may be here at all; what a token may do to which target, `permit` tells. */
  get guard(): RequestHandler {
    return async (req, res, next) => {
      const { tokens, protectReads } = this.#options
      if (tokens === undefined) return next()
      const reading = READS.has(req.method)
      const token = tokens.tokens.find(secretOf(req, reading) ?? '', Date.now())
      if (token !== undefined) this.#known.set(req, token)
      if (OPEN_PATHS.has(req.path) || req.method === 'OPTIONS' || (reading && !protectReads)) return next()
      if (token === undefined) return this.#refuse(req, res, reading)
      if (reading && token.read !== true) throw forbidden(res, `the token ${token.name} may not read`)
      return next()
    }
  }

  /** Whether who asks may know what is in the document: a probe may not, where reads are protected. */
  mayRead(req: Request): boolean {
    return !this.#options.protectReads || this.#known.get(req)?.read === true
  }

  /**
   * Makes sure that all of this may be done.
   *
   * @param pointers where in the body each target stands
   * @throws {Problem} naming every target that the token may not touch
   */
  permit(req: Request, action: Action, targets: readonly Target[], pointers: readonly string[] = []): void {
    if (this.#options.tokens === undefined) return
    const token = this.#known.get(req)
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
    throw forbidden(req.res, `the token ${token?.name ?? ''} may not ${action} this; nothing was changed`, faults)
  }

  /** What is wrong with the tokens, as `/readyz` tells it. */
  get trouble(): Trouble | undefined {
    return this.#options.tokens?.trouble
  }

  /** Who asks, for the log and the history. */
  actorOf(req: Request): Actor {
    const name = this.#known.get(req)?.name
    return { ...(name === undefined ? {} : { token: name }), ...(req.ip === undefined ? {} : { address: req.ip }) }
  }

  /** A valid token is never kept out, whatever else comes from its address. */
  async #refuse(req: Request, res: Response, reading: boolean): Promise<void> {
    try {
      await this.#refusals.consume(counterOf(req.ip ?? ''))
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error
      const headers = { 'Retry-After': String(Math.ceil(error.msBeforeNext / 1000)) }
      throw new Problem('too-many-refusals', 'too many requests without a valid token came from there', { headers })
    }
    const presented = req.headers.authorization !== undefined
    const bearer = presented ? `Bearer ${REALM}, error="invalid_token"` : `Bearer ${REALM}`
    res.set('WWW-Authenticate', reading ? [bearer, `Basic ${REALM}, charset="UTF-8"`] : bearer)
    const detail = presented ? 'the token is not known, or no longer valid' : 'Authorization: Bearer is missing'
    throw new Problem('unauthorized', detail)
  }
}

function forbidden(res: Response | undefined, detail: string, faults: readonly Fault[] = []): Problem {
  res?.set('WWW-Authenticate', `Bearer ${REALM}, error="insufficient_scope"`)
  return new Problem('forbidden', detail, { faults })
}

/**
 * The secret that a request brings: as a bearer, and for reading also as the password of Basic, which browsers ask for.
 * Not for writing: a browser sends a password that it knows with whatever page asks.
 */
function secretOf(req: Request, reading: boolean): string | undefined {
  const [, scheme = '', credentials = ''] = /^(\w+) +([\w.~+/=-]+) *$/.exec(req.headers.authorization ?? '') ?? []
  if (scheme.toLowerCase() === 'bearer') return credentials
  if (scheme.toLowerCase() !== 'basic' || !reading) return undefined
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
