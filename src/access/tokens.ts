import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { FromSchema } from 'json-schema-to-ts'
import type { Target } from '../status/document.ts'
import { type Fault, type LocatedFault, type Outcome, duplicateFaults, locate, parseJson } from '../status/json.ts'
import { time } from '../status/schema.ts'
import { timeOf } from '../status/time.ts'
import { validator } from '../status/validation.ts'
import { matchesGlob } from './glob.ts'

const TOKENS_MAX = 1000
/** Tells what it is, to people and to scanners for secrets that have slipped out. */
const SECRET_PREFIX = 'gss_'
const SECRET_BYTES = 32

const glob = { type: 'string', minLength: 1, maxLength: 253 } as const

const scopes = {
  type: 'array',
  maxItems: 1000,
  items: { type: 'object', properties: { repo: glob, server: glob }, additionalProperties: false },
} as const

/** `TOKENS_FILE`. */
export const tokensSchema = {
  title: 'Tokens of gitops-status-server',
  type: 'object',
  required: ['tokens'],
  properties: {
    $schema: { type: 'string' },
    tokens: {
      type: 'array',
      maxItems: TOKENS_MAX,
      items: {
        type: 'object',
        required: ['name', 'sha256'],
        properties: {
          name: {
            type: 'string',
            maxLength: 100,
            pattern: '^[\\w.@-]+$',
            patternErrorMessage: 'must be letters, digits, and . _ - @',
            description: 'Who it is, in the log and in the history. It may stand twice, for a rotation.',
          },
          sha256: {
            type: 'string',
            pattern: '^[0-9a-f]{64}$',
            patternErrorMessage: 'must be a SHA-256 as 64 hexadecimal digits in lower case',
          },
          write: { ...scopes, description: 'The targets that it may post; * and ? as in a shell, all where left out.' },
          delete: { ...scopes, description: 'The targets that it may remove.' },
          read: { type: 'boolean', description: 'Whether it may read where reads are protected.' },
          expires: { ...time, description: 'From when on it is no longer valid.' },
        },
        additionalProperties: false,
      },
    },
  },
  additionalProperties: false,
} as const

type TokensDocument = FromSchema<typeof tokensSchema>
export type Token = TokensDocument['tokens'][number]

const isTokensDocument = validator<TokensDocument>(tokensSchema)

/** What can be done to a target. */
export type Action = 'write' | 'delete'

/** Tells whether a token may do this to a target. */
export function mayDo(token: Token, action: Action, target: Target): boolean {
  return (token[action] ?? []).some(
    ({ repo = '*', server = '*' }) => matchesGlob(repo, target.repo) && matchesGlob(server, target.server),
  )
}

/** The tokens that are known, by what they hash to. */
export class Tokens {
  readonly #tokens: readonly { readonly token: Token; readonly hash: Buffer; readonly expires: number }[]

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens.map((token) => ({
      token,
      hash: Buffer.from(token.sha256, 'hex'),
      expires: token.expires === undefined ? Infinity : timeOf(token.expires),
    }))
  }

  get size(): number {
    return this.#tokens.length
  }

  /** Finds the valid token of a secret. Every token is compared, in constant time: the time tells nothing of any. */
  find(secret: string, now: number): Token | undefined {
    const hash = sha256(secret)
    let found: Token | undefined
    for (const { token, hash: known, expires } of this.#tokens) {
      if (timingSafeEqual(hash, known) && now < expires) found = token
    }
    return found
  }
}

/** Reads `TOKENS_FILE`. */
export function readTokens(bytes: Uint8Array): Outcome<Tokens, LocatedFault> {
  const json = parseJson(bytes)
  if (!json.ok) return json
  const { value, text } = json.value
  if (!isTokensDocument(value)) return { ok: false, faults: locate(text, isTokensDocument.faults('')) }
  const faults = value.tokens.flatMap(({ sha256: hash }, index): Fault[] => {
    const first = value.tokens.findIndex((other) => other.sha256 === hash)
    if (first === index) return []
    return [{ pointer: `/tokens/${index}/sha256`, detail: `must not be the same as that of /tokens/${first}` }]
  })
  if (faults.length > 0) return { ok: false, faults: locate(text, faults) }
  const duplicates = duplicateFaults(text)
  if (duplicates.length > 0) return { ok: false, faults: duplicates }
  return { ok: true, value: new Tokens(value.tokens) }
}

/** Makes a token: the secret, for whoever is to use it, and what goes into `TOKENS_FILE`; it may post all targets. */
export function makeToken(name: string): { readonly secret: string; readonly token: Token } {
  const secret = SECRET_PREFIX + randomBytes(SECRET_BYTES).toString('base64url')
  return { secret, token: { name, sha256: sha256(secret).toString('hex'), write: [{ repo: '*', server: '*' }] } }
}

/** Secrets have 256 random bits: a slow hash with a salt would keep nobody out that this does not. */
function sha256(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
