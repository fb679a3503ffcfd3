// Preloaded into a server (node --import): at each SIGUSR2 writes to LOOP_DELAY_FILE by how many ms its event loop was
// late, 99 times of 100, since the last one.
import { renameSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION_MS = 1
const file = process.env.LOOP_DELAY_FILE
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delay.enable()
process.on('SIGUSR2', () => {
  writeFileSync(`${file}.new`, String(delay.percentile(99) / 1e6 - RESOLUTION_MS))
  renameSync(`${file}.new`, file)
  delay.reset()
})
