import { existsSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { exchange, moveAndLink, moveAndRename } from '../../../src/store/placement.ts'
import { beforeCalls } from '../../support/calls.ts'
import { directory } from '../../support/directory.ts'

const read = (path: string): string => readFileSync(path, 'utf8')

/** Saves right before the first link of a test. */
function once(t: Test, save: () => void): void {
  let isSaved = false
  beforeCalls(t, 'link', () => {
    if (!isSaved) save()
    isSaved = true
  })
}

for (const [name, placement] of Object.entries({ exchange, moveAndLink, moveAndRename })) {
  t.test(`${name}: what was there has a private name afterwards, and comes back if that is undone`, async (t) => {
    const dataDir = directory(t, { staged: 'new' })
    const [staged, file] = [join(dataDir, 'staged'), join(dataDir, 'status.json')]
    t.same(await placement.place(staged, file), [])
    t.equal(read(file), 'new')
    t.notOk(existsSync(staged))

    writeFileSync(staged, 'newer')
    const displaced = await placement.place(staged, file)
    t.same([read(file), ...displaced.map(read)], ['newer', 'new'])
    const out = await placement.undo(staged, file, displaced)
    t.same([read(file), read(out)], ['new', 'newer'])
    t.equal(readdirSync(dataDir).length, 2, 'and no name is left over')
  })

  t.test(`${name}: a failure leaves both files as they were`, async (t) => {
    const dataDir = directory(t, { 'status.json': 'before' })
    await t.rejects(placement.place(join(dataDir, 'not there'), join(dataDir, 'status.json')), { code: 'ENOENT' })
    t.same(readdirSync(dataDir), ['status.json'])
    t.equal(read(join(dataDir, 'status.json')), 'before')
  })
}

for (const [name, placement] of Object.entries({ exchange, moveAndLink })) {
  t.test(`${name}: somebody saves right before the staged file gets the name: that is displaced too`, async (t) => {
    const dataDir = directory(t, { staged: 'document written' })
    const [staged, file] = [join(dataDir, 'staged'), join(dataDir, 'status.json')]
    once(t, () => {
      writeFileSync(join(dataDir, 'beside'), 'saved meanwhile')
      renameSync(join(dataDir, 'beside'), file)
    })
    const displaced = await placement.place(staged, file)
    t.same([read(file), ...displaced.map(read)], ['document written', 'saved meanwhile'])
  })
}

t.test('moveAndLink: of a file that is saved over between its steps both texts are displaced', async (t) => {
  const dataDir = directory(t, { staged: 'document written', 'status.json': 'before' })
  const [staged, file] = [join(dataDir, 'staged'), join(dataDir, 'status.json')]
  once(t, () => writeFileSync(file, 'saved meanwhile'))
  const displaced = await moveAndLink.place(staged, file)
  t.same([read(file), ...displaced.map(read)], ['document written', 'before', 'saved meanwhile'])
})

t.test('exchange: an input/output error leaves the staged file', async (t) => {
  const dataDir = directory(t, { staged: 'document written' })
  beforeCalls(t, 'link', () => {
    throw Object.assign(new Error('EIO: i/o error, link'), { code: 'EIO' })
  })
  await t.rejects(exchange.place(join(dataDir, 'staged'), join(dataDir, 'status.json')), { code: 'EIO' })
  t.same(readdirSync(dataDir), ['staged'])
})
