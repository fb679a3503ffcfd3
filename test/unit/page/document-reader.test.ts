import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import { DocumentReader, readDocument } from '../../../src/page/data/document-reader.ts'
import type { StatusDocument } from '../../../src/page/data/targets.ts'
import { EMPTY_DOCUMENT } from '../../../src/status/document.ts'
import { formatTime } from '../../../src/status/time.ts'
import { toBytes } from '../../../src/store/render.ts'
import { NOW, posted } from '../../support/documents.ts'
import { anySnapshot, snapshotOf } from '../../support/snapshots.ts'

/** What is read of a text, or the kind of fault in it. */
function outcome(read: () => StatusDocument): unknown {
  try {
    return read()
  } catch (error) {
    return error instanceof Error ? error.name : error
  }
}

/** One reader reads all texts; each must be read as if it were the first and only one. */
function readsAsAWhole(texts: readonly string[]): void {
  const reader = new DocumentReader()
  for (const text of texts) {
    deepStrictEqual(
      outcome(() => reader.read(text)),
      outcome(() => readDocument(JSON.parse(text))),
    )
  }
}

/** What looks like an entry, and what could be taken for the space between two of them. */
const anyBait = fc.constantFrom<unknown>([{}, {}], [{ repo: 'a', server: 'a' }, {}], [[{}], { x: [] }], '},\n    {', {})

const anyEntry = fc.oneof(
  anySnapshot,
  fc.record({ repo: fc.constantFrom('a', 'b'), server: fc.constantFrom('a', 'b'), x: anyBait }),
  fc.constantFrom<unknown>({}, null, 7, [], [{}, {}]),
)

const anyDocument = fc
  .record(
    {
      generation: fc.nat(),
      links: fc.constantFrom<unknown>({ '*': { commit: 'https://git.example/{commit}' } }, { a: {} }, null),
      statuses: fc.oneof(fc.array(anyEntry, { maxLength: 5 }), anyBait),
      accepted: anyBait,
    },
    { requiredKeys: ['statuses'] },
  )
  .chain((document) =>
    fc.shuffledSubarray(Object.keys(document), { minLength: 1 }).map((keys) => ({
      ...Object.fromEntries(Object.entries(document).filter(([key]) => key !== 'statuses')),
      ...Object.fromEntries(keys.map((key) => [key, document[key as keyof typeof document]])),
    })),
  )

/** Spaces that change nothing, and pieces that a hand or a broken copy may leave. */
const anyText = fc
  .record({
    document: anyDocument,
    spaces: fc.array(fc.tuple(fc.nat(), fc.constantFrom('', ' ', '\n', '\n  ', '\n    ', '\n      ')), {
      maxLength: 6,
    }),
    cuts: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      {
        weight: 1,
        arbitrary: fc.array(
          fc.tuple(
            fc.nat(),
            fc.nat(12),
            fc.constantFrom('', ',', '},\n    {', '\n  "statuses": [\n    {', '}\n  ]\n}\n'),
          ),
          { maxLength: 2 },
        ),
      },
    ),
  })
  .map(({ document, spaces, cuts }) => {
    const parts = `${JSON.stringify(document, null, 2)}\n`.split(/(\n *)/)
    for (const [at, space] of spaces) parts[(at % (parts.length >> 1)) * 2 + 1] = space
    let text = parts.join('')
    for (const [at, length, piece] of cuts) {
      const from = at % (text.length + 1)
      text = text.slice(0, from) + piece + text.slice(from + length)
    }
    return text
  })

t.test('any text is read as if it were the only one', async () => {
  fc.assert(fc.property(fc.array(anyText, { minLength: 1, maxLength: 4 }), readsAsAWhole), { numRuns: 2000 })
})

t.test('so is what the server writes, update by update', async () => {
  fc.assert(
    fc.property(fc.array(fc.array(anySnapshot, { maxLength: 8 }), { minLength: 1, maxLength: 4 }), (updates) => {
      let document = EMPTY_DOCUMENT
      const texts = updates.map((snapshots) => {
        ;({ document } = posted(document, ...snapshots))
        return toBytes(document).toString()
      })
      readsAsAWhole(texts)
    }),
  )
})

t.test('what looks like the space between entries, and is not', async () => {
  const entry = '{"repo":"a","server":"a"}'
  const one = `{\n  "statuses": [\n    {"repo":"a","server":"b","x":[{},\n    ${entry},\n    {}]}\n  ]\n}\n`
  const known = `{\n  "statuses": [\n    {},\n    ${entry},\n    {}\n  ]\n}\n`
  readsAsAWhole([known, one, known])
  // Another array of another object, which ends as the document does.
  readsAsAWhole([
    `{"statuses": [],"x": {\n  "statuses": [\n    ${entry}\n  ]\n}\n}`,
    `[{\n  "statuses": [\n    {}\n  ]\n}\n`,
  ])
  readsAsAWhole([`{\n  "statuses": [\n    ${entry}\n  ],\n  "statuses": [\n    {},\n    ${entry}\n  ]\n}\n`])
})

t.test('an entry that is unchanged is not read again, also if others come and go before it', async (t) => {
  const now = formatTime(NOW)
  const snapshots = Array.from({ length: 40 }, (_, index) => snapshotOf({ server: `s${10 + index}` }, [], now))
  const first = posted(EMPTY_DOCUMENT, ...snapshots).document
  const { draft, document } = posted(
    first,
    snapshotOf({ server: 's00' }, [], now),
    snapshotOf({ server: 's20' }, ['a.conf'], now),
  )
  const reader = new DocumentReader()
  const before = reader.read(toBytes(first).toString()).targets
  const after = reader.read(toBytes(document).toString()).targets
  t.equal(after.length, 41)
  t.same(
    after.filter((target) => !before.includes(target)).map(({ server }) => server),
    ['s00', 's20'],
  )
  draft.remove({ repo: 'rsyslog', server: 's10' }, { origin: 'delete' })
  const rest = reader.read(toBytes(draft.finish()).toString()).targets
  t.equal(rest.length, 40)
  t.ok(rest.every((target) => after.includes(target)))
  draft.putHead({ ...first.head, links: { '*': { commit: 'https://git.example/{commit}' } } }, { origin: 'edit' })
  const linked = reader.read(toBytes(draft.finish()).toString()).targets
  t.ok(
    linked.every(({ links }) => links?.commit === 'https://git.example/{commit}'),
    'links belong to every target',
  )
})
