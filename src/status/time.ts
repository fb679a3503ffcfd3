const TIME = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)$/

const FIRST_MS = Date.parse('0000-01-01T00:00:00Z')
const LAST_MS = Date.parse('9999-12-31T23:59:59Z')

/**
 * Reads an ISO 8601 date-time that names its zone: `Z`, `+02:00`, `+0200` or `+02`.
 * Fractions of a second are cut off, so that a time is never read as later than it was; a leap second counts as the next one.
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
  // Date.parse takes 30 February for 2 March.
  if (midnight.getUTCDate() !== Number(day)) return undefined

  const offsetMinutes =
    zoneHours === undefined ? 0 : (Number(zoneHours) * 60 + Number(zoneMinutes)) * (sign === '-' ? -1 : 1)
  const seconds = Number(hour) * 3600 + (Number(minute) - offsetMinutes) * 60 + Number(second)
  const ms = midnight.getTime() + seconds * 1000
  return ms >= FIRST_MS && ms <= LAST_MS ? ms : undefined
}

/**
 * The one form in which times are kept: UTC, whole seconds, `Z`, as in `2026-04-21T10:32:15Z`.
 * jq's `fromdate` reads no other.
 *
 * @param ms milliseconds since the epoch
 */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
