import t from 'tap'
import { Prepared } from '../../../src/http/prepared.ts'
import type { PublishedDocument } from '../../../src/store/store.ts'

t.test('an answer is computed once for each document and address, and not kept for ever', async (t) => {
  const [one, other] = [{}, {}] as PublishedDocument[]
  const prepared = new Prepared<string>()
  let computed = 0
  const ask = (published: PublishedDocument | undefined, address: string): string | undefined =>
    published && prepared.of(published, address, () => `${address} ${(computed += 1)}`)
  t.same([ask(one, '/a'), ask(one, '/a'), ask(one, '/b'), ask(one, '/a')], ['/a 1', '/a 1', '/b 2', '/a 1'])
  t.same([ask(other, '/a'), ask(other, '/b')], ['/a 3', '/b 4'])
  t.same(ask(one, '/a'), '/a 5', 'nothing of an older document is kept')
  for (let address = 0; address < 1000; address += 1) ask(one, String(address))
  t.same(ask(one, '/a'), '/a 1006', 'however many addresses are asked for, few answers are kept')
})
