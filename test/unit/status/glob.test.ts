import fc from 'fast-check'
import t from 'tap'
import { matchesGlob } from '../../../src/status/glob.ts'

t.test('globs are what they are in a shell, and take no time that an attacker chooses', async (t) => {
  const piece = fc.constantFrom('a', 'b', '*', '?', '/', '.', '🦀')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), fc.array(piece, { maxLength: 8 }), (pattern, text) => {
      const regex = pattern
        .map(
          (one) =>
            new Map([
              ['*', '.*'],
              ['?', '.'],
              ['.', '\\.'],
            ]).get(one) ?? one,
        )
        .join('')
      return matchesGlob(pattern.join(''), text.join('')) === new RegExp(`^${regex}$`, 'su').test(text.join(''))
    }),
    { numRuns: 2000 },
  )
  const started = Date.now()
  t.equal(matchesGlob(`${'*a'.repeat(120)}b`, 'a'.repeat(253)), false)
  t.ok(Date.now() - started < 1000)
})
