import type { Fault } from '../status/json.ts'
import type { Target } from '../status/target.ts'
import { parseTime } from '../status/time.ts'
import { type Filter, filterSchema, readFilter, readTargetFilter, targetFilterProperties } from '../views/filter.ts'
import { Problem } from './problems.ts'

/** The end of the year 9999, the last that ISO 8601 writes with four digits. */
export const TIME_MAX_MS = 253_402_300_799_999
const DAY_MS = 24 * 60 * 60 * 1000

/** A parameter of a view that chooses one of some values; the first of them if it is missing or empty. */
export interface Choice {
  readonly description: string
  readonly values: readonly string[]
}

/** A parameter of a view that is a number. */
export interface Count {
  readonly description: string
  readonly min: number
  readonly max: number
  /** The value if the parameter is missing or empty. */
  readonly fallback: number
}

/** The parameters of a view, or of another answer that has a filter. */
export interface Parameters {
  readonly choices: Readonly<Record<string, Choice>>
  readonly counts: Readonly<Record<string, Count>>
  /** It has `from` and `to`; without them it is the last day, or all that there is. */
  readonly range?: 'day' | 'all'
  /** True if targets that are gone count, too: of them no state and no label is known. */
  readonly ofThePast?: boolean
}

/** The parsed parameters. */
export interface Asked {
  readonly matches: Filter
  readonly matchesTarget: (target: Target) => boolean
  /** In ms since the epoch. */
  readonly from: number
  readonly to: number
  readonly choice: (name: string) => string
  readonly count: (name: string) => number
}

/** The parameter of all views that chooses the form of the answer. */
export const FORMAT: Choice = {
  description: 'The format of the answer: JSON, or CSV (RFC 4180).',
  values: ['json', 'csv'],
}
/** The names of the parameters. */
function namesOf({ choices, counts, range, ofThePast }: Parameters): string[] {
  const filter = Object.keys(ofThePast === true ? targetFilterProperties : filterSchema.properties)
  const times = range === undefined ? [] : ['from', 'to']
  return [...filter, ...times, ...Object.keys(counts), ...Object.keys(choices)]
}

/**
 * Reads the parameters of a request.
 *
 * @param now in ms since the epoch
 * @throws {Problem} if there is another parameter, or one is not valid
 */
export function readQuery(query: Readonly<Record<string, unknown>>, parameters: Parameters, now: number): Asked {
  const faults: Fault[] = []
  const known = namesOf(parameters)
  for (const name of Object.keys(query)) {
    if (!known.includes(name)) faults.push({ pointer: pointerTo(name), detail: 'is not known' })
  }
  const text = (name: string): string => {
    const value = query[name] ?? ''
    if (typeof value === 'string') return value
    faults.push({ pointer: pointerTo(name), detail: 'must be given once' })
    return ''
  }
  const isOfFilter = (name: string): boolean => name in filterSchema.properties && known.includes(name)
  const named = Object.fromEntries(Object.entries(query).filter(([name]) => isOfFilter(name)))
  const filter = readFilter(named)
  if (!filter.ok) faults.push(...filter.faults)
  const target = readTargetFilter(named)
  const choices = new Map(
    Object.entries(parameters.choices).map(([name, choice]) => [name, readChoice(name, text(name), choice, faults)]),
  )
  const counts = new Map(
    Object.entries(parameters.counts).map(([name, count]) => [name, readCount(name, text(name), count, faults)]),
  )
  const { from, to } = readRange(text('from'), text('to'), parameters.range, now, faults)
  if (faults.length > 0 || !filter.ok || !target.ok) {
    throw new Problem('invalid-query', `the parameters are ${known.join(', ')}`, { faults })
  }
  return {
    matches: filter.value,
    matchesTarget: target.value,
    from,
    to,
    choice: (name) => choices.get(name) ?? '',
    count: (name) => counts.get(name) ?? 0,
  }
}

function readRange(
  from: string,
  to: string,
  range: Parameters['range'],
  now: number,
  faults: Fault[],
): { from: number; to: number } {
  const isDay = range === 'day'
  const end = Math.max(0, readTime('to', to, isDay ? now : Infinity, faults))
  const ends = isDay ? Math.min(now, end) : end
  const begins = Math.max(0, readTime('from', from, isDay ? ends - DAY_MS : 0, faults))
  // A time before 1970 is taken for 1970, which is before everything.
  if (from !== '' && begins > ends) faults.push({ pointer: '/from', detail: 'must not be after to' })
  return { from: begins, to: ends }
}

function readChoice(name: string, text: string, { values }: Choice, faults: Fault[]): string {
  if (text === '') return values[0] ?? ''
  if (!values.includes(text)) faults.push({ pointer: pointerTo(name), detail: `must be one of ${values.join(', ')}` })
  return text
}

function readCount(name: string, text: string, { min, max, fallback }: Count, faults: Fault[]): number {
  if (text === '') return fallback
  const count = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN
  if (count >= min && count <= max) return count
  faults.push({ pointer: pointerTo(name), detail: `must be a whole number from ${min} to ${max}` })
  return fallback
}

/** Reads a time, in ms since the epoch. */
function readTime(name: string, text: string, fallback: number, faults: Fault[]): number {
  if (text === '') return fallback
  const ms = /^\d{1,15}$/.test(text) ? Number(text) : parseTime(text)
  if (ms !== undefined && ms <= TIME_MAX_MS) return ms
  const detail = 'must be an ISO 8601 time with a zone, such as 2026-04-21T10:32:15Z, or milliseconds since 1970'
  faults.push({ pointer: pointerTo(name), detail })
  return fallback
}

const pointerTo = (name: string): string => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
