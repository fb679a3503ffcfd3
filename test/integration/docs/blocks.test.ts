import t from 'tap'
import { type Block, blocksOf, difference } from '../../support/docs/blocks.ts'

const PAGE = `# A page

<!-- setup
start_server
-->

\`\`\`sh
echo plain
\`\`\`

<!-- output -->

\`\`\`text
plain
\`\`\`

<!-- exit 1 -->

\`\`\`sh
false
\`\`\`

<!-- output -->

A sentence: the comment above is not about the next block.

\`\`\`json
{ "a": 1 }
\`\`\`

- in a list:

  <!-- not run: it needs
  a person -->

  \`\`\`sh
  vi file
  \`\`\`

<!-- terminal -->

\`\`\`sh
gitops-status-server
\`\`\`
`

t.test('the blocks of a page, with how they are run', async (t) => {
  t.same(
    blocksOf(PAGE).map(({ language, text, line, note }) => [language, text.trim(), line, note]),
    [
      ['sh', 'start_server', 3, { kind: 'setup' }],
      ['sh', 'echo plain', 7, { kind: 'plain' }],
      ['text', 'plain', 13, { kind: 'output' }],
      ['sh', 'false', 19, { kind: 'exit', code: 1 }],
      ['json', '{ "a": 1 }', 27, { kind: 'plain' }],
      ['sh', 'vi file', 36, { kind: 'not-run', reason: 'it needs a person' }],
      ['sh', 'gitops-status-server', 42, { kind: 'terminal' }],
    ],
  )
})

t.test('what is printed is compared with what is shown', async (t) => {
  const cases: [language: string, shown: string, same: string[], other: string[]][] = [
    ['text', 'a b', ['a b', 'a b\n'], ['a  b', 'a b c', '', 'a b\nc']],
    ['text', 'a.b', ['a.b'], ['axb']],
    ['text', 'since …, by …', ['since 10:00, by anna'], ['since 10:00', 'since 10:00,\nby anna']],
    ['text', 'first\n…\nlast', ['first\nlast', 'first\n1\n2\nlast'], ['first', 'last', 'first\nlast\nmore']],
    [
      'json',
      '{ "a": 1, "b": "…" }',
      ['{"b":2,"a":1}', '{"a":1,"b":null}'],
      ['{"a":1}', '{"a":2,"b":2}', '{"a":1,"b":2,"c":3}'],
    ],
    ['json', '{ "a": 1, "…": "…" }', ['{"a":1}', '{"a":1,"b":2}'], ['{"b":1}', 'a 1', '[]']],
    ['json', '{ "a": "x…z" }', ['{"a":"xyz"}'], ['{"a":"zyx"}', '{"a":null}']],
    ['json', '[1, "…"]', ['[1]', '[1,2,3]'], ['[2]', '[]', '{"0":1}']],
    ['json', '[1, 2]', ['[1,2]'], ['[1]', '[1,2,3]']],
  ]
  for (const [language, shown, same, other] of cases) {
    const block: Block = { language, text: shown, line: 1, note: { kind: 'output' } }
    for (const printed of same) t.equal(difference(block, printed), undefined, `${shown} is ${printed}`)
    for (const printed of other) t.ok(difference(block, printed), `${shown} is not ${printed}`)
  }
})
