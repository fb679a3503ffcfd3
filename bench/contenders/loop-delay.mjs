// Preloaded into a server (node --import): at each SIGUSR2 writes to LOOP_DELAY_FILE by how many ms its event loop was
// late since the last one, as JSON: 99 times of 100 by less than `p99`, and at most by `max`.
import { renameSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION_MS = 1
const file = process.env.LOOP_DELAY_FILE
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
const late = (ns) => ns / 1e6 - RESOLUTION_MS
delay.enable()
process.on('SIGUSR2', () => {
  writeFileSync(`${file}.new`, JSON.stringify({ p99: late(delay.percentile(99)), max: late(delay.max) }))
  renameSync(`${file}.new`, file)
  delay.reset()
})
