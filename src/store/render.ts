import { type Entry, type StatusDocument, sharedRuns, textOf } from '../status/document.ts'
import { inSlices } from '../slices.ts'
import { type Steps, atOnce } from '../steps.ts'
import { digestInSlices, digestOf } from './durable-file.ts'

/** A document with the bytes of `status.json` that hold it. */
export interface Rendered {
  readonly document: StatusDocument
  readonly bytes: Buffer
  /** Identifies the bytes by their content. */
  readonly digest: string
}

const SEPARATOR = ',\n'
/** The bytes that are copied at once. */
const COPIED_BYTES = 1024 * 1024

/** Renders a document. Each run of entries that `before` has too is copied from there, and not serialised again. */
export function render(document: StatusDocument, before?: Rendered): Rendered {
  const bytes = toBytes(document, before)
  return { document, bytes, digest: digestOf(bytes) }
}

/** The same in slices, for a document of any size. */
export async function renderInSlices(document: StatusDocument, before: Rendered): Promise<Rendered> {
  const bytes = await inSlices(write(document, before))
  return { document, bytes, digest: await digestInSlices(bytes) }
}

/** The bytes of `status.json`. */
export function toBytes(document: StatusDocument, before?: Rendered): Buffer {
  return atOnce(write(document, before))
}

/** Writes the bytes of a document, and pauses often. */
function* write(document: StatusDocument, before?: Rendered): Steps<Buffer> {
  const { entries, generation, updatedAt, summary } = document
  const { $schema, ...others } = document.head
  const top = { $schema, generation, updated_at: updatedAt, summary, ...others }
  const opening = `${JSON.stringify(top, null, 2).slice(0, -2)},\n  "statuses": [${entries.length === 0 ? '' : '\n'}`
  const closing = `${entries.length === 0 ? '' : '\n  '}]\n}\n`

  const buffer = Buffer.allocUnsafe(Buffer.byteLength(opening) + lengthOf(entries) + closing.length)
  let end = buffer.write(opening)
  let index = 0
  function* encodeUpTo(to: number): Steps<void> {
    for (; index < to; index += 1) {
      if (index > 0) end += buffer.write(SEPARATOR, end)
      const { status } = entries[index] ?? {}
      if (status !== undefined) end += buffer.write(textOf(status), end)
      yield
    }
  }
  if (before !== undefined) {
    const old = before.document.entries
    let [from, at] = [0, before.bytes.length - closing.length - lengthOf(old)]
    for (const run of sharedRuns(old, entries)) {
      yield* encodeUpTo(run.to)
      if (index > 0) end += buffer.write(SEPARATOR, end)
      at += lengthOf(old, from, run.from) + (run.from > from ? SEPARATOR.length : 0)
      const length = lengthOf(entries, run.to, run.to + run.length)
      const until = at + length
      while (at < until) {
        const copied = before.bytes.copy(buffer, end, at, Math.min(at + COPIED_BYTES, until))
        at += copied
        end += copied
        yield
      }
      at += SEPARATOR.length
      index += run.length
      from = run.from + run.length
    }
  }
  yield* encodeUpTo(entries.length)
  buffer.write(closing, end)
  return buffer
}

/** Bytes of a range of entries, with the separators between them. */
function lengthOf(entries: readonly Entry[], from = 0, to = entries.length): number {
  let length = Math.max(to - from - 1, 0) * SEPARATOR.length
  for (let index = from; index < to; index += 1) length += entries[index]?.bytes ?? 0
  return length
}
