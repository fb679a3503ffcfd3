import fc from 'fast-check'
import t from 'tap'
import { type DiffLine, diffLines } from '../../../src/page/parts/diff-lines.ts'

const SIGNS = { head: '', removed: '-', added: '+', same: ' ' } as const

function textOf({ parts }: DiffLine): string {
  return parts.map(({ text }) => text).join('')
}

function changedIn(line: DiffLine | undefined): string[] {
  return (line?.parts ?? []).flatMap(({ text, isChanged }) => (isChanged ? text : []))
}

t.test('lines have the numbers of both sides', async (t) => {
  const lines = diffLines([
    '--- a',
    '+++ b',
    '@@ -12,3 +20,4 @@ section',
    ' same',
    '-old',
    '+new',
    '+more',
    ' end',
    '\\ No newline',
  ])
  t.same(
    lines.map(({ kind, onServer, inGit }) => [kind, onServer, inGit]),
    [
      ['head', undefined, undefined],
      ['head', undefined, undefined],
      ['head', undefined, undefined],
      ['same', 12, 20],
      ['removed', 13, undefined],
      ['added', undefined, 21],
      ['added', undefined, 22],
      ['same', 14, 23],
      ['head', undefined, undefined],
    ],
  )
  t.same(
    diffLines(['-a', '+b', 'c']).map(({ onServer, inGit }) => [onServer, inGit]),
    [
      [undefined, undefined],
      [undefined, undefined],
      [undefined, undefined],
    ],
  )
})

t.test('changed words are marked where a line took the place of one that is like it', async (t) => {
  const [removed, added] = diffLines(['-PermitRootLogin yes', '+PermitRootLogin no'])
  t.same([changedIn(removed), changedIn(added)], [['yes'], ['no']])
  const lines = diffLines(['-a b', '-nothing in common', '+a c', '+1 2 3 4 5 6 7', '+d'])
  t.same(lines.map(changedIn), [['b'], [], ['c'], [], []])
  const long = 'x '.repeat(600)
  t.same(diffLines([`-${long}a`, `+${long}b`]).map(changedIn), [[], []], 'a long line is not compared')
})

t.test('whatever the text is, none of it is lost or added', async () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '@@ -1 +1 @@',
      '@@ -3,4 +5,6 @@',
      '--- a',
      '+++ b',
      '-a b c',
      '+a x c',
      ' same',
      '\\ No newline',
      '-',
      '+',
    ),
  )
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const read = diffLines(lines)
      return lines.every((text, index) => {
        const found = read[index]
        if (found === undefined) return false
        // A line without a sign is shown as it is.
        return [text, ` ${text}`].includes(SIGNS[found.kind] + textOf(found))
      })
    }),
  )
})

t.test('lines that would take long to compare are not', async (t) => {
  const [removed] = diffLines([`-${words(3)}`, `+${words(5)}`])
  t.same(changedIn(removed), [])
  const many = Array.from({ length: 1000 }, (_, index) => [`-a ${index}`, `+b ${index}`]).flat()
  t.ok(diffLines(many).filter((line) => changedIn(line).length > 0).length <= 600)
})

function words(seed: number): string {
  return Array.from({ length: 90 }, (_, index) => (index * seed) % 97).join(' ')
}
