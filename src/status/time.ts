const TIME = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)$/

const FIRST_MS = Date.parse('0000-01-01T00:00:00Z')
const LAST_MS = Date.parse('9999-12-31T23:59:59Z')

/**
 * How far a time may be ahead of the server's clock, in ms. Clocks differ, but a check far in the future would make every
 * later snapshot look old.
 */
export const AHEAD_MAX_MS = 5 * 60_000

/** The clock of one round: everything that depends on time uses this one reading. */
export interface Clock {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Seconds after which a status without its own `stale_after` is stale. */
  readonly staleAfter: number
}

/**
 * Parses an ISO 8601 date-time with a zone: `Z`, `+02:00`, `+0200` or `+02`.
 * Fractions of a second are cut off, so that a time is never read as later than it was. A leap second is read as the next second.
 *
 * @returns milliseconds since the epoch, a whole second; `undefined` for anything else, such as 30 February
 */
export function parseTime(text: string): number | undefined {
  const match = TIME.exec(text)
  if (match === null) return undefined
  const [
    ,
    year = '',
    month = '',
    day = '',
    hour = '',
    minute = '',
    second = '00',
    sign,
    zoneHours,
    zoneMinutes = '00',
  ] = match
  if (hour > '23' || minute > '59' || second > '60' || zoneMinutes > '59' || (zoneHours ?? '00') > '23')
    return undefined

  const midnight = new Date(`${year}-${month}-${day}T00:00:00Z`)
  // Date parses 30 February as 2 March.
  if (midnight.getUTCDate() !== Number(day)) return undefined

  const offsetMinutes =
    zoneHours === undefined ? 0 : (Number(zoneHours) * 60 + Number(zoneMinutes)) * (sign === '-' ? -1 : 1)
  const seconds = Number(hour) * 3600 + (Number(minute) - offsetMinutes) * 60 + Number(second)
  const ms = midnight.getTime() + seconds * 1000
  return ms >= FIRST_MS && ms <= LAST_MS ? ms : undefined
}

/** Distinct times to remember. The targets of a fleet were checked in some hundred seconds, and have drifted since few more. */
const KNOWN_MAX = 10_000
const known = new Map<string, number>()

/** Milliseconds since the epoch of a time that the schema has already checked; `NaN` for any other text. */
export function timeOf(text: string): number {
  const ms = known.get(text)
  if (ms !== undefined) return ms
  return isInForm(text) ? remembered(text) : (parseTime(text) ?? Number.NaN)
}

/** The time of a text in the document's form. */
function remembered(text: string): number {
  const date = new Date(text)
  // Date reads 30 February as 2 March, and 24:00 as the next day.
  const isRead = date.getUTCDate() === Number(text.slice(8, 10))
  const ms = isRead ? date.getTime() : (parseTime(text) ?? Number.NaN)
  if (known.size >= KNOWN_MAX) known.clear()
  known.set(text, ms)
  return ms
}

/** True if a text looks like a time in the document's form. */
function isInForm(text: string): boolean {
  return text.length === 20 && text[4] === '-' && text[10] === 'T' && text[19] === 'Z'
}

/** The time in the document's form. */
export function toUtc(text: string): string {
  return formatTime(timeOf(text))
}

const formatted = new Map<number, string>()

/**
 * Formats a time as the document keeps it: UTC, whole seconds, `Z`, as in `2026-04-21T10:32:15Z`.
 * It is the only form that jq's `fromdate` reads. Targets with the same time share one string.
 *
 * @param ms milliseconds since the epoch
 */
export function formatTime(ms: number): string {
  const second = Math.floor(ms / 1000)
  const before = formatted.get(second)
  if (before !== undefined) return before
  const text = new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
  if (formatted.size >= KNOWN_MAX) formatted.clear()
  formatted.set(second, text)
  return text
}
