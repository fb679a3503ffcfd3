import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { defineConfig, type DefaultTheme, type Plugin } from 'vitepress'
import { headingAnchor } from '../../docs/source/anchors.ts'
import { repositoryLinks } from './links.ts'

const ROOT = resolve(import.meta.dirname, '../..')

// The site is README.md and docs/, as they are. BASE is the path below which it is published; SOURCE the address of the files of the
// repository, such as https://git.example.net/gitops-status-server/blob/main: without it, files that are no pages are not linked.
export default defineConfig({
  title: 'gitops-status-server',
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  description: 'Which servers differ from Git, in which files, since when.',
  lang: 'en',
  base: process.env['BASE'] ?? '/',
  srcDir: ROOT,
  srcExclude: ['!(README|CHANGELOG|CONTRIBUTING|docs)*/**', '!(README|CHANGELOG|CONTRIBUTING)*.md'],
  outDir: join(ROOT, 'site/dist'),
  cacheDir: join(ROOT, 'site/.vitepress/cache'),
  rewrites: { 'README.md': 'index.md', 'docs/:page(.*)': ':page' },
  cleanUrls: true,
  vite: { plugins: [vueOfSite()] },
  markdown: {
    anchor: { slugify: headingAnchor },
    config: (markdown) => repositoryLinks(markdown, ROOT, process.env['SOURCE']),
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: 'deep',
    sidebar: contents(),
    nav: [
      { text: 'Getting started', link: '/getting-started' },
      { text: 'Troubleshooting', link: '/troubleshooting' },
      { text: 'Changelog', link: '/CHANGELOG' },
    ],
  },
})

/** Pages import Vue, and are outside of the directory in which it is installed. */
function vueOfSite(): Plugin {
  return {
    name: 'vue-of-site',
    enforce: 'pre',
    resolveId(id, _importer, { ssr }) {
      if (!/^vue($|\/)/.test(id)) return undefined
      return ssr ? { id, external: true } : this.resolve(id, join(ROOT, 'site/package.json'), { skipSelf: true })
    },
  }
}

/** The table "Documentation" of the README: a topic in each row, with links to its pages. */
function contents(): DefaultTheme.SidebarItem[] {
  const [, section = ''] = /## Documentation\n([^]*?)\n## /.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? []
  const rows = section.split('\n').filter((line) => line.includes(']('))
  return rows.map((row) => {
    const [, topic = '', pages = ''] = row.split('|')
    const items = [...pages.matchAll(/\[([^\]]+)\]\((?:docs\/)?([^)]+)\.md\)/g)].map(([, text = '', path = '']) => ({
      text: text.charAt(0).toUpperCase() + text.slice(1),
      link: `/${path}`,
    }))
    return { text: topic.trim(), items }
  })
}
