import { promisify } from 'node:util'
import { constants, deflateRaw, inflateRaw } from 'node:zlib'
import { type MakeEntry, applyChanges, changesBetween } from '../status/changes.ts'
import type { StatusDocument } from '../status/document.ts'
import type { Clock } from '../status/time.ts'
import { changesOf, formatCommit, isCommit, readLines } from './record-file.ts'
import type { Rendered } from './render.ts'

/** A document that was committed, and the digest of the bytes of `status.json` that held it. */
export type Recorded = Pick<Rendered, 'document' | 'digest'>

/** Shorter changes are not compressed, in bytes: a client of a small server would wait for it. */
const COMPRESSED_BYTES_MIN = 16 * 1024
/** The most earlier documents that are kept, and the most bytes that they take. */
const KEPT_MAX = 256
const KEPT_BYTES_MAX = 16 * 1024 * 1024

const deflate = promisify(deflateRaw)
const inflate = promisify(inflateRaw)

/** An earlier document. It is kept as the changes that lead back to it: most of it is in the next one, too. */
export interface Earlier {
  readonly generation: number
  readonly digest: string
  /** A commit line: the objects would take much more memory. */
  readonly changes: Buffer
  readonly isCompressed: boolean
}

/** Makes of a document the earlier one of the document that follows it. */
export async function earlierOf({ document, digest }: Recorded, next: StatusDocument): Promise<Earlier> {
  const line = await formatCommit(changesBetween(next, document), digest, [])
  const isCompressed = line.length >= COMPRESSED_BYTES_MIN
  const changes = isCompressed ? await deflate(line, { level: constants.Z_BEST_SPEED }) : line
  return { generation: document.generation, digest, changes, isCompressed }
}

/** Adds the newest to some earlier documents, and drops the oldest if there are too many. */
export function withNewest(earlier: readonly Earlier[], newest: Earlier): readonly Earlier[] {
  const all = [...earlier, newest]
  let from = all.length
  let bytes = 0
  while (from > 0 && all.length - from < KEPT_MAX) {
    bytes += all[from - 1]?.changes.length ?? 0
    if (bytes > KEPT_BYTES_MAX) break
    from -= 1
  }
  return all.slice(from)
}

/**
 * Goes back from a document, step by step, to a generation or the last one before it.
 *
 * @param earlier the documents before it without a gap, oldest first
 * @returns `undefined` if they do not reach that far
 */
export async function goBack(
  document: StatusDocument,
  earlier: readonly Earlier[],
  generation: number,
  clock: Clock,
  makeEntry: MakeEntry,
): Promise<Recorded | undefined> {
  const first = earlier.findLastIndex((each) => each.generation <= generation)
  if (first === -1) return undefined
  let found = document
  for (const { changes, isCompressed } of earlier.slice(first).toReversed()) {
    const { lines } = readLines(isCompressed ? await inflate(changes) : changes)
    found = applyChanges(found, lines.filter(isCommit).map(changesOf), clock, makeEntry)
  }
  return { document: found, digest: earlier[first]?.digest ?? '' }
}
