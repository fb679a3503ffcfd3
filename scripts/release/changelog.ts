/** What a changelog says of one version. */
export interface Section {
  /** What stands after the version in the heading: its date, or `unreleased`. */
  readonly date: string
  /** Everything below the heading. */
  readonly text: string
}

/** The section of a version in a changelog, or undefined if there is none. Its heading is `## [1.2.3] - 2026-01-31`. */
export function sectionOf(changelog: string, version: string): Section | undefined {
  const sections = changelog.split(/^## /m).slice(1)
  const heading = `[${version}] - `
  const section = sections.find((each) => each.startsWith(heading))
  if (section === undefined) return undefined
  const end = section.indexOf('\n')
  return { date: section.slice(heading.length, end).trim(), text: section.slice(end).trim() }
}

/** The same text, with links that lead to the files of a repository from anywhere. `base` is the address of its root. */
export function withAbsoluteLinks(text: string, base: string): string {
  return text.replaceAll(/\]\((?![a-z]+:|#)/g, `](${base}/`)
}

/** The same text with each paragraph on one line: GitHub shows the ends of lines in the notes of a release as they are. */
export function unwrapped(text: string): string {
  const parts = text.split(/^(```[^]*?^```)$/m)
  return parts
    .map((part) => (part.startsWith('```') ? part : part.replaceAll(/(?<=\S)\n *(?=[^\s#|>*-])/g, ' ')))
    .join('')
}
