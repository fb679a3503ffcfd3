import { constants, crc32, deflateRawSync } from 'node:zlib'

/** A part of a text. */
export interface Piece {
  /** What the text is about, and what it says: with the same subject and the same values it is the same text. */
  readonly subject: unknown
  readonly values: readonly unknown[]
  readonly text: () => string
}

interface Compressed extends Omit<Piece, 'text'> {
  readonly deflated: Uint8Array
  /** Of the text, in bytes. */
  readonly length: number
  /** Of the text and of as many zeros, with `^`. */
  readonly crc: number
}

/** RFC 1952, 2.3: gzip, deflate, no flags, no time, the fastest level, of an unknown system. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255])
/** RFC 1951, 3.2.3: the last block, which is empty. */
const LAST_BLOCK = Buffer.from([0x03, 0x00])

/** A full flush ends at a byte, and what follows does not refer to what came before. */
const OPTIONS = {
  level: constants.Z_BEST_SPEED,
  finishFlush: constants.Z_FULL_FLUSH,
  windowBits: 13,
  chunkSize: 2048,
  memLevel: 6,
}

/**
 * Compresses a text that is made of pieces, most of which are the same as those before. Each compressed piece is kept, and
 * neither made nor compressed again until its values change.
 */
export class KeptGzip {
  readonly #kept: Compressed[] = [];

  /** One gzip member, in chunks. */
  *compress(pieces: Iterable<Piece>): Generator<Uint8Array> {
    yield HEADER
    let count = 0
    let length = 0
    let crc = 0
    for (const piece of pieces) {
      const compressed = this.#compressed(piece, count)
      count += 1
      length += compressed.length
      crc = joinedCrc(crc, compressed)
      yield compressed.deflated
    }
    this.#kept.length = count
    yield LAST_BLOCK
    yield trailer(crc, length)
  }

  #compressed(piece: Piece, index: number): Compressed {
    const kept = this.#kept[index]
    if (kept !== undefined && kept.subject === piece.subject && sameValues(kept.values, piece.values)) return kept
    return (this.#kept[index] = compress(piece))
  }
}

/** True if two lists have the same values in the same order. */
export function sameValues(one: readonly unknown[], other: readonly unknown[]): boolean {
  if (one.length !== other.length) return false
  for (let index = 0; index < one.length; index += 1) if (!Object.is(one[index], other[index])) return false
  return true
}

function compress({ subject, values, text }: Piece): Compressed {
  const bytes = encoded(text())
  const crc = crc32(bytes) ^ crcOfZeros(bytes.length)
  // The library returns a part of a buffer that may be much larger, and so does `Buffer.from`.
  return { subject, values, deflated: new Uint8Array(deflateRawSync(bytes, OPTIONS)), length: bytes.length, crc }
}

/** The CRC-32 of a text and a piece after it. It is linear but for its start value, which the zeros take out of both. */
function joinedCrc(before: number, { length, crc }: Compressed): number {
  return (crcOfZeros(length, before) ^ crc) >>> 0
}

let zeros = Buffer.alloc(0)

function crcOfZeros(length: number, before = 0): number {
  if (zeros.length < length) zeros = Buffer.alloc(length)
  return crc32(zeros.subarray(0, length), before)
}

let scratch = Buffer.alloc(0)

/** The text in UTF-8, until the next one is encoded: buffers of their own for a whole answer would be 100 MB of garbage. */
function encoded(text: string): Buffer {
  const length = Buffer.byteLength(text)
  if (scratch.length < length) scratch = Buffer.alloc(length)
  return scratch.subarray(0, scratch.write(text))
}

function trailer(crc: number, length: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(crc, 0)
  bytes.writeUInt32LE(length % 2 ** 32, 4)
  return bytes
}
