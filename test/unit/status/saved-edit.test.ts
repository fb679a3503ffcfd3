import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import { EMPTY_DOCUMENT, type StatusDocument, committedDocument, textOf } from '../../../src/status/document.ts'
import type { LocatedFault, Outcome } from '../../../src/status/json.ts'
import { readDocument } from '../../../src/status/saved-document.ts'
import { readEdit, seemingGeneration } from '../../../src/status/saved-edit.ts'
import { type SavedDocument, TARGETS_MAX } from '../../../src/status/schema.ts'
import { toBytes } from '../../../src/store/render.ts'
import { CLOCK, NOW, at, posted, saved } from '../../support/documents.ts'
import { repetitions } from '../../support/machine.ts'
import { anySnapshot, snapshotOf } from '../../support/snapshots.ts'

/** The text of a document, in parts that edits change. */
interface Parts {
  readonly opening: string
  readonly entries: readonly string[]
  readonly closing: string
}

type TextEdit = (parts: Parts) => Parts

const anyPlace = fc.nat({ max: 1000 })
const RULE = '{ "until": "2026-05-01T00:00:00Z", "reason": "r" }'
const NEW = '{ "repo": "new", "server": "s", "sync_status": null, "drift_count": 0, "files": [], "last_check": null }'

const anyEntryEdit = fc
  .tuple(
    anyPlace,
    fc.constantFrom<(entry: string) => string | string[]>(
      () => [],
      (entry) => [entry, entry],
      (entry) => [entry, `    ${NEW}`],
      (entry) => [NEW, entry],
      () => '',
      () => 'null',
      (entry) => entry.replace('"SYNCED"', '"OUT_OF_SYNC"'),
      (entry) => entry.replace(/"last_check": "[^"]+"/, '"last_check": "2026-04-21T12:32:15.5+02:00"'),
      (entry) => entry.replace(/"drift_count": \d/, '"drift_count": 1e0'),
      (entry) => entry.replace('"drift_count"', '"note": 9007199254740993, "drift_count"'),
      (entry) => entry.replace('"drift_count"', `"note": ${'['.repeat(30)}${']'.repeat(30)}, "drift_count"`),
      (entry) => entry.replace('"drift_count"', `"note": ${'['.repeat(29)}${']'.repeat(29)}, "drift_count"`),
      (entry) => entry.replace('"drift_count"', '"note": "}],\\"\\\\", "ünï\\ud83d\\ude00": "🦀", "drift_count"'),
      (entry) => entry.replace('"drift_count"', '"note": 1, "note": 2, "drift_count"'),
      (entry) => entry.replace('"drift_count"', '"note": 1, "n\\u006fte": 2, "drift_count"'),
      (entry) => entry.replace(/"server": ".*"/, '"server": "\\ud800"'),
      (entry) => entry.replace(/"server": ".*"/, '"server": "other"'),
      (entry) => JSON.stringify(JSON.parse(entry)),
      (entry) => JSON.stringify(JSON.parse(entry), null, 4),
      (entry) => entry.replaceAll('\n', '\n\t'),
      (entry) => `\n\n${entry} `,
      (entry) => entry.replace('}', ''),
      (entry) => `${entry}}`,
      (entry) => `${entry},`,
    ),
  )
  .map(([place, change]): TextEdit => (parts) => {
    const index = place % Math.max(parts.entries.length, 1)
    return {
      ...parts,
      entries: parts.entries.flatMap((entry, each) => (each === index ? attempt(change, entry) : entry)),
    }
  })

const anyOrder = fc.tuple(anyPlace, anyPlace).map(([from, to]): TextEdit => (parts) => {
  const entries = [...parts.entries]
  const moved = entries.splice(from % Math.max(entries.length, 1), 1)
  entries.splice(to % (entries.length + 1), 0, ...moved)
  return { ...parts, entries }
})

