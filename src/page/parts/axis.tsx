import type { JSX } from 'preact'
import { minute } from '../data/state.ts'

const HOUR = 3600 * 1000
const DAY = 24 * HOUR
/** The distances of marks, in ms. */
const STEPS = [HOUR, 3 * HOUR, 6 * HOUR, DAY, 7 * DAY, 14 * DAY]
const MARKS_MAX = 8

const HOURS = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const DAYS = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })

/** The times below a strip that ends now, and begins so many ms before. */
export function Axis({ ms }: { ms: number }): JSX.Element {
  const begin = minute.value - ms
  const step = STEPS.find((each) => ms / each <= MARKS_MAX) ?? 14 * DAY
  return (
    <svg class="axis" aria-hidden="true">
      {marks(begin, minute.value, step).map((time) => (
        <g key={time}>
          <line x1={at(time, begin, ms)} x2={at(time, begin, ms)} y1="0" y2="6" />
          <text x={at(time, begin, ms)} y="20">
            {(step < DAY ? HOURS : DAYS).format(time)}
          </text>
        </g>
      ))}
      <text class="now" x="100%" y="20">
        now
      </text>
    </svg>
  )
}

function at(time: number, begin: number, ms: number): string {
  return `${(((time - begin) / ms) * 100).toFixed(2)}%`
}

/** Times at whole hours or at midnight, by the reader's clock. The last leaves room for the word of the end. */
function marks(begin: number, end: number, step: number): number[] {
  const day = new Date(begin)
  day.setHours(0, 0, 0, 0)
  const result: number[] = []
  const days = Math.max(1, step / DAY)
  const latest = end - (end - begin) * (window.innerWidth < 700 ? 0.15 : 0.06)
  for (const date = day; date.getTime() < latest;) {
    const midnight = date.getTime()
    const hours = step < DAY ? Array.from({ length: DAY / step }, (_, index) => midnight + index * step) : [midnight]
    result.push(...hours.filter((time) => time > begin + (end - begin) * 0.03 && time < latest))
    // A day may have 23 or 25 hours.
    date.setDate(date.getDate() + days)
  }
  return result
}
