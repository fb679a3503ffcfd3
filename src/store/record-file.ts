import type { Changes } from '../status/changes.ts'
import { headOf } from '../status/document.ts'
import {
  type SavedDocument,
  type Status,
  type Summary,
  savedDocumentSchema,
  savedStatusSchema,
  summarySchema,
} from '../status/schema.ts'
import { validator } from '../status/validation.ts'
import { Slices } from '../slices.ts'
import type { Rendered } from './render.ts'

/** The version of the format. A server does not start on a record of a later version. */
export const RECORD_VERSION = 1

const NEWLINE = 10
const STATUSES_AT_ONCE = 100

/** The first line of a segment: the whole document. */
export interface HeadLine {
  readonly version: number
  readonly generation: number
  /** The digest of the bytes of `status.json` that hold the document. */
  readonly digest: string
  readonly document: SavedDocument
}

/** A commit. */
export interface CommitLine {
  readonly generation: number
  readonly digest: string
  readonly updated_at: string
  /** Missing in a commit of a version that made none. */
  readonly summary?: Summary
  readonly head?: Record<string, unknown>
  readonly changed: Status[]
  readonly removed: { repo: string; server: string }[]
  /** Digests of the texts that were merged in it. */
  readonly edits: string[]
}

/** A mark that the document of the previous commit was put in place. */
export interface PlacedLine {
  readonly placed: number
}

export type RecordLine = CommitLine | PlacedLine

const integer = { type: 'integer', minimum: 0 } as const
const text = { type: 'string' } as const
const target = { type: 'object', required: ['repo', 'server'], properties: { repo: text, server: text } } as const

const isVersioned = validator<{ version: number }>({
  type: 'object',
  required: ['version'],
  properties: { version: integer },
})
const isHeadLine = validator<HeadLine>({
  type: 'object',
  required: ['version', 'generation', 'digest', 'document'],
  properties: { version: integer, generation: integer, digest: text, document: savedDocumentSchema },
})
const isPlacedLine = validator<PlacedLine>({ type: 'object', required: ['placed'], properties: { placed: integer } })
// A stamp that an earlier version did not know may be missing.
const isCommitLine = validator<CommitLine>({
  type: 'object',
  required: ['generation', 'digest', 'updated_at', 'changed', 'removed', 'edits'],
  properties: {
    generation: integer,
    digest: text,
    updated_at: text,
    summary: summarySchema,
    head: { type: 'object' },
    changed: { type: 'array', items: savedStatusSchema },
    removed: { type: 'array', items: target },
    edits: { type: 'array', items: text },
  },
})

export async function formatHead({ document, digest, bytes }: Rendered): Promise<Buffer> {
  const { head, generation, updatedAt, summary, entries } = document
  const top = { ...head, generation, updated_at: updatedAt, summary, statuses: [] }
  const line = lineOf({ version: RECORD_VERSION, generation, digest, document: top })
  const end = line.length - `]}}\n`.length
  // In one buffer, which is larger than the line: the file has line breaks and indentation, too.
  const buffer = Buffer.allocUnsafe(line.length + bytes.length)
  let at = line.copy(buffer, 0, 0, end)
  const statuses = entries.map(({ status }) => status)
  for await (const part of textsOf(statuses)) at += buffer.write(part, at)
  at += line.copy(buffer, at, end)
  return buffer.subarray(0, at)
}

export async function formatCommit(
  { generation, updatedAt, summary, head, changed, removed }: Changes,
  digest: string,
  edits: readonly string[],
): Promise<Buffer> {
  const changedHead = head === undefined ? {} : { head }
  const others = { generation, digest, updated_at: updatedAt, summary, ...changedHead, removed, edits }
  const line = lineOf({ ...others, changed: [] })
  const end = line.length - `]}\n`.length
  const parts = [line.subarray(0, end)]
  for await (const part of textsOf(changed)) parts.push(Buffer.from(part))
  return Buffer.concat([...parts, line.subarray(end)])
}

/** The elements of a JSON array of statuses, some at a time and in slices. */
async function* textsOf(statuses: readonly Status[]): AsyncGenerator<string> {
  const slices = new Slices()
  for (let at = 0; at < statuses.length; at += STATUSES_AT_ONCE) {
    const texts = statuses.slice(at, at + STATUSES_AT_ONCE).map((status) => JSON.stringify(status))
    yield `${at === 0 ? '' : ','}${texts.join(',')}`
    await slices.next()
  }
}

export function formatPlaced(generation: number): Buffer {
  return lineOf({ placed: generation })
}

/** The changes that a commit line holds. */
export function changesOf({ generation, updated_at: updatedAt, summary, head, changed, removed }: CommitLine): Changes {
  return { generation, updatedAt, summary, ...(head === undefined ? {} : { head: headOf(head) }), changed, removed }
}

/** The lines at the beginning of some bytes, up to the first that is not whole or not valid. */
export interface ReadLines {
  readonly lines: readonly RecordLine[]
  /** Bytes of these lines. */
  readonly end: number
  /** True if whole lines follow: the file is damaged, and not only torn at its end. */
  readonly isDamaged: boolean
}

/** The head line of a segment; `undefined` if it is not whole or not valid. A later `version` is for the caller to refuse. */
export function readHead(
  bytes: Buffer,
): { readonly head: HeadLine; readonly end: number } | { readonly laterVersion: number } | undefined {
  const end = bytes.indexOf(NEWLINE) + 1
  const value = end === 0 ? undefined : parse(bytes.subarray(0, end))
  if (isVersioned(value) && value.version > RECORD_VERSION) return { laterVersion: value.version }
  return isHeadLine(value) ? { head: value, end } : undefined
}

/** Reads the lines that follow a head line, or some of them. */
export function readLines(bytes: Buffer): ReadLines {
  const lines: RecordLine[] = []
  let end = 0
  for (let next = bytes.indexOf(NEWLINE); next !== -1; next = bytes.indexOf(NEWLINE, end)) {
    const value = parse(bytes.subarray(end, next))
    if (!isCommitLine(value) && !isPlacedLine(value)) return { lines, end, isDamaged: true }
    lines.push(value)
    end = next + 1
  }
  return { lines, end, isDamaged: false }
}

export function isCommit(line: RecordLine): line is CommitLine {
  return 'generation' in line
}

function parse(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString())
  } catch {
    return undefined
  }
}

function lineOf(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`)
}
