import { existsSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { place, undoPlace } from '../../../src/store/placement.ts'
import { beforeCalls } from '../../support/calls.ts'
import { directory } from '../../support/directory.ts'

t.test('a staged file and what it replaces exchange their names; where nothing is, it gets the name', async (t) => {
  const [staged, path] = [join(directory(t, { staged: 'new' }), 'staged'), 'status.json']
  const file = join(staged, '..', path)
  t.equal(await place(staged, file), false)
  t.equal(readFileSync(file, 'utf8'), 'new')
  t.notOk(existsSync(staged))

  writeFileSync(staged, 'newer')
  t.equal(await place(staged, file), true)
  t.same([readFileSync(file, 'utf8'), readFileSync(staged, 'utf8')], ['newer', 'new'])
  await undoPlace(staged, file)
  t.same([readFileSync(file, 'utf8'), readFileSync(staged, 'utf8')], ['new', 'newer'])
})

t.test('somebody saves where nothing was, right before the staged file gets the name: it is displaced', async (t) => {
  const dataDir = directory(t, { staged: 'committed' })
  const [staged, file] = [join(dataDir, 'staged'), join(dataDir, 'status.json')]
  beforeCalls(t, 'link', () => {
    writeFileSync(join(dataDir, 'swap'), 'saved meanwhile')
    renameSync(join(dataDir, 'swap'), file)
  })
  t.equal(await place(staged, file), true)
  t.same([readFileSync(file, 'utf8'), readFileSync(staged, 'utf8')], ['committed', 'saved meanwhile'])
})

t.test('a failure leaves both files as they were', async (t) => {
  const dataDir = directory(t, { staged: 'committed' })
  const [staged, file] = [join(dataDir, 'staged'), join(dataDir, 'status.json')]
  await t.rejects(place(join(dataDir, 'not there'), file), { code: 'ENOENT' })
  t.same(readdirSync(dataDir), ['staged'])
  beforeCalls(t, 'link', () => {
    throw Object.assign(new Error('EIO: i/o error, link'), { code: 'EIO' })
  })
  await t.rejects(place(staged, file), { code: 'EIO' })
  t.same(readdirSync(dataDir), ['staged'])
})
