import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { anchorsOf, linksOf } from '../../support/docs/links.ts'
import { pages, read, ROOT } from '../../support/docs/pages.ts'

const README_LINES_MAX = 150
const PAGE_LINES_MAX = 200

t.test('no page is longer than a reader reads', async (t) => {
  for (const page of pages()) {
    const lines = read(page).split('\n').length - 1
    t.ok(lines <= (page === 'README.md' ? README_LINES_MAX : PAGE_LINES_MAX), `${page}: ${lines} lines`)
  }
})

t.test('every link leads to a file and a heading that are there', async (t) => {
  for (const page of [...pages(), 'CONTRIBUTING.md', 'CHANGELOG.md']) {
    for (const { path, anchor, line } of linksOf(read(page))) {
      const target = path === '' ? page : join(dirname(page), path)
      const place = `${page}:${line}: ${path}#${anchor}`
      if (!existsSync(join(ROOT, target))) t.fail(`${place}: there is no ${target}`)
      else if (anchor !== '') t.ok(anchorsOf(read(target)).has(anchor), place)
    }
  }
})

t.test('every page is reached from the README or from the page above it', async (t) => {
  const reached = new Set(['README.md'])
  for (const page of reached) {
    for (const { path } of linksOf(read(page))) {
      const target = join(dirname(page), path)
      if (path.endsWith('.md') && existsSync(join(ROOT, target))) reached.add(target)
    }
  }
  t.same(
    pages().filter((page) => !reached.has(page)),
    [],
  )
})
