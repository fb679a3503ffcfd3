import { linkTo } from '../../views/links.ts'
import type { DriftedFile, Target } from '../data/targets.ts'

/** The page of a commit that a target was checked against. */
export function commitLink({ links, repo, server, branch }: Target, commit: string): string | undefined {
  return links?.commit === undefined ? undefined : linkTo(links.commit, { repo, server, branch, commit })
}

/** The page of a file. */
export function fileLink({ links, repo, server, branch, commit }: Target, { name }: DriftedFile): string | undefined {
  if (links?.file === undefined) return undefined
  return linkTo(links.file, { repo, server, branch, commit, file: name })
}
