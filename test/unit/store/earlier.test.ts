import t from 'tap'
import { type Earlier, withNewest } from '../../../src/store/earlier.ts'

function earlier(generation: number, bytes: number): Earlier {
  return { generation, digest: String(generation), changes: Buffer.alloc(bytes), isCompressed: false }
}

function afterCommits(count: number, bytes: number): readonly Earlier[] {
  let all: readonly Earlier[] = []
  for (let generation = 1; generation <= count; generation += 1) all = withNewest(all, earlier(generation, bytes))
  return all
}

t.test('of many earlier documents the newest 256 are kept', async (t) => {
  const generations = afterCommits(300, 1).map(({ generation }) => generation)
  t.same([generations.length, generations.at(0), generations.at(-1)], [256, 45, 300])
})

t.test('of large ones those that take 16 MiB', async (t) => {
  const generations = afterCommits(40, 1024 * 1024).map(({ generation }) => generation)
  t.same([generations.length, generations.at(0), generations.at(-1)], [16, 25, 40])
  t.same(afterCommits(3, 17 * 1024 * 1024), [], 'and none that is larger')
})
