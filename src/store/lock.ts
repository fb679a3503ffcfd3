import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { tryLock } from 'fs-native-extensions'
import { type FileCalls, pooledCalls } from './file-calls.ts'
import { StoreError, codeOf } from './store-error.ts'

const LOCK = '.status.lock'
const TURN = '.status.turn'

const POLL_FIRST_MS = 1
const POLL_MAX_MS = 20

/**
 * Runs `work` while no other server on this directory runs its own. The kernel holds the lock and releases it when its
 * process ends. A server takes the turn before the lock and gives it up once it has the lock, so that a server that
 * commits without a pause cannot keep another one out.
 *
 * @param waitMs how long to wait for other servers, in ms
 * @param calls the calls of the volume
 * @throws {StoreError} `unavailable` if the lock was not free in time
 */
export async function withLock<T>(
  directory: string,
  waitMs: number,
  work: () => Promise<T>,
  calls: FileCalls = pooledCalls,
): Promise<T> {
  const deadline = performance.now() + waitMs
  const turn = await take(join(directory, TURN), deadline, calls)
  let lock: number
  try {
    lock = await take(join(directory, LOCK), deadline, calls)
  } catch (error) {
    await release(turn, calls)
    throw error
  }
  const turnGivenUp = release(turn, calls)
  try {
    return await work()
  } finally {
    await turnGivenUp
    await release(lock, calls)
  }
}

/**
 * Waits until an open file is locked. The lock goes when the file is closed.
 *
 * @param deadline on the clock of `performance.now()`
 * @throws {StoreError} `unavailable` if the lock was not free in time, `no-lock` if the volume refuses it
 */
export async function lockFile(fd: number, deadline: number): Promise<void> {
  for (let pause = POLL_FIRST_MS; !isTaken(fd); pause = Math.min(pause * 2, POLL_MAX_MS)) {
    if (performance.now() + pause > deadline)
      throw new StoreError('unavailable', 'another server holds the lock of the directory')
    await sleep(pause)
  }
}

/** Returns the locked file's descriptor. */
async function take(path: string, deadline: number, calls: FileCalls): Promise<number> {
  for (;;) {
    const fd = await calls.open(path, 'a')
    try {
      // Kept open while it waits: on NFS each open and close is a request of its own.
      await lockFile(fd, deadline)
      if (await isAt(path, fd, calls)) return fd
    } catch (error) {
      await release(fd, calls)
      throw error
    }
    await release(fd, calls)
  }
}

/** Nothing was written to the file: what `close` reports does not matter. */
async function release(fd: number, calls: FileCalls): Promise<void> {
  await calls.close(fd).catch(() => undefined)
}

function isTaken(fd: number): boolean {
  try {
    return tryLock(fd)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const remedy = 'without locks two servers would overwrite each other; mount the volume with locks'
    throw new StoreError('no-lock', `the volume refuses to lock a file (${reason}): ${remedy}`, error)
  }
}

/** True if a file is still at its path. The lock of a replaced directory does not exclude other servers. */
async function isAt(path: string, fd: number, calls: FileCalls): Promise<boolean> {
  try {
    const [there, here] = await Promise.all([calls.stat(path), calls.fstat(fd)])
    return there.ino === here.ino && there.dev === here.dev
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}
