const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A duration in its two largest units: `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < MINUTE) return '< 1 min'
  const units = [
    [Math.floor(ms / DAY), 'd'],
    [Math.floor((ms % DAY) / HOUR), 'h'],
    [Math.floor((ms % HOUR) / MINUTE), 'min'],
  ] as const
  const first = units.findIndex(([number]) => number > 0)
  return units
    .slice(first, first + 2)
    .filter(([number]) => number > 0)
    .map(([number, unit]) => `${number} ${unit}`)
    .join(' ')
}

/** A duration in its largest unit: `3 d`. */
export function shortDuration(ms: number): string {
  if (ms < MINUTE) return '< 1 min'
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`
  return `${Math.floor(ms / DAY)} d`
}

/** A past time in its largest unit: `2 min ago`. */
export function ago(ms: number): string {
  return ms < MINUTE ? 'just now' : `${shortDuration(ms)} ago`
}
