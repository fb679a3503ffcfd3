import { type MakeEntry, applyChanges } from '../status/changes.ts'
import type { StatusDocument } from '../status/document.ts'
import type { Clock } from '../status/time.ts'
import { type Earlier, type Recorded, earlierOf, withNewest } from './earlier.ts'
import { type CommitLine, type RecordLine, changesOf, isCommit } from './record-file.ts'
import { type Rendered, render } from './render.ts'

/** Of more commits than this by other servers, only the last documents are made. */
const FOLLOWED_MAX = 16

/** The known state of the record. */
export interface RecordState {
  readonly current: Rendered
  /** The documents before it without a gap, oldest first. */
  readonly earlier: readonly Earlier[]
  /** The texts that the last commit replaces, by digest, if nothing says that it was put in place. */
  readonly unplaced: ReadonlySet<string>
  /** The segment that the next commit is appended to; `undefined` before the first. */
  readonly segment: Segment | undefined
}

export interface Segment {
  readonly name: string
  /** Distinguishes the file from another one of the same name, in a replaced directory. */
  readonly inode: number
  /** Bytes of the head line. */
  readonly headBytes: number
  /** The position up to which it has been read or written. */
  readonly end: number
}

/** The state if only a document and its place in the record are known. */
export function stateAt(current: Rendered, segment: Segment | undefined): RecordState {
  return { current, earlier: [], unplaced: new Set(), segment }
}

/** The state after one more commit, which replaces the texts of these digests. */
export function advanced(
  state: RecordState,
  current: Rendered,
  replaced: readonly string[],
  before: Earlier,
): RecordState {
  return { ...state, current, earlier: withNewest(state.earlier, before), unplaced: new Set(replaced) }
}

/** The state after some lines. */
export async function followed(
  state: RecordState,
  lines: readonly RecordLine[],
  clock: Clock,
  makeEntry: MakeEntry,
): Promise<RecordState> {
  const commits = lines.filter(isCommit)
  const last = commits.at(-1)
  if (last === undefined) return lines.length === 0 ? state : { ...state, unplaced: new Set() }
  const apply = (document: StatusDocument, next: readonly CommitLine[]): StatusDocument =>
    applyChanges(document, next.map(changesOf), clock, makeEntry)

  const skipped = commits.slice(0, -FOLLOWED_MAX)
  let earlier = skipped.length === 0 ? state.earlier : []
  let before: Recorded = state.current
  const lastSkipped = skipped.at(-1)
  if (lastSkipped !== undefined) {
    before = { document: apply(before.document, skipped), digest: lastSkipped.digest }
  }
  for (const commit of commits.slice(-FOLLOWED_MAX)) {
    const next = { document: apply(before.document, [commit]), digest: commit.digest }
    earlier = withNewest(earlier, await earlierOf(before, next.document))
    before = next
  }
  const replaced = [(commits.at(-2) ?? state.current).digest, ...last.edits]
  const isPlaced = lines.at(-1) !== last
  const current = render(before.document, state.current)
  return { ...state, current, earlier, unplaced: new Set(isPlaced ? [] : replaced) }
}
