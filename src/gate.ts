import type { FromSchema } from 'json-schema-to-ts'
import type { GateOptions } from './gate-options.ts'
import { STATES, type State } from './status/schema.ts'
import { summaryOf } from './status/states.ts'
import { validator } from './status/validation.ts'
import { STATE_WORDS, differencesInWords, countsInWords } from './views/words.ts'

/** `open`: all that matches is fine. `closed`: something is not. `unknown`: the answer could not be had. */
export type GateOutcome = 'open' | 'closed' | 'unknown'

export interface GateResult {
  readonly outcome: GateOutcome
  /** The lines to print, which a terminal shows unchanged. */
  readonly lines: readonly string[]
}

/** The largest answer, decompressed: about 100,000 targets. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024
/** The largest part of a refusal that is read. */
const REFUSAL_BYTES_MAX = 64 * 1024

const text = { type: 'string' } as const

/** The used properties of an answer. Later versions may add properties, but an unknown state is a fault. */
const answerSchema = {
  type: 'object',
  required: ['statuses'],
  properties: {
    statuses: {
      type: 'array',
      items: {
        type: 'object',
        required: ['repo', 'server', 'state'],
        properties: {
          repo: text,
          server: text,
          state: { enum: STATES },
          files: {
            type: 'array',
            items: {
              type: 'object',
              required: ['name'],
              properties: { name: text, kind: { type: 'string', enum: ['file', 'other'] } },
            },
          },
          since: text,
          last_check: { type: ['string', 'null'] },
          failed_check: { type: 'object', required: ['reason'], properties: { reason: text } },
          accepted_until: text,
          accepted_reason: text,
        },
      },
    },
  },
} as const

type Answer = FromSchema<typeof answerSchema>
type Entry = Answer['statuses'][number]

const isAnswer = validator<Answer>(answerSchema)
/** Problem details, RFC 9457. */
const isRefusal = validator<{ readonly detail: string }>({
  type: 'object',
  required: ['detail'],
  properties: { detail: text },
})

/** The reason why there is no answer, for the person who ran the command. */
class GateError extends Error {
  override readonly name = 'GateError'
}

/** Asks a server for the targets that match. Returns a line for each that is not fine and the verdict, or the reason why there is none. */
export async function gate(options: GateOptions): Promise<GateResult> {
  try {
    const entries = await entriesOf(options)
    const wrong = entries.filter(({ state }) => state !== 'synced' && !options.allow.has(state))
    const lines = wrong.map((entry) => `${entry.server} of ${entry.repo}: ${describe(entry)}`)
    const verdict = countsInWords(summaryOf(entries))
    return { outcome: wrong.length === 0 ? 'open' : 'closed', lines: [...lines, verdict].map(printable) }
  } catch (error) {
    if (!(error instanceof GateError)) throw error
    return { outcome: 'unknown', lines: [printable(error.message)] }
  }
}

/** The text after the word for the state. A property that a server should have sent may be missing. */
const DETAILS: Readonly<Partial<Record<State, (entry: Entry) => string>>> = {
  drifted: ({ files = [], since = 'unknown' }) => `: ${differencesInWords(files)}, since ${since}`,
  failing: ({ failed_check: failed }) => `: ${failed?.reason ?? 'unknown'}`,
  stale: ({ last_check: lastCheck }) => `: last check ${lastCheck ?? 'unknown'}`,
  accepted: ({ accepted_until: until = 'unknown', accepted_reason: reason = 'unknown' }) =>
    ` until ${until}: ${reason}`,
}

/** The state of a target with its details. */
function describe(entry: Entry): string {
  return `${STATE_WORDS.get(entry.state) ?? entry.state}${DETAILS[entry.state]?.(entry) ?? ''}`
}

/**
 * Asks for the targets that match. An answer without any is none: a name with a typo must not open the gate.
 *
 * @throws {GateError} if there is no answer that can be trusted
 */
async function entriesOf(options: GateOptions): Promise<Entry[]> {
  const url = new URL('api/status', options.url)
  for (const [name, value] of options.filter) url.searchParams.append(name, value)
  const answer = parse(await request(url, options))
  if (!isAnswer(answer)) {
    const [fault] = isAnswer.faults('')
    // Version 0.1 has no states, and reports targets in sync that are no longer checked.
    const isOld =
      fault !== undefined && /^\/statuses\/\d+\/state$/.test(fault.pointer) && fault.detail.includes('present')
    const reason = isOld ? 'its entries have no state, as in version 0.1' : `${fault?.pointer} ${fault?.detail}`
    throw new GateError(`${options.url.href}: is not a server of this version: ${reason}`)
  }
  if (answer.statuses.length === 0) throw new GateError(`${options.url.href}: no target matches`)
  return answer.statuses
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw new GateError('the answer is not JSON; --url must be the address of a server')
  }
}

async function request(url: URL, { timeoutSeconds, token }: GateOptions): Promise<string> {
  try {
    const response = await fetch(url, {
      headers: { Accept: 'application/json', ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) },
      // Another address must not get the token, nor answer in place of the one that was asked.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutSeconds * 1000),
    })
    if (response.status === 200) return await bodyOf(response, ANSWER_BYTES_MAX)
    throw new GateError(`${url.origin}: answered ${response.status}${await reasonOf(response)}`)
  } catch (error) {
    if (error instanceof GateError) throw error
    if (error instanceof DOMException && error.name === 'TimeoutError') {
      throw new GateError(`${url.origin}: no answer within ${timeoutSeconds} s`)
    }
    throw new GateError(`${url.origin}: ${causeOf(error)}`)
  }
}

/** The body of an answer as text. */
async function bodyOf({ body }: Response, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > bytesMax) throw new GateError(`the answer exceeds ${bytesMax / 1024} KiB; select fewer targets`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** The reason in a refusal, if it can be read. */
async function reasonOf(response: Response): Promise<string> {
  const location = response.headers.get('Location')
  if (location !== null) {
    await response.body?.cancel()
    return `: redirects to ${location}; redirects are not followed`
  }
  const body = await bodyOf(response, REFUSAL_BYTES_MAX)
    .then(parse)
    .catch(() => undefined)
  return isRefusal(body) ? `: ${body.detail}` : ''
}

/** `fetch` says why it failed in the cause of its error; several addresses may have failed. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  if (!(cause instanceof Error)) return String(cause)
  const code = 'code' in cause ? String(cause.code) : cause.name
  return cause.message === '' ? code : cause.message
}

/** A line that a terminal shows as it is: what would move the cursor, hide or turn the text is spelled out. */
function printable(line: string): string {
  return line.replaceAll(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`,
  )
}
