import { batch } from '@preact/signals'
import { type Trouble, connection, now, picture, troubles } from './state.ts'
import { isRecord, readDocument } from './targets.ts'

const PERIOD_MS = 5000
/** Where nobody looks, only the title and the icon are seen. */
const PERIOD_HIDDEN_MS = 60_000
const PERIOD_LOST_MAX_MS = 60_000
const TIMEOUT_MS = 10_000
const TICK_MS = 5000

/**
 * Keeps the page's picture of the server up to date: asks for `status.json` every 5 s, less often where the page is not
 * seen or the server is not reached, and at once when somebody looks.
 */
export function keepUpToDate(): void {
  const source = new Source()
  const poll = (): void => void source.poll()
  poll()
  for (const name of ['focus', 'online', 'pageshow'] as const) window.addEventListener(name, poll)
  document.addEventListener('visibilitychange', () => source.schedule())
  setInterval(() => source.tick(), TICK_MS)
}

class Source {
  #etag: string | undefined
  /** How far the server's clock is ahead of this one, in ms. */
  #ahead = 0
  #checkedAt: number | undefined
  #failures = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #polling: Promise<void> | undefined

  tick(): void {
    now.value = Date.now() + this.#ahead
  }

  /** Asks once; who asks meanwhile gets the same answer. */
  async poll(): Promise<void> {
    this.#polling ??= this.#ask().finally(() => {
      this.#polling = undefined
      this.#wait()
    })
    return this.#polling
  }

  /** Asks at once where the page has come to be seen. */
  schedule(): void {
    if (document.visibilityState === 'visible') void this.poll()
    else this.#wait()
  }

  #wait(): void {
    clearTimeout(this.#timer)
    const seen = document.visibilityState === 'visible'
    const period = Math.min(PERIOD_MS * 2 ** this.#failures, PERIOD_LOST_MAX_MS)
    this.#timer = setTimeout(() => void this.poll(), seen ? period : PERIOD_HIDDEN_MS)
  }

  async #ask(): Promise<void> {
    const health = readTroubles()
    try {
      const response = await get('status.json', this.#etag === undefined ? {} : { 'If-None-Match': this.#etag })
      if (!response.ok && response.status !== 304) throw new Error(`the server answered ${response.status}`)
      const read = response.status === 304 ? undefined : readDocument(await response.json())
      const found = await health
      batch(() => {
        this.#ahead = aheadOf(response)
        this.tick()
        if (read !== undefined) picture.value = read
        troubles.value = found
        connection.value = { kind: 'live' }
      })
      if (read !== undefined) this.#etag = response.headers.get('ETag') ?? undefined
      this.#failures = 0
      this.#checkedAt = now.value
    } catch (error) {
      this.#failures += 1
      this.tick()
      connection.value = { kind: 'lost', since: this.#checkedAt, reason: reasonOf(error) }
    }
  }
}

async function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(path, { headers, cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) })
}

/** How far the clock that wrote `Date` is ahead of this one; a second more or less is the way of the answer. */
function aheadOf(response: Response): number {
  const date = Date.parse(response.headers.get('Date') ?? '')
  const ahead = date - Date.now()
  return Number.isNaN(ahead) || Math.abs(ahead) < 2000 ? 0 : ahead
}

function reasonOf(error: unknown): string {
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'no answer came in time'
  if (error instanceof SyntaxError) return 'the answer is not JSON'
  // A browser's own words for a connection that could not be made differ from one to the next, and say nothing.
  if (error instanceof TypeError && !error.message.startsWith('not a')) return 'the server cannot be reached'
  return error instanceof Error ? error.message : String(error)
}

async function readTroubles(): Promise<readonly Trouble[] | undefined> {
  try {
    const value: unknown = await (await get('readyz')).json()
    if (!isRecord(value) || !Array.isArray(value['problems'])) return undefined
    return value['problems'].filter(isRecord).map((problem) => ({
      kind: String(problem['kind']),
      detail: String(problem['detail']),
      file: typeof problem['file'] === 'string' ? problem['file'] : undefined,
      faults: (Array.isArray(problem['errors']) ? problem['errors'] : []).filter(isRecord).map((fault) => ({
        place: `line ${String(fault['line'])}, column ${String(fault['column'])}`,
        detail: [fault['pointer'], fault['detail']].filter((part) => part !== '').join(': '),
      })),
    }))
  } catch {
    return undefined
  }
}
