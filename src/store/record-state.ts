import { type MakeEntry, applyChanges } from '../status/changes.ts'
import type { Clock } from '../status/time.ts'
import { type RecordLine, changesOf, isCommit } from './record-file.ts'
import { type Rendered, render } from './render.ts'

/** Number of recent documents that are kept in memory. They share most entries. */
const RECENT_MAX = 16

/** A document that was committed, and the digest of the bytes of `status.json` that held it. */
export type Recorded = Pick<Rendered, 'document' | 'digest'>

/** The known state of the record. */
export interface RecordState {
  readonly current: Rendered
  /** The last commits without a gap, oldest first; the last is `current`. */
  readonly recent: readonly Recorded[]
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
  const { document, digest } = current
  return { current, recent: [{ document, digest }], unplaced: new Set(), segment }
}

/** The state after one more commit, which replaces the texts of these digests. */
export function advanced(state: RecordState, current: Rendered, replaced: readonly string[]): RecordState {
  const { document, digest } = current
  // Without its bytes: of them only the present ones are kept.
  const recent = [...state.recent.slice(1 - RECENT_MAX), { document, digest }]
  return { ...state, current, recent, unplaced: new Set(replaced) }
}

/** The state after some lines. Of many commits only the last documents are made. */
export function followed(
  state: RecordState,
  lines: readonly RecordLine[],
  clock: Clock,
  makeEntry: MakeEntry,
): RecordState {
  const commits = lines.filter(isCommit)
  const last = commits.at(-1)
  if (last === undefined) return lines.length === 0 ? state : { ...state, unplaced: new Set() }
  const recent: Recorded[] = commits.length < RECENT_MAX ? state.recent.slice(commits.length - RECENT_MAX) : []
  const skipped = commits.slice(0, -RECENT_MAX)
  let document = applyChanges(state.current.document, skipped.map(changesOf), clock, makeEntry)
  for (const commit of commits.slice(-RECENT_MAX)) {
    document = applyChanges(document, [changesOf(commit)], clock, makeEntry)
    recent.push({ document, digest: commit.digest })
  }
  const replaced = [(commits.at(-2) ?? state.current).digest, ...last.edits]
  const isPlaced = lines.at(-1) !== last
  return { ...state, current: render(document, state.current), recent, unplaced: new Set(isPlaced ? [] : replaced) }
}
