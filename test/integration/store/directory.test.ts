import { ok } from 'node:assert'
import { chmodSync, readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Directory } from '../../../src/store/directory.ts'
import { BYTES_MAX } from '../../../src/store/durable-file.ts'
import { directory, filesOf } from '../../support/directory.ts'
import { eventually } from '../../support/http.ts'

t.test('a text is set aside byte for byte, also if its private file has lost its name', async (t) => {
  const place = directory(t, { private: 'one' })
  const files = new Directory(place, filesOf('local'))
  const names = [
    await files.setAside(join(place, 'private'), Buffer.from('not this')),
    await files.setAside(join(place, 'private'), Buffer.from('two')),
  ]
  t.same(
    names.map((name) => readFileSync(join(place, name), 'utf8')),
    ['one', 'two'],
  )
  t.same(readdirSync(place).toSorted(), names.toSorted(), 'and nothing else is left')
})

t.test('the mode that somebody has given to status.json stays', async (t) => {
  const place = directory(t, { 'status.json': '{}' })
  const file = join(place, 'status.json')
  chmodSync(file, 0o640)
  const files = new Directory(place, filesOf('local'))
  await files.place(await files.stage(Buffer.from('{"statuses": []}'), await files.readStatus()))
  t.same([readFileSync(file, 'utf8'), statSync(file).mode & 0o777], ['{"statuses": []}', 0o640])
})

t.test('what is put in place is undone, and a text that was saved since is handed over', async (t) => {
  const place = directory(t, { 'status.json': 'before' })
  const file = join(place, 'status.json')
  const files = new Directory(place, filesOf('local'))
  const bytes = Buffer.from('next')
  const staged = await files.stage(bytes, await files.readStatus())
  t.equal(await files.undoPlace(staged, bytes, await files.place(staged)), undefined)
  t.same([readFileSync(file, 'utf8'), readdirSync(place)], ['before', ['status.json']])

  const again = await files.stage(bytes, await files.readStatus())
  const displaced = await files.place(again)
  writeFileSync(file, 'saved since')
  const found = await files.undoPlace(again, bytes, displaced)
  t.same([found?.state.bytes.toString(), readFileSync(file, 'utf8')], ['saved since', 'before'])
  await found?.close()
})

t.test('a file that was read right after it was saved may change again without a new time', async (t) => {
  const place = directory(t, { 'status.json': 'one' })
  const file = join(place, 'status.json')
  const files = new Directory(place, filesOf('local'))
  const first = await files.readStatus()
  t.equal(await files.isStatusUnchanged(first), false, 'not certain yet')
  const state = await eventually(async () => {
    const found = await files.readStatus()
    ok(found?.isSettled)
    return found
  })
  t.equal(await files.isStatusUnchanged(state), true)
  writeFileSync(file, 'two')
  t.equal(await files.isStatusUnchanged(state), false)
  t.equal(await files.isStatusUnchanged(undefined), false, 'nor is a file that was never read')
})

for (const kind of ['local', 'network'] as const) {
  t.test(`${kind}: a file that holds what was expected needs no second buffer, and any other is read`, async (t) => {
    const place = directory(t)
    const files = new Directory(place, filesOf(kind))
    // Compared by the MiB.
    for (const size of [0, 1, 1024 * 1024, 1024 * 1024 + 1]) {
      const expected = Buffer.alloc(size, 'a')
      const last = Buffer.from(expected)
      last.fill('b', Math.max(0, size - 1))
      for (const text of [expected, last, Buffer.concat([expected, Buffer.from('a')]), expected.subarray(1)]) {
        writeFileSync(join(place, 'status.json'), text)
        const found = await files.readStatus(expected)
        t.ok(found?.bytes.equals(text), `${size}, ${text.length}`)
        t.equal(found?.bytes === expected, text.equals(expected))
      }
    }
  })
}

t.test('a file that is larger than any document is not read into memory', async (t) => {
  const place = directory(t, { 'status.json': '' })
  truncateSync(join(place, 'status.json'), BYTES_MAX + 1)
  const found = await new Directory(place, filesOf('local')).readStatus()
  t.same([found?.size, found?.bytes.length], [BYTES_MAX + 1, 0])
})

t.test('of the rejected texts the newest are kept, also after the clock was set back', async (t) => {
  const place = directory(t)
  for (let index = 0; index < 20; index += 1) {
    writeFileSync(join(place, `status.rejected-2099010${index % 10}T0000${10 + index}.000Z.json`), `old ${index}`)
  }
  const files = new Directory(place, filesOf('local'))
  const began = performance.now()
  // The clock of a file system has a grain of some milliseconds.
  await eventually(() => ok(performance.now() - began > 20))
  const names: string[] = []
  for (const text of ['one', 'two', 'three']) {
    writeFileSync(join(place, text), text)
    names.push(await files.setAside(join(place, text), Buffer.from(text)))
  }
  const left = readdirSync(place).filter((name) => name.startsWith('status.rejected-'))
  t.equal(left.length, 20)
  t.same(
    names.filter((name) => !left.includes(name)),
    [],
  )
})
