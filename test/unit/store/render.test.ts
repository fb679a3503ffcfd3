import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import { EMPTY_DOCUMENT, committedDocument } from '../../../src/status/document.ts'
import { readDocument } from '../../../src/status/saved-document.ts'
import type { SavedDocument } from '../../../src/status/schema.ts'
import { render, toBytes } from '../../../src/store/render.ts'
import { CLOCK, NOW, posted } from '../../support/documents.ts'
import { DRIFTED, anySnapshot } from '../../support/snapshots.ts'

t.test('sorted, two spaces, a final newline, and read back as it was', async (t) => {
  fc.assert(
    fc.property(fc.array(anySnapshot, { maxLength: 10 }), (snapshots) => {
      const { document } = posted(EMPTY_DOCUMENT, ...snapshots)
      const text = toBytes(document).toString()
      const value = JSON.parse(text) as SavedDocument
      deepStrictEqual(text, `${JSON.stringify(value, null, 2)}\n`)
      deepStrictEqual(
        value.statuses,
        document.entries.map(({ status }) => status),
      )
      const order = value.statuses.map(({ repo, server }) => [repo, server])
      deepStrictEqual(
        order,
        order.toSorted((a, b) => (keyOf2(a) < keyOf2(b) ? -1 : 1)),
      )
      const read = readDocument(toBytes(document), NOW)
      deepStrictEqual(read.ok && read.value, value)
      deepStrictEqual(toBytes(committedDocument(value, CLOCK)).toString(), text)
    }),
  )
  t.equal(Object.hasOwn(Object.prototype, 'repo'), false, 'nothing is polluted')
  t.equal(toBytes(EMPTY_DOCUMENT).toString().includes('"statuses": []'), true)
})

t.test('made from the bytes of the one before, it is the same to the letter', async (t) => {
  const snapshots = fc.array(anySnapshot, { maxLength: 12 })
  let copied = 0
  fc.assert(
    fc.property(
      snapshots,
      snapshots,
      fc.array(fc.nat(), { maxLength: 6 }),
      fc.boolean(),
      (first, then, gone, titled) => {
        const before = posted(EMPTY_DOCUMENT, ...first).document
        const { draft } = posted(before, ...then)
        for (const index of gone) {
          const { status } = before.entries[index % Math.max(before.entries.length, 1)] ?? {}
          if (status !== undefined) draft.remove(status, { origin: 'delete' })
        }
        if (titled) draft.putHead({ ...before.head, title: 'ünïcode' }, { origin: 'edit' })
        const after = draft.finish()
        const from = render(before)
        deepStrictEqual(toBytes(after, from).toString(), toBytes(after).toString())
        // What is unchanged must come from there, not be made again.
        const blank = Buffer.alloc(from.bytes.length, '.')
        if (toBytes(after, { ...from, bytes: blank }).includes('....')) copied += 1
      },
    ),
  )
  t.ok(copied > 10, 'entries were copied')
})

t.test('also if it is so large that it is copied in parts', async (t) => {
  const snapshots = Array.from({ length: 6000 }, (_, index) => ({ ...DRIFTED, server: `s${index}` }))
  const before = posted(EMPTY_DOCUMENT, ...snapshots).document
  const after = posted(before, { ...DRIFTED, server: 's2', commit: 'abc' }).document
  const from = render(before)
  t.ok(from.bytes.length > 2 * 1024 * 1024, `${from.bytes.length}`)
  t.ok(toBytes(after, from).equals(toBytes(after)))
})

function keyOf2([repo = '', server = '']: string[]): string {
  return `${repo}\n${server}`
}
