import { type Fault, pointTo } from './json.ts'

const CONTROL = '\u0000-\u001f\u007f-\u009f'
/**
 * Invisible characters: those of the Unicode property Default_Ignorable_Code_Point up to U+FFFF (zero-width
 * characters, controls of direction, soft hyphens, fillers, variation selectors), and the line and paragraph separators.
 */
const INVISIBLE =
  '\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8'
/** Unicode's spaces (Zs), and the empty braille pattern. */
const BLANK = ' \u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000'

/**
 * What a repository or a server may be called in the file. The characters stand in the pattern themselves, not as
 * `\p{Cc}` or `\x00`: engines differ in their escapes.
 */
export const TARGET_NAME_PATTERN = `^[^${CONTROL}]*$`
/** The pattern of names of repositories, servers and files in a post. An empty name is left to `minLength`. */
export const POSTED_NAME_PATTERN = `^([^${CONTROL}${INVISIBLE}${BLANK}]([^${CONTROL}${INVISIBLE}]*[^${CONTROL}${INVISIBLE}${BLANK}])?)?$`

const NOT_IN_TARGET = 'must not contain control characters or halves of a surrogate pair'
const NOT_IN_FILE = 'must not contain halves of a surrogate pair'
const NOT_IN_POSTED =
  'must not contain control characters, invisible characters or halves of a surrogate pair, nor begin or end with a blank'

/** The fault of a name that a pattern refuses. */
export const NAME_MESSAGES: Readonly<Record<string, string>> = {
  [TARGET_NAME_PATTERN]: NOT_IN_TARGET,
  [POSTED_NAME_PATTERN]: NOT_IN_POSTED,
}

// JSON can spell half a surrogate pair ("\ud800") and UTF-8 cannot, so such a name would not survive the file.
const HALF_A_PAIR = /\p{Cs}/u
const HALF_A_PAIR_OR_INVISIBLE = /[\p{Cs}\p{Default_Ignorable_Code_Point}]/u

interface Named {
  readonly repo: string
  readonly server: string
  readonly files: readonly { readonly name: string }[]
}

interface ExpectedNames {
  readonly repo: string
  readonly servers: readonly string[]
}

/** The names in an entry of the file that cannot be kept, as far as a portable pattern cannot tell. */
export function savedNameFaults(named: Named, pointer: string): Fault[] {
  return nameFaults(named, pointer, HALF_A_PAIR, NOT_IN_TARGET, NOT_IN_FILE)
}

/** The names in a snapshot that are refused, as far as a portable pattern cannot tell. */
export function postedNameFaults(named: Named, pointer: string): Fault[] {
  return nameFaults(named, pointer, HALF_A_PAIR_OR_INVISIBLE, NOT_IN_POSTED, NOT_IN_POSTED)
}

function newNameFaults(name: string, pointer: string): Fault[] {
  return HALF_A_PAIR_OR_INVISIBLE.test(name) ? [{ pointer, detail: NOT_IN_POSTED }] : []
}

/** The names of expected targets that are refused, as far as a portable pattern cannot tell. */
export function expectedNameFaults({ repo, servers }: ExpectedNames, pointer: string): Fault[] {
  return [
    ...newNameFaults(repo, pointTo(pointer, 'repo')),
    ...servers.flatMap((server, index) => newNameFaults(server, `${pointer}/servers/${index}`)),
  ]
}

function nameFaults(
  { repo, server, files }: Named,
  pointer: string,
  refused: RegExp,
  ofTarget: string,
  ofFile: string,
): Fault[] {
  const faults: Fault[] = []
  if (refused.test(repo)) faults.push({ pointer: pointTo(pointer, 'repo'), detail: ofTarget })
  if (refused.test(server)) faults.push({ pointer: pointTo(pointer, 'server'), detail: ofTarget })
  for (const [index, { name }] of files.entries()) {
    if (refused.test(name)) faults.push({ pointer: `${pointer}/files/${index}/name`, detail: ofFile })
  }
  return faults
}
