/** The latest of some times; undefined if none is known. */
export function latest(times: readonly (number | undefined)[]): number | undefined {
  return times.reduce((one, other) => ((other ?? -Infinity) > (one ?? -Infinity) ? other : one), undefined)
}
