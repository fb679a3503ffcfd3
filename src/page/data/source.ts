import { batch } from '@preact/signals'
import { addressed } from './addressed.ts'
import { DocumentReader } from './document-reader.ts'
import { isRecord } from './read-target.ts'
import { type Trouble, connection, now, statusDocument, troubles } from './state.ts'

const PERIOD_MS = 5000
/** In a hidden tab only the title and the icon are visible. */
const PERIOD_HIDDEN_MS = 60_000
const PERIOD_LOST_MAX_MS = 60_000
const TIMEOUT_MS = 10_000
const TICK_MS = 5000
const HEALTH_WAIT_MS = 1000

/**
 * Keeps the state of the page up to date: polls `status.json` every 5 s, less often if the page is hidden or the server
 * cannot be reached, and at once when the page becomes visible.
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
  readonly #reader = new DocumentReader()
  #etag: string | undefined
  /** The server's clock minus the browser's, in ms. */
  #offset = 0
  #checkedAt: number | undefined
  #failures = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #polling: Promise<void> | undefined

  tick(): void {
    now.value = Date.now() + this.#offset
  }

  /** Polls once; calls while a poll is running share it. */
  async poll(): Promise<void> {
    this.#polling ??= this.#request().finally(() => {
      this.#polling = undefined
      this.#wait()
    })
    return this.#polling
  }

  /** Polls at once if the page is visible now. */
  schedule(): void {
    if (document.visibilityState === 'visible') void this.poll()
    else this.#wait()
  }

  #wait(): void {
    clearTimeout(this.#timer)
    const isVisible = document.visibilityState === 'visible'
    const period = Math.min(PERIOD_MS * 2 ** this.#failures, PERIOD_LOST_MAX_MS)
    this.#timer = setTimeout(() => void this.poll(), isVisible ? period : PERIOD_HIDDEN_MS)
  }

  async #request(): Promise<void> {
    const health = readTroubles()
    try {
      const response = await get('status.json', this.#etag === undefined ? {} : { 'If-None-Match': this.#etag })
      if (!response.ok && response.status !== 304) throw new Error(`the server answered ${response.status}`)
      const read = response.status === 304 ? undefined : this.#reader.read(await response.text())
      const found = await Promise.race([health, formerTroubles()])
      batch(() => {
        this.#offset = clockOffset(response)
        this.tick()
        if (read !== undefined) statusDocument.value = read
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
  return fetch(addressed(path), { headers, cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) })
}

/** The offset of the server's clock, from the header `Date`, and `Age` if a cache has answered. Less than 2 s is its resolution and the time of the answer: 0. */
function clockOffset(response: Response): number {
  const date = Date.parse(response.headers.get('Date') ?? '')
  const age = Number(response.headers.get('Age') ?? 0) * 1000 || 0
  const offset = date + age - Date.now()
  return Number.isNaN(offset) || Math.abs(offset) < 2000 ? 0 : offset
}

/** The previous troubles, if the server is slow to answer: the document must not wait for them. */
async function formerTroubles(): Promise<readonly Trouble[] | undefined> {
  return new Promise((done) => {
    setTimeout(() => done(troubles.peek()), HEALTH_WAIT_MS)
  })
}

function reasonOf(error: unknown): string {
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'the server did not answer in time'
  if (error instanceof SyntaxError) return 'the answer is not JSON'
  // fetch() rejects with a TypeError, whose message differs between browsers, if there is no connection.
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
