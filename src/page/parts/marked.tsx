import type { JSX } from 'preact'
import { query } from '../listing.ts'
import { visibleName } from '../words.ts'

/** A name as `Name` shows it; what the filter finds in it is marked. */
export function Marked({ children }: { children: string }): JSX.Element {
  const text = visibleName(children)
  const { words, repo, file } = query.value
  if (children === file || children === repo) return <MarkedWhole>{text}</MarkedWhole>
  if (words.length === 0) return <bdi>{text}</bdi>
  return (
    <bdi>
      {split(text, words).map(({ part, isFound }, index) => (isFound ? <mark key={index}>{part}</mark> : part))}
    </bdi>
  )
}

function MarkedWhole({ children }: { children: string }): JSX.Element {
  return (
    <bdi>
      <mark>{children}</mark>
    </bdi>
  )
}

function split(text: string, words: readonly string[]): { part: string; isFound: boolean }[] {
  const pattern = new RegExp(`(${words.map(escaped).join('|')})`, 'giu')
  // With a group, the matches have odd indexes.
  return text.split(pattern).map((part, index) => ({ part, isFound: index % 2 === 1 }))
}

/** The pattern of a text. `RegExp.escape` is not in all browsers yet. */
function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
