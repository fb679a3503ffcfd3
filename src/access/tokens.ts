import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { FromSchema } from 'json-schema-to-ts'
import type { Target } from '../status/target.ts'
import { type Fault, type LocatedFault, type Outcome, duplicateFaults, locate, parseJson } from '../status/json.ts'
import { time } from '../status/schema.ts'
import { timeOf } from '../status/time.ts'
import { validator } from '../status/validation.ts'
import { includesGlob, matchesGlob } from '../status/glob.ts'

const TOKENS_MAX = 1000
/** Identifies a secret to people, and to scanners for leaked secrets. */
const SECRET_PREFIX = 'gss_'
const SECRET_BYTES = 32

const NAME_PATTERN = '^[\\w.@-]+$'
const SHA256_PATTERN = '^[0-9a-f]{64}$'
const PATTERN_MESSAGES = {
  [NAME_PATTERN]: 'must be letters, digits, and . _ - @',
  [SHA256_PATTERN]: 'must be a SHA-256 as 64 hexadecimal digits in lower case',
}

const glob = { type: 'string', minLength: 1, maxLength: 253 } as const

const scopes = {
  type: 'array',
  maxItems: 1000,
  items: { type: 'object', properties: { repo: glob, server: glob }, additionalProperties: false },
} as const

/** The schema of `TOKENS_FILE`. */
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
            pattern: NAME_PATTERN,
            description: 'The name in the log and in the history. Two tokens may share a name, for a rotation.',
          },
          sha256: {
            type: 'string',
            pattern: SHA256_PATTERN,
          },
          write: {
            ...scopes,
            description: 'The targets that it may post; * and ? as in a shell. A missing property matches all.',
          },
          delete: { ...scopes, description: 'The targets that it may remove.' },
          accept: {
            ...scopes,
            description: 'The targets whose drift it may accept: a rule must not match any other target.',
          },
          read: { type: 'boolean', description: 'True if it may read while reads are protected.' },
          expires: { ...time, description: 'The time from which it is no longer valid.' },
        },
        additionalProperties: false,
      },
    },
  },
  additionalProperties: false,
} as const

type TokensDocument = FromSchema<typeof tokensSchema>
export type Token = TokensDocument['tokens'][number]

const isTokensDocument = validator<TokensDocument>(tokensSchema, PATTERN_MESSAGES)

export type Action = 'write' | 'delete' | 'accept'

/** Reports whether a token may do this to a target; to accept, the names are the globs of a rule. */
export function mayDo(token: Token, action: Action, target: Target): boolean {
  const covers = action === 'accept' ? includesGlob : matchesGlob
  return (token[action] ?? []).some(
    ({ repo = '*', server = '*' }) => covers(repo, target.repo) && covers(server, target.server),
  )
}

/** A set of tokens, found by their secrets. */
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

  /**
   * Finds the valid token of a secret. Compares with every token in constant time, so that the time of an answer reveals
   * nothing about any of them.
   *
   * @param now in ms since the epoch
   */
  find(secret: string, now: number): Token | undefined {
    const hash = sha256(secret)
    let found: Token | undefined
    for (const { token, hash: known, expires } of this.#tokens) {
      if (timingSafeEqual(hash, known) && now < expires) found = token
    }
    return found
  }
}

/** Parses and checks the content of `TOKENS_FILE`. */
export function readTokens(bytes: Uint8Array): Outcome<Tokens, LocatedFault> {
  const json = parseJson(bytes)
  if (!json.ok) return json
  const { value, text } = json.value
  if (!isTokensDocument(value)) return { ok: false, faults: locate(text, isTokensDocument.faults('')) }
  const faults = value.tokens.flatMap(({ sha256: hash }, index): Fault[] => {
    const first = value.tokens.findIndex((other) => other.sha256 === hash)
    if (first === index) return []
    return [{ pointer: `/tokens/${index}/sha256`, detail: `duplicate of /tokens/${first}/sha256` }]
  })
  if (faults.length > 0) return { ok: false, faults: locate(text, faults) }
  const duplicates = duplicateFaults(text, value)
  if (duplicates.length > 0) return { ok: false, faults: duplicates }
  return { ok: true, value: new Tokens(value.tokens) }
}

/** Makes a token that may post all targets: the secret, and the entry of `TOKENS_FILE`, which has only its hash. */
export function makeToken(name: string): { readonly secret: string; readonly token: Token } {
  const secret = SECRET_PREFIX + randomBytes(SECRET_BYTES).toString('base64url')
  return { secret, token: { name, sha256: sha256(secret).toString('hex'), write: [{ repo: '*', server: '*' }] } }
}

/** Secrets have 256 random bits and cannot be guessed: a slow, salted hash would add nothing. */
function sha256(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
