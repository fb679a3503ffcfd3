import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import { keyOf } from '../../../src/status/target.ts'
import { anyName } from '../../support/snapshots.ts'

t.test('no two targets share a key', async () => {
  fc.assert(
    fc.property(anyName, anyName, anyName, anyName, (a, b, c, d) => {
      deepStrictEqual(keyOf({ repo: a, server: b }) === keyOf({ repo: c, server: d }), a === c && b === d)
    }),
  )
})
