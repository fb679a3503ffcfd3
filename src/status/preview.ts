import type { Target } from './target.ts'
import { type Restoration, type StatusChange, changesNothing } from './draft.ts'
import { differences } from './edits.ts'

/** The largest number of targets that are named. */
const LINES_MAX = 20
/** A longer value is not shown. */
const VALUE_LENGTH_MAX = 60
/** Properties that follow from others. */
const DERIVED: ReadonlySet<string> = new Set(['drift_count', 'generation', 'state'])

/** The changes of a restore as lines of text for people; empty if it changes nothing. */
export function previewOf(restoration: Restoration): string[] {
  if (changesNothing(restoration)) return []
  const { returned, changed, newer, others, head } = restoration
  const counts = [
    targets(returned.length, 'comes back', 'come back'),
    targets(changed.length, 'changes', 'change'),
    targets(newer.length, 'keeps the verdict of a newer check', 'keep the verdicts of newer checks'),
    targets(others, 'is not in the file and stays', 'are not in the file and stay'),
    head.length === 0 ? [] : `top-level properties that change: ${head.map(visible).join(', ')}`,
  ].flat()
  const named = [
    ...returned.map((status) => `${nameOf(status)}: comes back`),
    ...changed.map((change) => `${nameOf(change.after)}: ${describe(change)}`),
  ]
  const more = named.length - LINES_MAX
  return [...counts, ...named.slice(0, LINES_MAX), ...(more > 0 ? [`and ${more} more`] : [])]
}

/** A line for a number of targets; none for 0. */
function targets(count: number, one: string, many: string): string[] {
  return count === 0 ? [] : [`${count} ${count === 1 ? `target ${one}` : `targets ${many}`}`]
}

function nameOf({ repo, server }: Target): string {
  return visible(`${repo}/${server}`)
}

function describe({ before, after }: StatusChange): string {
  const names = differences(before, after).filter((name) => !DERIVED.has(name))
  return names
    .map((name) => {
      if (name === 'files') return `files ${namesOf(before.files)} -> ${namesOf(after.files)}`
      const [old, next] = [before, after].map((status) => (Object.hasOwn(status, name) ? status[name] : undefined))
      const values = [shown(old), shown(next)]
      return values.includes(undefined) ? visible(name) : `${visible(name)} ${values.join(' -> ')}`
    })
    .join(', ')
}

function namesOf(files: readonly { readonly name: string }[]): string {
  const names = files.map(({ name }) => visible(name)).join(' ')
  return files.length === 0 ? 'none' : names.length <= VALUE_LENGTH_MAX ? names : `(${files.length})`
}

/** A value as it is shown; `undefined` if it is too long, or not a single value. */
function shown(value: unknown): string | undefined {
  if (value === undefined) return 'none'
  if (typeof value === 'object' && value !== null) return undefined
  const text = visible(typeof value === 'string' ? value : JSON.stringify(value))
  return text.length <= VALUE_LENGTH_MAX ? text : undefined
}

/** A text without characters that could steer a terminal. */
function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => encodeURIComponent(character))
}
