/**
 * Tells whether a text matches a pattern: `*` is any characters, also none, `?` is any one; all others are themselves.
 * Takes time in proportion to both lengths, whatever the pattern: a regular expression made of it might not.
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
      // The last star takes one character more.
      at = star + 1
      next = resume
      resume += 1
    } else return false
  }
  return wanted.slice(at).every((character) => character === '*')
}
