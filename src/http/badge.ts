import { makeBadge } from 'badge-maker'
import type { RequestHandler } from 'express'
import type { Status, Summary } from '../status/schema.ts'
import { summaryOf } from '../status/states.ts'
import type { Store } from '../store/store.ts'
import { STATE_WORDS, differencesInWords } from '../views/words.ts'
import { filterOf, matching } from './filter.ts'

/** The longest list of differences, in characters: badges are shown in a line. */
const WORDS_LENGTH_MAX = 40

/** Serves a badge with the worst state of the matching targets; `unknown` if none matches, not an error that shows as a broken image. */
export function badge(store: Pick<Store, 'published'>): RequestHandler {
  return (req, res) => {
    const statuses = matching(store, filterOf(req.query))
    const { state } = summaryOf(statuses)
    const message = state === 'empty' ? 'unknown' : state === 'drifted' ? driftOf(statuses) : STATE_WORDS.get(state)
    res.set({ 'Content-Type': 'image/svg+xml; charset=utf-8', 'Cache-Control': 'no-cache' })
    res.send(makeBadge({ label: 'drift', message: message ?? state, color: COLORS[state] }))
  }
}

/** Only what is known to be in sync is green. */
const COLORS: Readonly<Record<Summary['state'], string>> = {
  drifted: 'red',
  failing: 'orange',
  missing: 'lightgrey',
  stale: 'lightgrey',
  accepted: 'blue',
  synced: 'brightgreen',
  empty: 'lightgrey',
}

/** The differences in a few words. Those of a target in another state than drifted do not count. */
function driftOf(statuses: readonly Status[]): string {
  const drifted = statuses.filter(({ state }) => state === 'drifted')
  const differences = drifted.flatMap(({ files }) => files)
  const counted = differences.length === 1 ? '1 difference' : `${differences.length} differences`
  // Of several targets, a name would not say which one it is of.
  if (drifted.length > 1 && differences.some(({ kind }) => kind === 'other')) return counted
  const words = differencesInWords(differences)
  return words.length <= WORDS_LENGTH_MAX && VISIBLE.test(words) ? words : counted
}

/** A name in the file may have characters that no XML may have. */
const VISIBLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u
