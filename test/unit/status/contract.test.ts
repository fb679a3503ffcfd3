import { Ajv } from 'ajv'
import fc from 'fast-check'
import t from 'tap'
import {
  type Schema,
  TIME_PATTERN,
  publishedFileSchema,
  publishedSnapshotSchema,
  publishedText,
} from '../../../src/status/contract.ts'
import { POSTED_NAME_PATTERN } from '../../../src/status/names.ts'
import { readDocument } from '../../../src/status/saved-document.ts'
import { readPosted } from '../../../src/status/snapshot.ts'
import { parseTime } from '../../../src/status/time.ts'
import { NOW } from '../../support/documents.ts'
import { DRIFTED, HOSTILE_NAMES, SAVED_NAMES, SYNCED, anyName, anySnapshot } from '../../support/snapshots.ts'

/** A validator with no keyword and no format of this project. */
const strict = (schema: object) => new Ajv({ strict: true, allErrors: true, validateFormats: false }).compile(schema)
const editor = strict(publishedFileSchema)
const poster = strict(publishedSnapshotSchema)

const PUBLISHED = { 'the file': publishedFileSchema, 'a snapshot': publishedSnapshotSchema }

t.test(
  'published schemas: no keyword of one library, patterns without flags, a description for every name',
  async (t) => {
    const keywords = new Set(
      'type enum const required properties additionalProperties items allOf if then minLength maxLength pattern minimum maximum exclusiveMinimum minItems maxItems uniqueItems maxProperties propertyNames title description'.split(
        ' ',
      ),
    )
    for (const [what, schema] of Object.entries(PUBLISHED)) {
      const { $schema: _draft, $id: _id, ...root } = schema
      for (const [pointer, part] of parts(root)) {
        t.same(
          Object.keys(part).filter((keyword) => !keywords.has(keyword)),
          [],
          `${what}${pointer}`,
        )
        if (!pointer.includes('/allOf/')) t.type(part['description'], 'string', `${what}${pointer} has a description`)
        const { pattern } = part
        if (typeof pattern === 'string') t.notMatch(pattern, '\\', `${what}${pointer} has no escape`)
      }
    }
    t.match(publishedFileSchema, {
      $schema: 'http://json-schema.org/draft-07/schema#',
      $id: 'urn:gitops-status-server:schema:status',
    })
    t.match(publishedText(publishedFileSchema), /^[\n -~]*$/)
    t.same(JSON.parse(publishedText(publishedFileSchema)), publishedFileSchema)
  },
)

t.test('published schemas: a pattern means the same with and without the flag u', async (t) => {
  for (const [what, schema] of Object.entries(PUBLISHED)) {
    for (const [pointer, { pattern }] of parts(schema)) {
      if (typeof pattern !== 'string') continue
      const plain = new RegExp(pattern)
      const unicode = new RegExp(pattern, 'u')
      const texts = fc.oneof(
        fc.constantFrom(...HOSTILE_NAMES, ...SAVED_NAMES),
        fc.string({ unit: 'binary' }),
        anyTimeText,
      )
      fc.assert(fc.property(texts, (text) => plain.test(text) === unicode.test(text)))
      t.pass(`${what}${pointer}`)
    }
  }
})

t.test('names: the pattern and the code refuse what Unicode says nobody can see, and nothing else', async (t) => {
  const invisible = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u
  const pattern = new RegExp(POSTED_NAME_PATTERN)
  const wrong: string[] = []
  for (let code = 0; code <= 0x10_ffff; code += 1) {
    const character = String.fromCodePoint(code)
    const blank = /[\p{Zs}\u2800]/u.test(character)
    const seen = !invisible.test(character)
    if (code <= 0xffff && (code < 0xd800 || code > 0xdfff)) {
      if (pattern.test(`a${character}b`) !== seen) wrong.push(`U+${code.toString(16)} inside`)
      for (const name of [`${character}b`, `a${character}`, character]) {
        if (pattern.test(name) !== (seen && !blank)) wrong.push(`U+${code.toString(16)} at an end`)
      }
    } else if (code % 256 === 0 || !seen) {
      const { ok } = readPosted({ ...DRIFTED, server: `a${character}b` }, NOW)
      if (ok !== seen) wrong.push(`U+${code.toString(16)}`)
    }
  }
  t.same(wrong, [])
})

t.test('times: the pattern and the code agree', async (t) => {
  const pattern = new RegExp(TIME_PATTERN)
  for (const year of ['1900', '2000', '2023', '2024', '2100']) {
    for (let month = 0; month <= 13; month += 1) {
      for (const day of ['00', '01', '28', '29', '30', '31', '32']) {
        const text = `${year}-${String(month).padStart(2, '0')}-${day}T10:32:15Z`
        if (pattern.test(text) !== (parseTime(text) !== undefined)) t.fail(text)
      }
    }
  }
  fc.assert(
    fc.property(anyTimeText, (text) => pattern.test(text) === (parseTime(text) !== undefined)),
    { numRuns: 2000 },
  )
  t.pass()
})

