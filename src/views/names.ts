import { type Matcher, globMatcher, hasWildcards } from '../status/glob.ts'
import { NAME_LENGTH_MAX } from '../status/schema.ts'

/** The largest number of names and patterns that the braces of some patterns stand for. */
export const ALTERNATIVES_MAX = 1000
/** The largest number of those that have `*` or `?`: each of them is tried with each name. */
export const WILDCARDS_MAX = 100

/** The result of compiling patterns: what reports whether a name matches one of them, or what is wrong with them. */
export type Names = { readonly matches: Matcher } | { readonly fault: string }

/**
 * Compiles patterns for names: `*` matches any number of characters, `?` exactly one, `{a,b}` one of the alternatives, as
 * in a shell and as Grafana writes the values of a variable. A pattern also matches the name that it is, so that a name
 * with braces can be asked for.
 */
export function namesMatcher(patterns: readonly string[]): Names {
  const alternatives = alternativesOf(new Set(patterns))
  if (alternatives === undefined) return { fault: `must stand for at most ${ALTERNATIVES_MAX} names and patterns` }
  const exact = new Set(patterns)
  const wildcards = new Set<string>()
  for (const alternative of alternatives) {
    if (!hasWildcards(alternative)) exact.add(alternative)
    else if (canMatch(alternative)) wildcards.add(alternative.replaceAll(/\*+/g, '*'))
  }
  if (wildcards.size > WILDCARDS_MAX) return { fault: `must stand for at most ${WILDCARDS_MAX} patterns with * or ?` }
  const globs = [...wildcards].map(globMatcher)
  return { matches: (name) => exact.has(name) || globs.some((matches) => matches(name)) }
}

/** Expands patterns with braces; `undefined` if the result is too long. */
function alternativesOf(patterns: Iterable<string>): ReadonlySet<string> | undefined {
  const found = new Set<string>()
  const open = [...patterns]
  // Counts each of them, not the different ones: `{a,a}{a,a}…` doubles the work with every group.
  for (let count = 0; ;) {
    const pattern = open.pop()
    if (pattern === undefined) return found
    const group = firstGroup(pattern)
    if (group === undefined) {
      found.add(pattern)
      count += 1
    } else open.push(...group)
    if (count + open.length > ALTERNATIVES_MAX) return undefined
  }
}

/** A pattern with each alternative in place of its first group, the inner one of nested groups; `undefined` without a group. */
function firstGroup(pattern: string): string[] | undefined {
  for (const { 0: group, 1: inside = '', index } of pattern.matchAll(/\{([^{}]*)\}/g)) {
    // As in a shell, braces without a comma are text.
    if (inside.includes(',')) {
      const [before, after] = [pattern.slice(0, index), pattern.slice(index + group.length)]
      return inside.split(',').map((alternative) => before + alternative + after)
    }
  }
  return undefined
}

/** False if a pattern is longer than any name. */
function canMatch(pattern: string): boolean {
  return Array.from(pattern.replaceAll('*', '')).length <= NAME_LENGTH_MAX
}
