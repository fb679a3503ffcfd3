import { ok } from 'node:assert'
import { appendFileSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { WatchedFiles, openHeld } from '../../../src/store/displaced.ts'
import { networkFiles } from '../../../src/store/network-files.ts'
import { directory, openFilesIn } from '../../support/directory.ts'
import { eventually } from '../../support/http.ts'

async function watch(t: Test, count: number, bytes: number): Promise<{ files: WatchedFiles; dataDir: string }> {
  const dataDir = directory(t)
  const files = new WatchedFiles()
  t.teardown(async () => files.close())
  for (let index = 0; index < count; index += 1) {
    const path = join(dataDir, `displaced-${index}`)
    writeFileSync(path, Buffer.alloc(bytes, ' '))
    files.add(await openHeld(path), [1000])
  }
  return { files, dataDir }
}

t.test('a displaced file that is written into later is unread again, also when its name is gone', async (t) => {
  const { files, dataDir } = await watch(t, 2, 10)
  const path = join(dataDir, 'displaced-0')
  appendFileSync(path, 'late')
  rmSync(path)
  const written = await eventually(async () => {
    const found = await files.review()
    if (found.length === 0) throw new Error('not found yet')
    return found
  })
  t.equal(written.length, 1)
  t.equal((await written[0]?.reread())?.state.bytes.toString(), `${' '.repeat(10)}late`)
  await written[0]?.close()
  await eventually(async () => {
    await files.review()
    if (openFilesIn(dataDir) > 0) throw new Error('still open')
  })
  t.pass('and one that was not is let go')
})

t.test('no more than 256 files are held open, and no more than 16 MiB of the volume', async (t) => {
  for (const { count, bytes, left } of [
    { count: 300, bytes: 10, left: 256 },
    { count: 40, bytes: 1024 * 1024, left: 16 },
    { count: 2, bytes: 20 * 1024 * 1024, left: 1 },
  ]) {
    const { files, dataDir } = await watch(t, count, bytes)
    await files.review()
    // Those that are let go are closed soon.
    await eventually(() => ok(openFilesIn(dataDir) <= left, `of ${count} files of ${bytes} bytes`))
    await files.close()
    t.equal(openFilesIn(dataDir), 0)
  }
})

t.test('a displaced file that is watched by its name is looked at twice, and then its name goes', async (t) => {
  const dataDir = directory(t)
  const files = new WatchedFiles()
  const path = join(dataDir, 'displaced')
  writeFileSync(path, 'as displaced')
  files.add(await networkFiles.openDisplaced(path), [0, 50])
  t.same(await files.review(), [])
  t.ok(existsSync(path), 'it stays after the first look')
  t.ok(files.has(path))
  t.equal(openFilesIn(dataDir), 0, 'and is not open meanwhile')
  await eventually(async () => {
    t.same(await files.review(), [])
    if (!files.isEmpty) throw new Error('still watched')
  })
  t.notOk(existsSync(path))
})

t.test(
  'a text that was set aside keeps its name when its watch ends, and what is written into it is found',
  async (t) => {
    const dataDir = directory(t)
    const files = new WatchedFiles()
    const path = join(dataDir, 'status.rejected-1.json')
    writeFileSync(path, 'rejected')
    files.add((await networkFiles.openDisplaced(path)).keptAs(path), [0, 0])
    writeFileSync(path, 'mended')
    const [written] = await files.review()
    t.equal((await written?.reread())?.state.bytes.toString(), 'mended')
    if (written !== undefined) files.add(await written.reread(), [0])
    t.same(await files.review(), [])
    t.ok(existsSync(path))
  },
)
