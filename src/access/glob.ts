/**
 * Reports whether a text matches a pattern: `*` matches any number of characters, `?` exactly one, all others themselves.
 * Takes at most time proportional to the product of both lengths; a regular expression made of the pattern could take
 * exponential time.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  const [wanted, given] = [Array.from(pattern), Array.from(text)]
  let at = 0
  let star = -1
  let resume = 0
  for (let next = 0; next < given.length; next += 1) {
    if (wanted[at] === '*') {
      star = at
      resume = next
      at += 1
      next -= 1
    } else if (wanted[at] === '?' || wanted[at] === given[next]) {
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