const anyTopEdit = fc.constantFrom<TextEdit>(
  (parts) => ({ ...parts, opening: parts.opening.replace(/"generation": \d+,/, '') }),
  (parts) => ({ ...parts, opening: parts.opening.replace('{', `{"accepted": [${RULE}],`) }),
  (parts) => ({ ...parts, opening: parts.opening.replace('{', `{"accepted": [${RULE.replace('2026', '2126')}],`) }),
  (parts) => ({ ...parts, opening: parts.opening.replace('{', '{"updated_at": "yesterday",') }),
  (parts) => ({ ...parts, opening: parts.opening.replace('{', '{"note": {"statuses": []},') }),
  (parts) => ({ ...parts, opening: parts.opening.replace('{', '{"note": "\\"statuses\\": [",') }),
  (parts) => ({ ...parts, opening: parts.opening.replace('{', '{"statuses": [],') }),
  (parts) => ({ ...parts, opening: parts.opening.replace('{', '{"statuses": {}, "note": 1,') }),
  (parts) => ({ ...parts, opening: parts.opening.replace('"statuses"', '"other"') }),
  (parts) => ({ ...parts, opening: parts.opening.replace('"statuses"', '"\\u0073tatuses"') }),
  (parts) => ({ ...parts, opening: parts.opening.replace('"statuses": ', '"statuses"\n:\t') }),
  (parts) => ({ ...parts, opening: `[${parts.opening}` }),
  (parts) => ({ ...parts, closing: '],"note":"ü"}' }),
  (parts) => ({ ...parts, closing: '],"statuses":[]}' }),
  (parts) => ({ ...parts, closing: '],"st\\u0061tuses":[]}' }),
  (parts) => ({ ...parts, closing: '],"__proto__":{"a":1}}' }),
  (parts) => ({ ...parts, closing: '],"note":{"statuses":[]}}' }),
  (parts) => ({ ...parts, closing: `${parts.closing} \t\n\n` }),
  (parts) => ({ ...parts, closing: `${parts.closing}x` }),
  (parts) => ({ ...parts, closing: '' }),
  (parts) => ({ ...parts, closing: '}' }),
  (parts) => ({ ...parts, closing: `,${parts.closing}` }),
)

const anyTextEdit = fc.oneof(
  { weight: 6, arbitrary: fc.constant((text: string) => text) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      (text: string) => text.replaceAll('\n', '\r\n'),
      (text: string) => `\uFEFF${text}`,
      (text: string) => ` \n${text}`,
      (text: string) => text.replaceAll('SYNCED', 'SYNC'),
      (text: string) => text.replace(/\},(?=\n {4}\{)/, '};'),
      (text: string) => text.replace(/\},(?=\n {4}\{)/, '}'),
      (text: string) => text.replace(/\},(?=\n {4}\{)/, '},,'),
      (text: string) => text.replaceAll('"commit"', '"revision"'),
      (text: string) => JSON.stringify(JSON.parse(text)),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(anyPlace, fc.constantFrom('', ...Array.from('{}[],:"\\0 ü\n')))
      .map(([place, typed]) => (text: string) => {
        const index = Math.floor((place / 1000) * text.length)
        return text.slice(0, index) + typed + text.slice(index + 1)
      }),
  },
)

t.test('whatever was edited, the outcome is that of reading the whole text', async (t) => {
  const [valid, invalid, taken] = [{ count: 0 }, { count: 0 }, { count: 0 }]
  const anySnapshots = fc.array(anySnapshot, { maxLength: 8 })
  const anyEdits = fc.array(fc.oneof({ weight: 3, arbitrary: anyEntryEdit }, anyOrder, anyTopEdit), { maxLength: 3 })
  fc.assert(
    fc.property(anySnapshots, anySnapshots, anyEdits, anyTextEdit, (first, then, edits, editText) => {
      const before = committed(posted(EMPTY_DOCUMENT, ...first).document)
      const after = committed(posted(before, ...then).document)
      const parts = edits.reduce((each, edit) => edit(each), partsOf(before))
      const text = attempt(editText, `${parts.opening}${parts.entries.join(',\n')}${parts.closing}`)
      const bytes = Buffer.from(text)
      const expected = readDocument(bytes, NOW)
      for (const known of [before, after, EMPTY_DOCUMENT]) {
        const outcome = read(bytes, known)
        deepStrictEqual(outcome, expected)
        if (sharedBy(outcome, known) > 0) taken.count += 1
      }
      ;(expected.ok ? valid : invalid).count += 1
    }),
    { numRuns: repetitions(1500) },
  )
  for (const { count } of [valid, invalid, taken]) t.ok(count >= repetitions(300), `${count}`)
})

