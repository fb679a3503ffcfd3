import type { Stretch } from '../status/periods.ts'
import { STATES, type State, time } from '../status/schema.ts'
import { formatTime } from '../status/time.ts'
import { STATE_WORDS } from './words.ts'

/** The properties of a stretch in a row of a timeline, of a target or a repository. */
export const stretchProperties = {
  state: { type: 'string', enum: STATES, description: 'The state.' },
  status: { type: 'string', description: 'The state in words.' },
  from: { ...time, description: 'The start of the period, or of the range.' },
  to: { ...time, description: 'The end of the period, or of the range.' },
  seconds: { type: 'integer', minimum: 0, description: 'The length of the period within the range.' },
} as const

interface StretchRow {
  state: State
  status: string
  from: string
  to: string
  seconds: number
}

/** A stretch as the part of a row that `stretchProperties` describes. */
export function stretchRow({ state, from, to }: Stretch): StretchRow {
  return {
    state,
    status: STATE_WORDS.get(state) ?? state,
    from: formatTime(from),
    to: formatTime(to),
    seconds: Math.floor((to - from) / 1000),
  }
}

/**
 * Joins stretches of one state that follow one another: between them something else has changed.
 *
 * @param join makes one of two; it need not set `to`
 */
export function joined<Part extends Stretch>(
  parts: Iterable<Part>,
  join: (one: Part, other: Part) => Part = (one) => one,
): Part[] {
  const result: Part[] = []
  for (const part of parts) {
    const before = result.at(-1)
    if (before?.state === part.state && before.to === part.from)
      result[result.length - 1] = { ...join(before, part), to: part.to }
    else result.push(part)
  }
  return result
}

/** A subject with stretches of states. */
interface Course {
  /** In the order of time. */
  readonly parts: readonly Stretch[]
}

/**
 * Those of the worst state at the end of the range first, then those that changed last; what is not there at the end comes
 * last, and what was not there at all is left out.
 *
 * @param to the end of the range, in ms since the epoch
 * @param limit the largest number of them
 */
export function worstFirst<Item extends Course>(items: readonly Item[], to: number, limit: number): Item[] {
  return items
    .flatMap((item) => {
      const last = item.parts.at(-1)
      if (last === undefined) return []
      return [{ item, rank: last.to >= to ? STATES.indexOf(last.state) : STATES.length, changed: last.from }]
    })
    .toSorted((one, other) => one.rank - other.rank || other.changed - one.changed)
    .slice(0, limit)
    .map(({ item }) => item)
}
