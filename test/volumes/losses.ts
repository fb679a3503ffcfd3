import type { Site } from './site.ts'

/** Two servers to attack. */
export interface Servers {
  readonly sites: readonly [Site, Site]
  readonly cli: string
}

/** What was acknowledged or saved, and what of it is gone. */
export interface Losses {
  readonly posts: number
  readonly lostPosts: readonly string[]
  readonly edits: number
  readonly lostEdits: readonly string[]
  /** Private files that are still there. */
  readonly leftovers: readonly string[]
  /** What is wrong with the record and the history. */
  readonly faults: readonly string[]
}
