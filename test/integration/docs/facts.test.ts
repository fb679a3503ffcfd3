import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'jsonc-parser'
import t from 'tap'
import { settingsPage } from '../../../docs/source/reference.ts'
import { openapi } from '../../../src/http/openapi.ts'
import { PROBLEMS } from '../../../src/http/problems.ts'
import { documentSchema } from '../../../src/status/schema.ts'
import { directory } from '../../support/directory.ts'
import { anchorsOf } from '../../support/docs/links.ts'
import { type OpenapiDocument } from '../../support/openapi.ts'
import { pages, read, ROOT } from '../../support/docs/pages.ts'
import { run } from '../../support/server.ts'

t.test('docs/settings.md is what `npm run reference` makes', async (t) => {
  t.equal(read('docs/settings.md'), await settingsPage())
})

t.test('docs/api.md has every problem and every request', async (t) => {
  const [, table = ''] = /<!-- problems -->([^]*)<!-- \/problems -->/.exec(read('docs/api.md')) ?? []
  const problems = Object.entries(PROBLEMS).map(([code, { status, title }]) => [`\`${code}\``, String(status), title])
  t.same(rowsOf(table).slice(2), problems)
  const api = pages()
    .filter((page) => /^docs\/api(\.md|\/)/.test(page))
    .map(read)
    .join('\n')
  const { paths } = openapi('1.0.0') as OpenapiDocument
  for (const [path, operations] of Object.entries(paths)) {
    for (const method of Object.keys(operations)) {
      const request = `${method.toUpperCase()} ${path}`
      t.ok(api.includes(request), request)
    }
  }
})

t.test('docs/document.md: its example is valid, and every property is on the page', async (t) => {
  const page = read('docs/document.md')
  const [, example = ''] = /```jsonc\n([^]*?)\n```/.exec(page) ?? []
  const file = join(directory(t, { 'status.json': JSON.stringify(parse(example)) }), 'status.json')
  const check = run(t, ['check', file])
  t.equal(await check.ended, 0, check.stdout())
  const names = new Set(propertiesIn(documentSchema))
  t.ok(names.size > 35, `${names.size} properties`)
  for (const name of names) t.ok(page.includes(`"${name}"`) || page.includes(`\`${name}\``), name)
})

t.test('docs/troubleshooting.md has a place for everything that has a link to it', async (t) => {
  const anchors = anchorsOf(read('docs/troubleshooting.md'))
  const kinds = ['volume-full', 'no-lock', 'unavailable', 'internal-error', 'rejected-edit', 'tokens-file', 'history']
  for (const topic of [...Object.keys(PROBLEMS), ...kinds, 'start']) t.ok(anchors.has(topic), topic)
})

for (const [page, rows] of [
  ['docs/operations/faults.md', 18],
  ['docs/security.md', 10],
] as const) {
  t.test(`${page}: every fault or attack has the test that it names`, async (t) => {
    const named = [...read(page).matchAll(/\| `([^`]+)` +\|$/gm)].map(([, name]) => name ?? '')
    t.ok(named.length >= rows, `${named.length} rows`)
    for (const name of named) t.match(tests(), new RegExp(`t\\.test\\(\\s*['\`]${name}`), name)
  })
}

t.test('docs/architecture.md: every invariant has the tests that it names, every module is there', async (t) => {
  const text = read('docs/architecture.md')
  const [, section = ''] = /## What always holds([^]*)$/.exec(text) ?? []
  const rows = [...section.matchAll(/\| +(`[^|]+`) +\|$/gm)].map(([, names]) => names ?? '')
  t.ok(rows.length >= 9, `${rows.length} invariants`)
  for (const [, name = ''] of rows.join('\n').matchAll(/`([^`]+)`/g)) {
    t.match(tests(), new RegExp(`t\\.test\\(\\s*['\`]${name}`), name)
  }
  const files = readdirSync(join(ROOT, 'src/store')).filter((file) => /(?<!\.d)\.ts$/.test(file))
  t.same(
    files.filter((file) => !text.includes(`\`${file}\``)),
    ['store-error.ts'],
    'all parts of the store but its error',
  )
})

t.test('docs/performance.md: reads and writes are as fast as bench/RESULTS.md says', async (t) => {
  const measured = rowsOf(read('bench/RESULTS.md'))
  const [, sections = ''] = /## Reads([^]*?)## How cost grows/.exec(read('docs/performance.md')) ?? []
  const shown = rowsOf(sections).filter(([name = '']) => /\d/.test(name))
  t.ok(shown.length >= 5, `${shown.length} rows`)
  for (const cells of shown) {
    const found = measured.some((row) => row[0] === cells[0] && cells.every((cell) => row.includes(cell)))
    t.ok(found, cells.join(' | '))
  }
})

t.test('docs/operations/large-fleets.md: a fleet costs what bench/FLEET.md says', async (t) => {
  const [, measured = ''] = /## COMMIT_INTERVAL=10\n([^]*)$/.exec(read('bench/FLEET.md')) ?? []
  const [, section = ''] = /## What a fleet costs\n([^]*?)\n## /.exec(read('docs/operations/large-fleets.md')) ?? []
  const shown = rowsOf(section).filter(([name = '']) => /[a-z]/.test(name))
  t.ok(shown.length >= 20, `${shown.length} rows`)
  const lines = new Set(rowsOf(measured).map((cells) => cells.join('|')))
  for (const cells of shown) t.ok(lines.has(cells.join('|')), cells.join(' | '))
})

/** The cells of all tables of a page. */
function rowsOf(page: string): string[][] {
  return page
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

/** The names of all properties that a schema describes, at any depth. */
function propertiesIn(schema: object): string[] {
  return Object.entries(schema).flatMap(([key, value]: [string, unknown]) => {
    const inside = typeof value === 'object' && value !== null ? propertiesIn(value) : []
    return key === 'properties' && typeof value === 'object' && value !== null
      ? [...Object.keys(value), ...inside]
      : inside
  })
}

/** The text of all tests. The names of some are made of parts. */
function tests(): string {
  return readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(join('test', name)))
    .join('\n')
    .replaceAll('${kind}', 'xfs')
    .replaceAll('${namespaces}', 'two PID namespaces')
}