t.test('what the server accepts, the published schemas accept', async (t) => {
  const others = {
    last_check: '2026-04-21t12:32+02',
    pipeline_url: 'HTTPS://ci.example.net/ü?a=<b>',
    stale_after: 1.5,
  }
  const file = { name: 'a' }
  const odd = [...SAVED_NAMES, ...HOSTILE_NAMES].map((name) => ({
    ...others,
    repo: name,
    server: name,
    sync_status: 'OUT_OF_SYNC',
    drift_count: 3,
    files: [{ name: `line\n${name}` }, file, file],
  }))
  const text = JSON.stringify({ statuses: odd, note: 1 })
  t.match(readDocument(Buffer.from(text), NOW), { ok: true })
  t.ok(editor(JSON.parse(text)), JSON.stringify(editor.errors?.[0]))
  t.ok(poster({ ...DRIFTED, ...others }), JSON.stringify(poster.errors?.[0]))
  fc.assert(fc.property(anySnapshot, (snapshot) => poster(snapshot) && editor({ statuses: [snapshot] })))
})

t.test('what the server refuses in the file, the published schema refuses', async (t) => {
  const files = DRIFTED.files
  const cases: Record<string, unknown> = {
    'in sync, with files': [{ ...DRIFTED, sync_status: 'SYNCED' }],
    'in sync, with a count': [{ ...SYNCED, drift_count: 1 }],
    'drifted, without files': [{ ...SYNCED, sync_status: 'OUT_OF_SYNC' }],
    'drifted, with a count of 0': [{ ...DRIFTED, drift_count: 0 }],
    'a target twice': [DRIFTED, DRIFTED],
    '30 February': [{ ...DRIFTED, last_check: '2026-02-30T10:32:15Z' }],
    'no zone': [{ ...DRIFTED, last_check: '2026-04-21T10:32:15' }],
    'a script as a link': [{ ...DRIFTED, pipeline_url: 'javascript:alert(1)' }],
    'a control character': [{ ...DRIFTED, server: 'a\nb' }],
    'an empty name': [{ ...DRIFTED, files: [{ name: '' }, files[0]] }],
    'never stale': [{ ...DRIFTED, stale_after: 0 }],
    'digits that would be lost': [{ ...DRIFTED, stale_after: 2 ** 53 }],
    'a count whose digits would be lost': [{ ...DRIFTED, drift_count: 2 ** 53 }],
    'a name that is too long': [{ ...DRIFTED, repo: 'x'.repeat(254) }],
    'too many targets': Array.from({ length: 100_001 }, () => 0),
    'too many files': [{ ...DRIFTED, files: Array.from({ length: 100_001 }, () => 0) }],
  }
  for (const [what, statuses] of Object.entries(cases)) {
    t.match(readDocument(Buffer.from(JSON.stringify({ statuses })), NOW), { ok: false }, what)
    // ajv compares each item with each other one.
    const schema = what.startsWith('too many') ? withoutUniqueItems : editor
    t.notOk(schema({ statuses }), what)
  }
})

t.test('what is refused in a post, the published schema refuses', async (t) => {
  const [file] = DRIFTED.files
  const cases: Record<string, object> = {
    'in sync, with files': { sync_status: 'SYNCED' },
    'a file twice': { files: [file, file] },
    'too many files': { files: Array.from({ length: 10_001 }, (_, index) => ({ name: String(index) })) },
    '30 February': { last_check: '2026-02-30T10:32:15Z' },
    'a zero-width space': { server: 'web\u200B' },
    'a blank at the end of a file name': { files: [file, { name: 'a ' }] },
  }
  for (const [what, over] of Object.entries(cases)) {
    const snapshot = { ...DRIFTED, ...over }
    t.match(readPosted(snapshot, NOW), { ok: false }, what)
    t.notOk(poster(snapshot), what)
  }
  fc.assert(
    fc.property(anyName, fc.constantFrom(...SAVED_NAMES), (name, saved) => {
      const snapshot = { ...DRIFTED, repo: name, server: saved }
      return !readPosted(snapshot, NOW).ok
    }),
  )
})

const withoutUniqueItems = strict(
  JSON.parse(JSON.stringify(publishedFileSchema).replaceAll(',"uniqueItems":true', '')) as object,
)

const digits = (...values: readonly string[]) => fc.constantFrom(...values)
/** A time, or nearly one. */
const anyTimeText = fc
  .tuple(
    digits('0400', '1900', '2023', '2024', '9998', '202'),
    digits('00', '01', '02', '04', '12', '13'),
    digits('00', '01', '28', '29', '30', '31', '32'),
    digits('T', 't', ' '),
    digits('00', '23', '24', '7'),
    digits('00', '59', '60'),
    digits('', ':00', ':60', ':61', ':15.5', ':15,25', ':15.'),
    digits('Z', 'z', '', '+02', '+02:00', '-0200', '+24:00', '+02:60', '+2'),
  )
  .map(
    ([year, month, day, t_, hour, minute, second, zone]) =>
      `${year}-${month}-${day}${t_}${hour}:${minute}${second}${zone}`,
  )

/** A schema and its subschemas, by pointer. */
function parts(schema: Schema, pointer = ''): [pointer: string, part: Schema][] {
  const nested = (value: unknown, at: string): [string, Schema][] =>
    typeof value === 'object' && value !== null ? parts(value as Schema, `${pointer}${at}`) : []
  const { properties, items, allOf } = schema
  return [
    [pointer, schema],
    ...Object.entries(properties ?? {}).flatMap(([name, property]) => nested(property, `/properties/${name}`)),
    ...nested(items, '/items'),
    ...(Array.isArray(allOf) ? allOf : []).flatMap((part: Schema, index) =>
      ['if', 'then'].flatMap((keyword) => nested(part[keyword], `/allOf/${index}/${keyword}`)),
    ),
  ]
}
