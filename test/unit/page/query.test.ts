import fc from 'fast-check'
import t from 'tap'
import { parseQuery, term } from '../../../src/page/address/query.ts'

t.test('words and exact names', async (t) => {
  t.same(parseQuery('  DB-2 env=prod '), { words: ['db-2', 'env=prod'], repo: undefined, file: undefined })
  t.same(parseQuery('repo:Base file:"a b.conf" x'), { words: ['x'], repo: 'Base', file: 'a b.conf' })
  t.same(parseQuery('"two words"'), { words: ['two words'], repo: undefined, file: undefined })
  t.same(parseQuery(''), { words: [], repo: undefined, file: undefined })
})

t.test('a term for a name finds that name', async () => {
  fc.assert(
    fc.property(
      fc.string().filter((name) => !name.includes('"')),
      fc.string().filter((name) => !name.includes('"')),
      (repo, file) => {
        const query = parseQuery(`${term('repo', repo)} ${term('file', file)}`)
        return query.repo === repo && query.file === file && query.words.length === 0
      },
    ),
  )
})
