import { EventEmitter, once } from 'node:events'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { withLock } from '../../../src/store/lock.ts'
import { beforeFirstUse } from '../../support/calls.ts'
import { directory } from '../../support/directory.ts'

const WAIT_MS = 4000

t.test('one at a time', async (t) => {
  const place = directory(t)
  let inside = 0
  let most = 0
  await Promise.all(
    Array.from({ length: 8 }, async () =>
      withLock(place, WAIT_MS, async () => {
        most = Math.max(most, (inside += 1))
        await setImmediate()
        inside -= 1
      }),
    ),
  )
  t.equal(most, 1)
})

t.test('a lock that is not free in time is refused, and what was taken for it is given back', async (t) => {
  const place = directory(t)
  await withLock(place, WAIT_MS, async () => {
    const late = withLock(place, 50, async () => 'both at once')
    await t.rejects(late, { name: 'StoreError', kind: 'unavailable', message: /another server holds the lock/ })
  })
  t.equal(await withLock(place, 0, async () => 'free'), 'free')
  const failing = withLock(place, 0, async () => {
    throw new Error('the work failed')
  })
  await t.rejects(failing, /the work failed/)
  t.equal(await withLock(place, 0, async () => 'free'), 'free', 'also after work that failed')
})

t.test('the directory is replaced while its lock is being taken: the lock of the new one counts', async (t) => {
  const cases = ['.status.turn', '.status.lock'].flatMap((file) => [true, false].map((isInUse) => ({ file, isInUse })))
  for (const { file, isInUse } of cases) {
    const place = join(directory(t), 'data')
    const replace = (): void => {
      renameSync(place, `${place}.old`)
      mkdirSync(place)
      if (isInUse) for (const name of ['.status.turn', '.status.lock']) writeFileSync(join(place, name), '')
    }
    mkdirSync(place)
    await beforeFirstUse(t, join(place, file), replace)
    await withLock(place, WAIT_MS, async () => {
      const other = withLock(place, 50, async () => 'both at once')
      await t.rejects(other, { name: 'StoreError', message: /holds the lock/ }, `replaced before ${file} was locked`)
    })
  }
})

t.test('a server that commits without a pause keeps no other one out', async (t) => {
  const place = directory(t)
  const begun = new EventEmitter()
  const over = new AbortController()
  let works = 0
  const busy = (async () => {
    while (!over.signal.aborted) {
      await withLock(place, 10 * WAIT_MS, async () => {
        begun.emit('work')
        works += 1
        // Much longer than the moment between two of its works.
        await sleep(40)
      })
    }
  })()
  const waited: number[] = []
  for (let round = 0; round < 10; round += 1) {
    await once(begun, 'work')
    const before = works
    await withLock(place, 10 * WAIT_MS, async () => waited.push(works - before))
  }
  over.abort()
  await busy
  // Once it has the turn, no work comes before its own but the one that is under way.
  t.ok(waited.filter((count) => count <= 1).length >= 8, `works that came before its own: ${waited.join(', ')}`)
})
