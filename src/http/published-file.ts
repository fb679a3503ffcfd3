import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import fresh from 'fresh'
import Negotiator from 'negotiator'

/** What is served as it stands. */
export interface Bytes {
  readonly bytes: Buffer
  /** Changes with every byte; a part of the ETag. */
  readonly digest: string
  /** In ms since the epoch. */
  readonly modifiedAt: number
}

/** Quick to make, and most of what the highest levels save: a document changes every few seconds. */
const BROTLI_QUALITY = 5
/** Clients send few different `Accept-Encoding`; whoever makes up more costs only the looking up. */
const ACCEPTED_MAX = 100

const ENCODINGS = {
  br: async (bytes: Buffer): Promise<Buffer> =>
    promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
  gzip: async (bytes: Buffer): Promise<Buffer> => promisify(gzip)(bytes),
} as const

type Encoding = keyof typeof ENCODINGS | 'identity'

/** One version of a file in one encoding, with its headers as they go out: names and values in turn. */
interface Answer {
  readonly etag: string
  readonly found: string[]
  readonly notModified: string[]
  readonly body: Buffer
}

/** One version of a file in the encodings that were asked for, each made once and in the thread pool. */
class Representation {
  readonly file: Bytes
  readonly lastModified: string
  /** Whether somebody was sent other bytes with the same Last-Modified, which counts whole seconds. */
  readonly ambiguous: boolean
  sent = false
  readonly #headers: Readonly<Record<string, string>>
  readonly #answers = new Map<Encoding, Answer | Promise<Answer>>()

  constructor(file: Bytes, headers: Readonly<Record<string, string>>, before: Representation | undefined) {
    this.file = file
    this.#headers = headers
    this.lastModified = new Date(file.modifiedAt).toUTCString()
    this.ambiguous = before?.lastModified === this.lastModified && (before.sent || before.ambiguous)
  }

  /** The answer, where it is ready; else a promise of it. */
  answer(encoding: Encoding): Answer | Promise<Answer> {
    const known = this.#answers.get(encoding)
    if (known !== undefined) return known
    const made = encoding === 'identity' ? this.#answer(encoding, this.file.bytes) : this.#make(encoding)
    this.#answers.set(encoding, made)
    return made
  }

  async #make(encoding: keyof typeof ENCODINGS): Promise<Answer> {
    const answer = this.#answer(encoding, await ENCODINGS[encoding](this.file.bytes))
    this.#answers.set(encoding, answer)
    return answer
  }

  #answer(encoding: Encoding, body: Buffer): Answer {
    const plain = encoding === 'identity'
    const etag = plain ? `"${this.file.digest}"` : `"${this.file.digest}-${encoding}"`
    const { 'Content-Type': _type, ...kept } = this.#headers
    const validators = { ETag: etag, Vary: 'Accept-Encoding' }
    const found = {
      ...this.#headers,
      'Last-Modified': this.lastModified,
      ...validators,
      ...(plain ? {} : { 'Content-Encoding': encoding }),
      'Content-Length': String(body.length),
    }
    // RFC 9110, 15.4.5: nothing but what a cache needs; with an ETag it needs no date.
    const notModified = { ...kept, ...validators }
    return { etag, found: Object.entries(found).flat(), notModified: Object.entries(notModified).flat(), body }
  }
}

/**
 * Serves a file byte for byte from memory, whatever Accept says, and never with a redirect. Everything that does not
 * depend on the request is made once for each version of the file.
 *
 * @param current the file as it stands now
 * @param headers what goes out with it: `Content-Type`, `Cache-Control`, and whatever else belongs to it
 * @param answered is told the status of each answer
 */
export function publishedFile(
  current: () => Bytes,
  headers: Readonly<Record<string, string>>,
  answered: (status: number) => void = () => undefined,
): (req: IncomingMessage, res: ServerResponse) => Promise<void> | undefined {
  let newest = new Representation(current(), headers, undefined)
  return (req, res) => {
    if (newest.file !== current()) newest = new Representation(current(), headers, newest)
    const representation = newest
    const answer = representation.answer(encodingFor(req))
    if (answer instanceof Promise) return answer.then((made) => answered(send(req, res, representation, made)))
    answered(send(req, res, representation, answer))
    return undefined
  }
}

/** Returns the status. */
function send(req: IncomingMessage, res: ServerResponse, representation: Representation, answer: Answer): number {
  if (isKnown(req, representation, answer)) {
    res.writeHead(304, answer.notModified).end()
    return 304
  }
  representation.sent = true
  res.writeHead(200, answer.found).end(req.method === 'HEAD' ? undefined : answer.body)
  return 200
}

/** Whether the client has this version already. */
function isKnown({ headers }: IncomingMessage, { ambiguous, lastModified }: Representation, { etag }: Answer): boolean {
  const { 'if-none-match': tags, 'if-modified-since': since } = headers
  if (tags === undefined && since === undefined) return false
  // What nearly all clients send that ask again.
  if (tags === etag && headers['cache-control'] === undefined) return true
  // A time of whole seconds cannot tell two documents of one second apart: better sent twice than old for new.
  const asked = ambiguous ? { ...headers, 'if-modified-since': undefined } : headers
  return fresh(asked, { etag, 'last-modified': lastModified })
}

const accepted = new Map<string, Encoding>()

/** The best encoding that the client takes; `q=0` refuses one. */
function encodingFor(req: IncomingMessage): Encoding {
  const header = req.headers['accept-encoding'] ?? ''
  const known = accepted.get(header)
  if (known !== undefined) return known
  const negotiator = new Negotiator(req)
  const encoding = (['br', 'gzip'] as const).find((each) => negotiator.encoding([each]) === each) ?? 'identity'
  if (accepted.size >= ACCEPTED_MAX) accepted.clear()
  accepted.set(header, encoding)
  return encoding
}
