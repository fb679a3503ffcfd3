import { join, posix } from 'node:path'
import { existsSync } from 'node:fs'
import type { MarkdownRenderer } from 'vitepress'

/**
 * Makes the links of a page, which lead to files of the repository, lead to pages of the site: README.md is its start, and docs/ is its
 * root. A link to any other file leads to `source`; without that, its text stays.
 *
 * @param source the address of the repository's files, without a slash at its end
 */
export function repositoryLinks(markdown: MarkdownRenderer, root: string, source: string | undefined): void {
  markdown.core.ruler.push('repository-links', ({ tokens, env }) => {
    const { path: shownPath, realPath = shownPath }: { readonly path: string; readonly realPath?: string } = env
    const page = posix.relative(root, realPath)
    for (const { children } of tokens) {
      for (const [index, token] of (children ?? []).entries()) {
        const target = token.attrGet('href')
        if (token.type !== 'link_open' || target === null || /^([a-z]+:|#)/.test(target)) continue
        const [path = '', anchor] = target.split('#')
        const file = posix.join(posix.dirname(page), path)
        const link = isPage(file) ? pageLink(file) : source === undefined ? undefined : `${source}/${file}`
        if (link !== undefined) token.attrSet('href', link + (anchor === undefined ? '' : `#${anchor}`))
        else unlink(children ?? [], index)
      }
    }
    return true
  })

  function isPage(file: string): boolean {
    return /^(README|CHANGELOG|CONTRIBUTING|docs\/.*)\.md$/.test(file) && existsSync(join(root, file))
  }
}

function pageLink(file: string): string {
  return file === 'README.md' ? '/' : `/${file.replace(/^docs\//, '').replace(/\.md$/, '')}`
}

/** Removes a link, and leaves its text. */
function unlink(tokens: readonly { type: string; content: string }[], open: number): void {
  const close = tokens.findIndex(({ type }, index) => index > open && type === 'link_close')
  for (const token of [tokens[open], tokens[close]]) Object.assign(token ?? {}, { type: 'text', content: '' })
}
