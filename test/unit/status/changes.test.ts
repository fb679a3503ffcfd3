import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import { applyChanges, changesBetween } from '../../../src/status/changes.ts'
import { EMPTY_DOCUMENT, entryOf } from '../../../src/status/document.ts'
import { toBytes } from '../../../src/store/render.ts'
import { CLOCK, posted } from '../../support/documents.ts'
import { anySnapshot } from '../../support/snapshots.ts'

t.test('the changes between two documents make one of the other, also through JSON and several at once', async () => {
  const snapshots = fc.array(anySnapshot, { maxLength: 8 })
  fc.assert(
    fc.property(snapshots, fc.array(fc.tuple(snapshots, fc.nat(), fc.boolean()), { maxLength: 4 }), (first, steps) => {
      const base = posted(EMPTY_DOCUMENT, ...first).document
      let document = base
      const commits = steps.map(([then, gone, titled], index) => {
        const { draft } = posted(document, ...then)
        const { status } = document.entries[gone % Math.max(document.entries.length, 1)] ?? {}
        if (status !== undefined) draft.remove(status, { origin: 'delete' })
        if (titled) draft.putHead({ ...document.head, title: index }, { origin: 'edit' })
        const next = draft.finish()
        const changes = changesBetween(document, next)
        document = next
        return JSON.parse(JSON.stringify(changes)) as typeof changes
      })
      deepStrictEqual(toBytes(applyChanges(base, commits, CLOCK, entryOf)).toString(), toBytes(document).toString())
    }),
  )
})
