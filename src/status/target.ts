/** The subject of a snapshot, and the merge key. */
export interface Target {
  readonly repo: string
  readonly server: string
}

/** One string for a target. Names have no control characters, so two targets never share a key. */
export function keyOf({ repo, server }: Target): string {
  return `${repo}\n${server}`
}

/** Orders by repo, then server, by UTF-16 code units, so that no locale changes the order. */
export function compareTargets(a: Target, b: Target): number {
  if (a.repo !== b.repo) return a.repo < b.repo ? -1 : 1
  if (a.server !== b.server) return a.server < b.server ? -1 : 1
  return 0
}