const SERVERS = 60
const LAB = committed(
  posted(
    EMPTY_DOCUMENT,
    ...Array.from({ length: SERVERS }, (_, index) =>
      snapshotOf(
        { repo: `repo-${index % 3}`, server: `s${index}` },
        index % 7 === 0 ? ['a "b"\\'] : [],
        at('10:32:00'),
      ),
    ),
  ).document,
)
const TEXT = toBytes(LAB).toString()

t.test('what an edit has left alone is the very object that is known', async (t) => {
  const target = '"server": "s30",'
  const entry = partsOf(LAB).entries[30] ?? ''
  const cases: [name: string, text: string, others: number][] = [
    ['unchanged', TEXT, 0],
    ['a value, as with vi', TEXT.replace(target, `${target}\n      "note": "x",`), 1],
    ['the first one', TEXT.replace('"server": ', '"note": "x",\n      "server": '), 1],
    ['the last one', TEXT.replace(/("stale": false)(?![^]*"stale": false)/, '"stale": true'), 1],
    ['the top', TEXT.replace('{', '{\n  "note": "ü",'), 0],
    ['the top, with a text like a key', TEXT.replace('{', '{\n  "note": "statuses",'), 0],
    ['the top, with a bracket in a text', TEXT.replace('{', '{\n  "note": "[",'), 0],
    ['some lines, as with sed', TEXT.replaceAll(/("server": "s3\d")/g, '$1,\n      "note": "x"'), 10],
    ['as jq writes it', `${JSON.stringify(JSON.parse(TEXT), null, 2)}\n`, 0],
    ['as jq -c writes it', `${JSON.stringify(JSON.parse(TEXT))}\n`, 0],
    ['as an editor for Windows saves it', `\uFEFF${TEXT.replaceAll('\n', '\r\n')}`, 0],
    ['one removed', TEXT.replace(`${entry},\n`, ''), 0],
    ['one added', TEXT.replace(entry, `${entry},\n    ${NEW}`), 1],
    ['one added at the end', TEXT.replace(/\n {2}\]\n\}\n$/, `,\n    ${NEW}$&`), 1],
    ['one moved to the end', TEXT.replace(`${entry},\n`, '').replace(/\n {2}\]\n\}\n$/, `,\n${entry}$&`), 0],
    ['one indented otherwise', TEXT.replace(entry, entry.replaceAll('\n', '\n  ')), 0],
  ]
  for (const [name, text, others] of cases) {
    const outcome = read(Buffer.from(text), LAB)
    const total = outcome.ok ? outcome.value.statuses.length : 0
    t.equal(total - sharedBy(outcome, LAB), others, name)
  }
})

t.test('what is not UTF-8 is refused as before', async (t) => {
  const bytes = Buffer.concat([Buffer.from(TEXT), Buffer.from([0xff])])
  t.same(read(bytes, LAB), readDocument(bytes, NOW))
  t.equal(read(bytes, LAB).ok, false)
})

t.test('a target that is there twice is found, wherever it is', async (t) => {
  const { opening, entries, closing } = partsOf(LAB)
  const [a = '', b = '', c = ''] = entries
  const changed = b.replace('{', '{ "note": 1,')
  const added = `    ${NEW}`
  for (const twice of [
    [a, a],
    [a, b, a],
    [b, a, b],
    [a, b, changed],
    [changed, a, b],
    [b, a, changed],
    [changed, c, b, a],
    [added, a, added],
    [c, b, a, b],
  ]) {
    const bytes = Buffer.from(`${opening}${twice.join(',\n')}${closing}`)
    const expected = readDocument(bytes, NOW)
    t.match(expected, { ok: false, faults: [{ detail: /same repo and server/ }] })
    t.same(read(bytes, LAB), expected)
  }
})

