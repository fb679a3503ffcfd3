import { type FileHandle, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { tryLock } from 'fs-native-extensions'
import { StoreError, codeOf } from './store-error.ts'

const LOCK = '.status.lock'
const TURN = '.status.turn'

const POLL_FIRST_MS = 1
const POLL_MAX_MS = 20

/**
 * Runs `work` while no other server on this directory runs its own. The lock is the kernel's: it dies with its process.
 * A server takes the turn before it takes the lock, and gives it up once it has the lock, so that one which commits
 * without a pause cannot keep another out.
 *
 * @param waitMs how long to wait for the others, in ms
 * @throws {StoreError} `unavailable`, when the lock was not to be had in time
 */
export async function withLock<T>(directory: string, waitMs: number, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + waitMs
  const turn = await take(join(directory, TURN), deadline)
  let lock: FileHandle
  try {
    lock = await take(join(directory, LOCK), deadline)
  } catch (error) {
    await turn.close()
    throw error
  }
  const givenUp = turn.close()
  try {
    return await work()
  } finally {
    await givenUp
    await lock.close()
  }
}

async function take(path: string, deadline: number): Promise<FileHandle> {
  for (let pause = POLL_FIRST_MS; ; pause = Math.min(pause * 2, POLL_MAX_MS)) {
    const handle = await open(path, 'a')
    let taken = false
    try {
      taken = tryLock(handle.fd) && (await isAt(path, handle))
    } finally {
      if (!taken) await handle.close()
    }
    if (taken) return handle
    if (Date.now() + pause > deadline)
      throw new StoreError('unavailable', 'another server holds the lock of the directory')
    await sleep(pause)
  }
}

/** Whether a file is still at its path; in a replaced directory the lock of the old one would keep nobody out. */
async function isAt(path: string, handle: FileHandle): Promise<boolean> {
  try {
    const [there, here] = await Promise.all([stat(path, { bigint: true }), handle.stat({ bigint: true })])
    return there.ino === here.ino && there.dev === here.dev
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}
