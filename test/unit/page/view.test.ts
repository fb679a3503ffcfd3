import fc from 'fast-check'
import t from 'tap'
import { STATES } from '../../../src/page/data/targets.ts'
import { DAYS, LISTS, ORDERS, THEMES, readView, writeView } from '../../../src/page/address/view.ts'

t.test('a view can be read from the address that it wrote', async (t) => {
  const view = fc.record({
    target: fc.option(fc.record({ repo: fc.string(), server: fc.string() }), { nil: undefined }),
    list: fc.constantFrom(...LISTS),
    order: fc.constantFrom(...ORDERS),
    days: fc.constantFrom(...DAYS),
    query: fc.string(),
    states: fc.subarray([...STATES]).map((states) => new Set(states)),
    grouped: fc.boolean(),
    kiosk: fc.boolean(),
    theme: fc.constantFrom(undefined, ...THEMES),
  })
  fc.assert(
    fc.property(view, (written) => {
      const read = readView(writeView(written))
      if (written.target !== undefined) t.match(read, { target: written.target, theme: written.theme, kiosk: false })
      else t.same(read, { ...written, days: written.list === 'activity' ? written.days : 1 })
    }),
  )
  t.equal(writeView(readView('')), '')
  t.equal(readView('?repo=a&server=b&kiosk').kiosk, false, 'the page of a target is for no wall')
  t.match(readView('?list=nothing&order=x&days=12&status=a,drift&theme=red&repo=a'), {
    target: undefined,
    list: 'servers',
    order: 'worst',
    days: 1,
    theme: undefined,
  })
})
