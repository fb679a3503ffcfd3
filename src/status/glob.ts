/** Reports whether a text matches. */
export type Matcher = (text: string) => boolean

/** Reports whether a pattern has wildcards. */
export function hasWildcards(pattern: string): boolean {
  return /[*?]/.test(pattern)
}

/** Compiles a pattern: `*` matches any number of characters, `?` exactly one, all others themselves. */
export function globMatcher(pattern: string): Matcher {
  if (pattern === '*') return () => true
  const wildcard = pattern.search(/[*?]/)
  if (wildcard === -1) return (text) => text === pattern
  const prefix = pattern.slice(0, wildcard)
  const rest = Array.from(pattern.slice(wildcard))
  return (text) => text.startsWith(prefix) && matches(rest, Array.from(text.slice(wildcard)))
}

/** Reports whether a text matches a pattern. */
export function matchesGlob(pattern: string, text: string): boolean {
  return globMatcher(pattern)(text)
}

/** True if every text that the other pattern matches is one that this pattern matches. */
export function includesGlob(pattern: string, other: string): boolean {
  return matches(Array.from(pattern), Array.from(other), '*')
}

/**
 * Takes at most time proportional to the product of both lengths; a regular expression made of the pattern could take
 * exponential time.
 *
 * @param many a character that matches any number of them, so that only `*` matches it
 */
function matches(wanted: readonly string[], given: readonly string[], many?: string): boolean {
  let at = 0
  let star = -1
  let resume = 0
  for (let next = 0; next < given.length; next += 1) {
    const character = given[next]
    if (wanted[at] === '*') {
      star = at
      resume = next
      at += 1
      next -= 1
    } else if (character !== many && (wanted[at] === '?' || wanted[at] === character)) {
      at += 1
    } else if (star >= 0) {
      // Backtrack: the last star takes one more character.
      at = star + 1
      next = resume
      resume += 1
    } else return false
  }
  return wanted.slice(at).every((character) => character === '*')
}
