import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { WatchedFiles, openDisplaced } from '../../../src/store/displaced.ts'
import { directory, openFilesIn } from '../../support/directory.ts'
import { eventually } from '../../support/http.ts'

async function watch(t: Test, count: number, bytes: number): Promise<{ files: WatchedFiles; dataDir: string }> {
  const dataDir = directory(t)
  const files = new WatchedFiles()
  t.teardown(async () => files.close())
  for (let index = 0; index < count; index += 1) {
    const path = join(dataDir, `displaced-${index}`)
    writeFileSync(path, Buffer.alloc(bytes, ' '))
    files.add(await openDisplaced(path))
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
  t.equal(readFileSync(`/proc/self/fd/${written[0]?.handle.fd}`, 'utf8'), `${' '.repeat(10)}late`)
  await written[0]?.handle.close()
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
    const open = openFilesIn(dataDir)
    t.ok(open <= left, `${open} of ${count} files of ${bytes} bytes`)
    await files.close()
    t.equal(openFilesIn(dataDir), 0)
  }
})
