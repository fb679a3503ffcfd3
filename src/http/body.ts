import { type RequestHandler, raw } from 'express'
import { parseJson } from '../status/json.ts'
import { Problem, type ProblemFault } from './problems.ts'

/** The largest body, after decompression. */
const BODY_BYTES_MAX = 1024 * 1024
/** Bodies up to this size are always admitted. */
const SMALL_BODY_BYTES = 64 * 1024
/** All larger bodies that are being received, together. */
const BODIES_BYTES_MAX = 256 * 1024 * 1024

/** Receives a body of JSON. `readJson` parses it. */
export function receiveJson(): RequestHandler[] {
  return [requireJson, admitBodies(), raw({ type: () => true, limit: BODY_BYTES_MAX })]
}

/**
 * Parses a body that was received.
 *
 * @throws {Problem} if it is not JSON
 */
export function readJson(body: unknown): { readonly value: unknown; readonly text: string } {
  const json = parseJson(Buffer.isBuffer(body) ? body : Buffer.alloc(0))
  if (json.ok) return json.value
  throw new Problem('not-json', 'the body cannot be parsed', { faults: json.faults })
}

/**
 * Limits the memory of bodies that are being received, above all of those that are never sent to their end. Small
 * bodies, which nearly all snapshots are, are always admitted.
 */
function admitBodies(): RequestHandler {
  let admitted = 0
  return (req, res, next) => {
    const { 'content-length': length, 'content-encoding': encoding } = req.headers
    // A chunked or compressed body does not announce its size.
    const size =
      encoding === undefined && length !== undefined ? Math.min(Number(length), BODY_BYTES_MAX) : BODY_BYTES_MAX
    if (size > SMALL_BODY_BYTES) {
      if (admitted + size > BODIES_BYTES_MAX) {
        throw new Problem('overloaded', 'too many large bodies are being received', { headers: { 'Retry-After': '5' } })
      }
      admitted += size
      res.once('close', () => {
        admitted -= size
      })
    }
    next()
  }
}

/** The refusal of a body that is JSON and not what it should be. */
export function invalidBody(code: 'invalid-snapshot' | 'invalid-rule', faults: readonly ProblemFault[]): Problem {
  const detail = faults.length === 1 ? '1 fault' : `${faults.length} faults`
  return new Problem(code, `${detail}; nothing was changed`, { faults })
}

const requireJson: RequestHandler = (req, _res, next) => {
  const type = req.headers['content-type']
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(type ?? '')?.[1]?.toLowerCase()
  if (type === undefined || !req.is(['json', '+json']) || !['utf-8', 'utf8', undefined].includes(charset)) {
    const found = type === undefined ? 'Content-Type is missing' : 'Content-Type is something else'
    throw new Problem('unsupported-media-type', `${found}; expected application/json in UTF-8`)
  }
  next()
}
