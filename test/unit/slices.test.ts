import t from 'tap'
import { inSlices } from '../../src/slices.ts'

t.test('a long computation lets others work', async (t) => {
  let turns = 0
  const turn = setInterval(() => (turns += 1), 1)
  t.teardown(() => clearInterval(turn))
  t.equal(await inSlices(computation(20, 15)), 20)
  t.ok(turns >= 10, `${turns}`)
})

t.test('a short one is not interrupted', async (t) => {
  const turns: string[] = []
  setImmediate(() => turns.push('a turn'))
  t.equal(await inSlices(computation(100, 0)), 100)
  t.same(turns, [])
})

t.test('a slice may be longer', async (t) => {
  const turns: string[] = []
  setImmediate(() => turns.push('a turn'))
  t.equal(await inSlices(computation(10, 3), 60_000), 10)
  t.same(turns, [])
})

t.test('what it throws is thrown', async (t) => {
  await t.rejects(
    inSlices(
      (function* (): Generator<undefined, never> {
        yield
        throw new Error('inside')
      })(),
    ),
    /inside/,
  )
})

/** Computes for so many steps of so many ms. */
function* computation(steps: number, ms: number): Generator<undefined, number> {
  for (let step = 0; step < steps; step += 1) {
    const since = performance.now()
    while (performance.now() - since < ms);
    yield
  }
  return steps
}
