import type { State, Target } from '../data/targets.ts'

/** The parsed text of the filter. */
export interface Query {
  /** In lower case; each must be found in a name, a label or a reason. */
  readonly words: readonly string[]
  /** Exact names. */
  readonly repo: string | undefined
  readonly file: string | undefined
}

const TERM = /(?:(repo|file):)?(?:"([^"]*)"|(\S+))/g

/** Reads the text of the filter: words, and `repo:` and `file:` with an exact name; a name with blanks is in quotes. */
export function parseQuery(text: string): Query {
  const terms = [...text.matchAll(TERM)].map(([, kind, quoted, plain]) => ({ kind, value: quoted ?? plain ?? '' }))
  const named = (wanted: string): string | undefined => terms.findLast(({ kind }) => kind === wanted)?.value
  return {
    words: terms.flatMap(({ kind, value }) => (kind === undefined && value !== '' ? value.toLowerCase() : [])),
    repo: named('repo'),
    file: named('file'),
  }
}

/** A term of the filter for an exact name; for a name with a quote, only its words. */
export function term(kind: 'repo' | 'file', name: string): string {
  if (name.includes('"')) return name.replaceAll('"', ' ')
  return `${kind}:${/\s/.test(name) || name === '' ? `"${name}"` : name}`
}

/** True if the query has a term that finds the name of a file. */
export function findsName({ words, file }: Query, name: string): boolean {
  return name === file || words.some((word) => name.toLowerCase().includes(word))
}

/** The targets that the query finds, and that are in one of the states; no states: any. */
export function select(targets: readonly Target[], { words, repo, file }: Query, states: ReadonlySet<State>): Target[] {
  return targets.filter(
    (target) =>
      (states.size === 0 || states.has(target.state)) &&
      (repo === undefined || target.repo === repo) &&
      (file === undefined || target.files.some(({ name }) => name === file)) &&
      words.every((word) => target.haystack.includes(word)),
  )
}
