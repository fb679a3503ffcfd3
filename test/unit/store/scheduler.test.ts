import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { Scheduler } from '../../../src/store/scheduler.ts'

/** A piece of work that ends when the test says so. */
function controlled(): { work: () => Promise<void>; begun: () => number; end: () => Promise<void> } {
  const running: (() => void)[] = []
  let count = 0
  return {
    work: async () =>
      new Promise<void>((resolve) => {
        count += 1
        running.push(resolve)
      }),
    begun: () => count,
    end: async () => {
      running.shift()?.()
      await setImmediate()
    },
  }
}

t.test('once at a time, and once more for everything that happened meanwhile', async (t) => {
  const { work, begun, end } = controlled()
  const scheduler = new Scheduler(work)
  scheduler.wake()
  await setImmediate()
  t.equal(begun(), 1)
  for (let times = 0; times < 3; times += 1) scheduler.wake()
  await setImmediate()
  t.equal(begun(), 1, 'not while it runs')
  await end()
  t.equal(begun(), 2, 'once more')
  await end()
  t.equal(begun(), 2, 'and then it rests')
  scheduler.wake()
  await setImmediate()
  t.equal(begun(), 3)
  await end()
})

t.test('wakeIn: one timer at a time, and again once it has fired', async (t) => {
  let ran = 0
  let next: (() => void) | undefined
  const scheduler = new Scheduler(async () => {
    ran += 1
    next?.()
  })
  for (let round = 1; round <= 2; round += 1) {
    const once = new Promise<void>((resolve) => (next = resolve))
    // The timer does not keep the process alive.
    const alive = setInterval(() => undefined, 1000)
    for (let times = 0; times < 3; times += 1) scheduler.wakeIn(1)
    await once
    clearInterval(alive)
    t.equal(ran, round)
  }
  await scheduler.stop()
})

t.test('wakeIn: at once, if no time is left', async (t) => {
  const { work, begun, end } = controlled()
  const scheduler = new Scheduler(work)
  scheduler.wakeIn(0)
  t.equal(begun(), 1)
  await end()
})

t.test('stop: what waits is run, and nothing runs afterwards', async (t) => {
  const { work, begun, end } = controlled()
  const scheduler = new Scheduler(work)
  scheduler.wake()
  await setImmediate()
  let isStopped = false
  const stopped = scheduler.stop().then(() => (isStopped = true))
  await end()
  t.equal(begun(), 2, 'once more, for what came during the last run')
  t.equal(isStopped, false, 'and it is waited for')
  await end()
  await stopped
  scheduler.wake()
  scheduler.wakeIn(0)
  await setImmediate()
  t.equal(begun(), 2)
})
