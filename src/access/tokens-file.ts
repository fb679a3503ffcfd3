import { readFile } from 'node:fs/promises'
import type { Logger } from 'pino'
import { lineOf } from '../status/json.ts'
import { formatTime } from '../status/time.ts'
import { type Tokens, readTokens } from './tokens.ts'

/** Polled, not watched: a Secret of Kubernetes is replaced by a symbolic link, which file watchers report unreliably. */
const POLL_EVERY_MS = 2000

/** `TOKENS_FILE` cannot be used. The message has every fault with its place. */
export class TokensFileError extends Error {
  override readonly name = 'TokensFileError'
}

/** The tokens in force: those of the last valid version of the file. */
export class TokensFile {
  readonly #path: string
  readonly #log: Logger
  #tokens: Tokens
  #bytes: Buffer
  #timer: NodeJS.Timeout | undefined
  #reading: Promise<void> = Promise.resolve()
  #trouble: { readonly since: string; readonly detail: string } | undefined

  private constructor(path: string, log: Logger, bytes: Buffer, tokens: Tokens) {
    this.#path = path
    this.#log = log
    this.#bytes = bytes
    this.#tokens = tokens
  }

  /** @throws {TokensFileError} if the file cannot be read or is not valid */
  static async open(path: string, log: Logger): Promise<TokensFile> {
    const bytes = await readOrThrow(path)
    return new TokensFile(path, log, bytes, tokensIn(path, bytes))
  }

  get tokens(): Tokens {
    return this.#tokens
  }

  /** The reason why the current file is not in use; `undefined` if it is. */
  get trouble(): { readonly since: string; readonly detail: string } | undefined {
    return this.#trouble
  }

  get size(): number {
    return this.#tokens.size
  }

  /** Follows changes of the file, until `stop`. */
  watch(): void {
    this.#timer = setTimeout(() => void this.#poll(), POLL_EVERY_MS).unref()
  }

  /** Reads the file now, and logs the outcome, whether it has changed or not. */
  async reload(): Promise<void> {
    await this.#read(true)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  async #poll(): Promise<void> {
    await this.#read()
    if (this.#timer !== undefined) this.watch()
  }

  /** One read after the other: a slower one would bring back older tokens. */
  async #read(isAsked = false): Promise<void> {
    this.#reading = this.#reading.then(async () => this.#readNow(isAsked))
    await this.#reading
  }

  async #readNow(isAsked: boolean): Promise<void> {
    try {
      const bytes = await readOrThrow(this.#path)
      if (!isAsked && this.#trouble === undefined && bytes.equals(this.#bytes)) return
      this.#tokens = tokensIn(this.#path, bytes)
      this.#bytes = bytes
      this.#log.info({ file: this.#path, tokens: this.#tokens.size }, 'tokens reloaded')
      this.#trouble = undefined
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error)
      if (!isAsked && detail === this.#trouble?.detail) return
      this.#trouble = { since: this.#trouble?.since ?? formatTime(Date.now()), detail }
      this.#log.error({ file: this.#path, detail, inForce: 'the previous tokens' }, 'tokens file rejected')
    }
  }
}

async function readOrThrow(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new TokensFileError(`${path}: cannot be read: ${reason}; TOKENS_FILE must be a file that this user can read`)
  }
}

function tokensIn(path: string, bytes: Buffer): Tokens {
  const outcome = readTokens(bytes)
  if (outcome.ok) return outcome.value
  throw new TokensFileError(outcome.faults.map((fault) => lineOf(path, fault, '(file)')).join('; '))
}
