import crypto from 'node:crypto'
import t from 'tap'
import type * as tokensModule from '../../../src/access/tokens.ts'
import { makeToken } from '../../../src/access/tokens.ts'

t.test('tokens are compared in constant time: all of them, whichever it is, also where it is none', async (t) => {
  let compared = 0
  const { Tokens } = await t.mockImport<typeof tokensModule>('../../../src/access/tokens.ts', {
    'node:crypto': {
      ...crypto,
      timingSafeEqual: (a: Buffer, b: Buffer) => {
        compared += 1
        return crypto.timingSafeEqual(a, b)
      },
    },
  })
  const [ci, admin, grafana] = [makeToken('ci'), makeToken('admin'), makeToken('grafana')]
  const tokens = new Tokens([ci.token, admin.token, grafana.token])
  for (const [secret, name] of [
    [ci.secret, 'ci'],
    [grafana.secret, 'grafana'],
    ['unknown', undefined],
  ] as const) {
    compared = 0
    t.equal(tokens.find(secret, 0)?.name, name)
    t.equal(compared, 3)
  }
})
