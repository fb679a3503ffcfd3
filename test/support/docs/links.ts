import MarkdownIt from 'markdown-it'
import { headingAnchor } from '../../../docs/source/anchors.ts'

/** A link to something in this repository. */
export interface Link {
  /** Relative to the page; empty for the page itself. */
  readonly path: string
  /** Without `#`; empty if there is none. */
  readonly anchor: string
  /** Line of the paragraph that has the link, from 1. */
  readonly line: number
}

const markdown = new MarkdownIt({ html: true })

/** The links and pictures of a page that lead into this repository. */
export function linksOf(page: string): Link[] {
  let line = 1
  return markdown.parse(page, {}).flatMap((block) => {
    // The cells of a table do not say where they are; their row does.
    line = (block.map?.[0] ?? line - 1) + 1
    return (block.children ?? []).flatMap((token): Link[] => {
      const target = token.attrGet('href') ?? token.attrGet('src')
      if (typeof target !== 'string' || /^[a-z]+:/.test(target)) return []
      const [path = '', anchor = ''] = target.split('#')
      return [{ path: decodeURI(path), anchor, line }]
    })
  })
}

/** What a link to a heading of the page may name: the names of headings, and `<a id="…">`. */
export function anchorsOf(page: string): Set<string> {
  const tokens = markdown.parse(page, {})
  const headings = tokens.filter((_, index) => tokens[index - 1]?.type === 'heading_open')
  const texts = headings.map(({ children }) => (children ?? []).map(({ content }) => content).join(''))
  const named = [...page.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id ?? '')
  return new Set([...texts.map(headingAnchor), ...named])
}
