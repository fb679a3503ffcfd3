import type { JSX } from 'preact'
import { cut } from '../words.ts'
import { Marked } from './marked.tsx'

/** The largest number of names that are listed. */
const NAMES_MAX = 3

/** The first of some names, and how many more there are. */
export function NameList({ names }: { names: readonly string[] }): JSX.Element {
  const more = names.length - NAMES_MAX
  return (
    <>
      {names.slice(0, NAMES_MAX).map((name, index) => (
        <span key={index}>
          {index > 0 && ', '}
          <Marked>{cut(name)}</Marked>
        </span>
      ))}
      {more > 0 && ` and ${more} more`}
    </>
  )
}
