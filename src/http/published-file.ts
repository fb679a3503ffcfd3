import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { Request, RequestHandler } from 'express'
import type { Published } from '../store/commit-loop.ts'

/** Quick to make, and most of what the highest levels save: a document changes every few seconds. */
const BROTLI_QUALITY = 5

const ENCODINGS = {
  br: (bytes: Buffer): Promise<Buffer> =>
    promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
  gzip: (bytes: Buffer): Promise<Buffer> => promisify(gzip)(bytes),
  identity: (bytes: Buffer): Promise<Buffer> => Promise.resolve(bytes),
} as const

type Encoding = keyof typeof ENCODINGS

/** One published document in the encodings that were asked for, each made once. */
class Representation {
  readonly published: Published
  readonly lastModified: string
  /** Whether somebody was sent other bytes with the same Last-Modified, which counts whole seconds. */
  readonly ambiguous: boolean
  sent = false
  readonly #bodies = new Map<Encoding, Promise<Buffer>>()

  constructor(published: Published, before: Representation | undefined) {
    this.published = published
    this.lastModified = new Date(published.modifiedAt).toUTCString()
    this.ambiguous = before?.lastModified === this.lastModified && (before.sent || before.ambiguous)
  }

  etag(encoding: Encoding): string {
    return encoding === 'identity' ? `"${this.published.digest}"` : `"${this.published.digest}-${encoding}"`
  }

  async body(encoding: Encoding): Promise<Buffer> {
    let body = this.#bodies.get(encoding)
    if (body === undefined) {
      body = ENCODINGS[encoding](this.published.bytes)
      this.#bodies.set(encoding, body)
    }
    return body
  }
}

/** Serves the document byte for byte as it is in the file. Always JSON, whatever Accept says, and never a redirect. */
export function publishedFile(published: () => Published): RequestHandler {
  let current = new Representation(published(), undefined)
  return async (req, res) => {
    if (current.published !== published()) current = new Representation(published(), current)
    const representation = current
    const encoding = encodingFor(req)
    res.set({
      'Content-Type': 'application/json; charset=utf-8',
      'Cache-Control': 'no-cache',
      'Last-Modified': representation.lastModified,
      ETag: representation.etag(encoding),
      Vary: 'Accept-Encoding',
      ...(encoding === 'identity' ? {} : { 'Content-Encoding': encoding }),
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