t.test('an entry that is left alone is not even parsed, and the rest goes on after it', async (t) => {
  const [one = '', two = ''] = [10, 30].map((index) => partsOf(LAB).entries[index])
  const edited = TEXT.replace(`${one},\n`, '').replace(two, two.replace('{', '{ "note": 1,'))
  const { parse } = JSON
  let parsed = 0
  t.teardown(() => {
    JSON.parse = parse
  })
  JSON.parse = (...args: Parameters<typeof parse>): unknown => {
    parsed += 1
    return parse(...args)
  }
  const outcome = read(Buffer.from(edited), LAB)
  t.ok(outcome.ok)
  t.equal(parsed, 3, 'the entry after the removed one, the changed one, the top')
})

t.test('the caller can let others work after each entry', async (t) => {
  const pieces = [...readEdit(Buffer.from(TEXT), LAB, NOW)]
  t.ok(pieces.length >= SERVERS, `${pieces.length}`)
})

t.test('too many targets are too many, known or not', async (t) => {
  const entry = LAB.entries[1]
  if (entry === undefined) throw new Error('no entry')
  const entries = Array.from({ length: TARGETS_MAX + 1 }, (_, index) => {
    const status = { ...entry.status, server: `${index}` }
    return { ...entry, status, bytes: textOf(status).length }
  })
  const bytes = toBytes({ ...LAB, entries })
  t.match(read(bytes, { ...LAB, entries }), { ok: false, faults: [{ pointer: '/statuses' }] })
})

t.test('the generation that a text seems to name', async (t) => {
  const cases: [text: string, generation: number | undefined][] = [
    [TEXT, LAB.generation],
    ['{ "generation" : 12, "statuses": [] }', 12],
    ['{ "statuses": [{ "generation": 3 }], "generation": 4 }', undefined],
    [`{ "note": "${'x'.repeat(2000)}", "generation": 4, "statuses": [] }`, undefined],
    ['{ "generation": "x" }', undefined],
    ['', undefined],
  ]
  for (const [text, generation] of cases) t.equal(seemingGeneration(Buffer.from(text)), generation, text.slice(0, 60))
  t.equal(seemingGeneration(Buffer.from([0xff, 0x7b])), undefined)
})

/** The document as a server has it after a start: every object comes from a text. */
function committed(document: StatusDocument): StatusDocument {
  return committedDocument(saved(document), CLOCK)
}

function partsOf(document: StatusDocument): Parts {
  const text = toBytes(document).toString()
  const entries = document.entries.map(({ status }) => textOf(status))
  const all = entries.join(',\n')
  const begin = entries.length === 0 ? text.lastIndexOf(']') : text.indexOf(all)
  return { opening: text.slice(0, begin), entries, closing: text.slice(begin + all.length) }
}

/** The change of a text; the text itself if it is not one that can be changed so. */
function attempt<T>(change: (text: string) => T, text: string): T | string {
  try {
    return change(text)
  } catch {
    return text
  }
}

function read(bytes: Uint8Array, known: StatusDocument): Outcome<SavedDocument, LocatedFault> {
  const pieces = readEdit(bytes, known, NOW)
  for (;;) {
    const piece = pieces.next()
    if (piece.done === true) return piece.value
  }
}

/** How many statuses are objects of the known document. */
function sharedBy(outcome: Outcome<SavedDocument, LocatedFault>, known: StatusDocument): number {
  const own = new Set<object>(known.entries.map(({ status }) => status))
  return outcome.ok ? outcome.value.statuses.filter((status) => own.has(status)).length : 0
}
