import { diffWordsWithSpace } from 'diff'

/** A line of a unified diff. */
export interface DiffLine {
  /** `removed`: only on the server. `added`: only in Git. `head`: names or places, not content. */
  readonly kind: 'head' | 'removed' | 'added' | 'same'
  /** Without the sign. */
  readonly parts: readonly Part[]
  /** Its number on the server and in Git, from 1; undefined if the line is not there or the diff has no number. */
  readonly onServer: number | undefined
  readonly inGit: number | undefined
}

/** A part of a line. */
export interface Part {
  readonly text: string
  /** It is not in the other side's line. */
  readonly isChanged: boolean
}

const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/
/** Longer lines are not compared word by word. */
const COMPARED_LENGTH_MAX = 500
/** The largest number of pairs of lines that are compared, and of changes in a pair: more would take long. */
const PAIRS_MAX = 300
const EDITS_MAX = 60
/** Lines that have less than this part in common are two lines, not a changed one. */
const COMMON_MIN = 0.3

/** Reads lines of a unified diff. What is not one is shown as it is. */
export function diffLines(lines: readonly string[]): DiffLine[] {
  let [onServer, inGit] = [Number.NaN, Number.NaN]
  const read = lines.map((line, index): DiffLine => {
    const kind = kindOf(line, index)
    if (kind === 'head') {
      const [, server, git] = HUNK.exec(line) ?? []
      if (server !== undefined) [onServer, inGit] = [Number(server), Number(git)]
      return { kind, parts: whole(line), onServer: undefined, inGit: undefined }
    }
    const numbers = {
      onServer: kind === 'added' ? undefined : known(onServer),
      inGit: kind === 'removed' ? undefined : known(inGit),
    }
    if (kind !== 'added') onServer += 1
    if (kind !== 'removed') inGit += 1
    return { kind, parts: whole(kind === 'same' ? line.replace(/^ /, '') : line.slice(1)), ...numbers }
  })
  return withWords(read)
}

/** The first two lines of a unified diff name the files. */
function kindOf(line: string, index: number): DiffLine['kind'] {
  if (HUNK.test(line) || line.startsWith('\\') || (index < 2 && /^(---|\+\+\+) /.test(line))) return 'head'
  if (line.startsWith('+')) return 'added'
  return line.startsWith('-') ? 'removed' : 'same'
}

/** Compares what was removed with what was added in its place, line by line. */
function withWords(lines: readonly DiffLine[]): DiffLine[] {
  const result = [...lines]
  let pairs = 0
  for (let at = 0; at < lines.length; at += 1) {
    const removed = run(lines, at, 'removed')
    const added = run(lines, at + removed, 'added')
    for (let index = 0; index < Math.min(removed, added) && pairs < PAIRS_MAX; index += 1) {
      pairs += 1
      const [before, after] = [result[at + index], result[at + removed + index]]
      const words = before === undefined || after === undefined ? undefined : compare(textOf(before), textOf(after))
      if (before === undefined || after === undefined || words === undefined) continue
      result[at + index] = { ...before, parts: words.before }
      result[at + removed + index] = { ...after, parts: words.after }
    }
    at += Math.max(0, removed + added - 1)
  }
  return result
}

/** The number of lines of a kind from a place on. */
function run(lines: readonly DiffLine[], from: number, kind: DiffLine['kind']): number {
  let to = from
  while (lines[to]?.kind === kind) to += 1
  return to - from
}

function compare(before: string, after: string): { before: Part[]; after: Part[] } | undefined {
  if (Math.max(before.length, after.length) > COMPARED_LENGTH_MAX) return undefined
  const changes = diffWordsWithSpace(before, after, { maxEditLength: EDITS_MAX })
  if (changes === undefined) return undefined
  const common = changes
    .filter(({ added, removed }) => !added && !removed)
    .reduce((sum, { value }) => sum + value.trim().length, 0)
  if (common < COMMON_MIN * Math.max(before.trim().length, after.trim().length)) return undefined
  return {
    before: changes.flatMap(({ value, added, removed }) => (added ? [] : { text: value, isChanged: removed })),
    after: changes.flatMap(({ value, added, removed }) => (removed ? [] : { text: value, isChanged: added })),
  }
}

function textOf({ parts }: DiffLine): string {
  return parts.map(({ text }) => text).join('')
}

function whole(text: string): Part[] {
  return [{ text, isChanged: false }]
}

function known(number: number): number | undefined {
  return Number.isNaN(number) ? undefined : number
}
