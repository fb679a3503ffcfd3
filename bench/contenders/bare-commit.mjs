// What any durable replacement of a file takes: write, fsync, rename, fsync of the directory, and nothing else. Prints
// the median in ms, first of all calls in one thread, then of each by way of the thread pool, as a server makes them.
// bare-commit.mjs DIRECTORY FILE SECONDS
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'

const [directory, file, seconds] = process.argv.slice(2)
const bytes = readFileSync(file)
const [staged, target] = [join(directory, 'bare.new'), join(directory, 'bare.json')]

function commit() {
  const handle = openSync(staged, 'w')
  writeSync(handle, bytes)
  fsyncSync(handle)
  closeSync(handle)
  renameSync(staged, target)
  const parent = openSync(directory, 'r')
  fsyncSync(parent)
  closeSync(parent)
}

async function commitInPool() {
  const handle = await open(staged, 'w')
  await handle.write(bytes)
  await handle.sync()
  await handle.close()
  await rename(staged, target)
  const parent = await open(directory, 'r')
  await parent.sync()
  await parent.close()
}

async function median(work) {
  const times = []
  for (const end = performance.now() + Number(seconds) * 1000; performance.now() < end;) {
    const started = performance.now()
    await work()
    times.push(performance.now() - started)
  }
  return times.toSorted((a, b) => a - b)[times.length >> 1]
}

const medians = [await median(commit), await median(commitInPool)]
rmSync(target)
process.stdout.write(medians.join(' '))
