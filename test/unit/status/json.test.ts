import fc from 'fast-check'
import t from 'tap'
import { duplicateFaults } from '../../../src/status/json.ts'

const faultsIn = (text: string): unknown[] => duplicateFaults(text, JSON.parse(text))

t.test('duplicate keys are found, whatever the keys and values look like', async (t) => {
  t.same(faultsIn('{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}'), [])
  t.match(faultsIn('{"a":{"b":1,\n "b" :2}}'), [{ pointer: '/a/b', line: 2, column: 2 }])
  t.match(faultsIn('{"__proto__":1,"__proto__":2}'), [{ pointer: '/__proto__' }])
  t.match(faultsIn('{"\\u0061":1,"a":2}'), [{ pointer: '/a' }])
  const name = fc
    .array(fc.constantFrom('a', ':', '"', '\\', ',', ' ', '{', '\n'), { maxLength: 4 })
    .map((each) => each.join(''))
  const value = fc.oneof(
    name,
    fc.constant(1),
    fc.constant(null),
    fc.constant([]),
    name.map((each) => [each, { [each]: each }]),
  )
  const blank = fc.constantFrom('', ' ', '\n  ')
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 6 }), blank, (members, space) => {
      const text = `{${members.map(([key, member]) => `${JSON.stringify(key)}${space}:${space}${JSON.stringify(member)}`).join(`${space},`)}}`
      const isDuplicate = new Set(members.map(([key]) => key)).size < members.length
      return faultsIn(text).length > 0 === isDuplicate
    }),
    { numRuns: 20_000 },
  )
})

t.test('no text takes time that an attacker chooses', async (t) => {
  for (const piece of ['\\"', '\\', '"', ':', '\\\\"']) {
    const text = JSON.stringify({ a: piece.repeat(300_000), b: [piece.repeat(300_000)] })
    const started = Date.now()
    t.same(faultsIn(text), [])
    t.ok(Date.now() - started < 1000, piece)
  }
})
