import { minute } from '../data/state.ts'
import { type Target, beginOf } from '../data/targets.ts'
import { duration } from '../words.ts'

/** The duration of the state, in words. */
export function sinceWhen(target: Target): string {
  const { stateBehind, unknownState } = target
  const begin = beginOf(target)
  if (unknownState !== undefined) return 'in an unknown state'
  if (begin === undefined) return ''
  const long = duration(minute.value - begin)
  return {
    drift: `drifted for ${long}`,
    failing: `failing for ${long}`,
    missing: `known for ${long}`,
    stale: `no check for ${long}`,
    'in-sync': `in sync for ${long}`,
  }[stateBehind]
}
