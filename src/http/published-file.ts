import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { Request, RequestHandler } from 'express'

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

const ENCODINGS = {
  br: (bytes: Buffer): Promise<Buffer> =>
    promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
  gzip: (bytes: Buffer): Promise<Buffer> => promisify(gzip)(bytes),
  identity: (bytes: Buffer): Promise<Buffer> => Promise.resolve(bytes),
} as const

type Encoding = keyof typeof ENCODINGS

/** One version of a file in the encodings that were asked for, each made once. */
class Representation {
  readonly file: Bytes
  readonly lastModified: string
  /** Whether somebody was sent other bytes with the same Last-Modified, which counts whole seconds. */
  readonly ambiguous: boolean
  sent = false
  readonly #bodies = new Map<Encoding, Promise<Buffer>>()

  constructor(file: Bytes, before: Representation | undefined) {
    this.file = file
    this.lastModified = new Date(file.modifiedAt).toUTCString()
    this.ambiguous = before?.lastModified === this.lastModified && (before.sent || before.ambiguous)
  }

  etag(encoding: Encoding): string {
    return encoding === 'identity' ? `"${this.file.digest}"` : `"${this.file.digest}-${encoding}"`
  }

  async body(encoding: Encoding): Promise<Buffer> {
    let body = this.#bodies.get(encoding)
    if (body === undefined) {
      body = ENCODINGS[encoding](this.file.bytes)
      this.#bodies.set(encoding, body)
    }
    return body
  }
}

/**
 * Serves a file byte for byte, whatever Accept says, and never with a redirect.
 *
 * @param current the file as it stands now
 * @param headers `Content-Type`, and what else belongs to it
 */
export function publishedFile(
  current: () => Bytes,
  headers: Readonly<Record<string, string>> = { 'Content-Type': 'application/json; charset=utf-8' },
): RequestHandler {
  let newest = new Representation(current(), undefined)
  return async (req, res) => {
    if (newest.file !== current()) newest = new Representation(current(), newest)
    const representation = newest
    const encoding = encodingFor(req)
    res.set({
      'Cache-Control': 'no-cache',
      'Last-Modified': representation.lastModified,
      ETag: representation.etag(encoding),
      Vary: 'Accept-Encoding',
      ...(encoding === 'identity' ? {} : { 'Content-Encoding': encoding }),
      ...headers,
    })
    // A time of whole seconds cannot tell two documents of one second apart: better sent twice than old for new.
    if (representation.ambiguous) delete req.headers['if-modified-since']
    representation.sent = true
    res.send(await representation.body(encoding))
  }
}

/** The best encoding that the client takes; `q=0` refuses one. */
function encodingFor(req: Request): Encoding {
  return (['br', 'gzip'] as const).find((encoding) => req.acceptsEncodings(encoding) === encoding) ?? 'identity'
}
