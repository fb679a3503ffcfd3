/*
 * Measures this server against what one would take in its place, and against an earlier version:
 * npm run bench [-- --quick] [--against DIR/dist/cli.js]. Each contender is a process of its own on one core, the load is on
 * another; they take turns, and what counts are the ratios of their medians. Needs two cores, wrk, and takes nginx and
 * prometheus-pushgateway along where they are installed.
 */
import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { has } from './contenders.ts'
import { cost } from './cost.ts'
import { growth } from './growth.ts'
import { LOAD_CORE } from './load.ts'
import { oneClient } from './one-client.ts'
import { reads } from './reads.ts'
import { report, say } from './report.ts'
import { ROUNDS, quick, work } from './setup.ts'
import { versions } from './versions.ts'
import { writes } from './writes.ts'
import { youngGeneration } from './young-generation.ts'

const { against } = parseArgs({
  options: { quick: { type: 'boolean' }, against: { type: 'string' } },
}).values
if (!has('wrk') || cpus().length < 2) throw new Error('the bench needs wrk (apt-get install wrk) and two cores')
spawnSync('taskset', ['-p', '-c', LOAD_CORE, String(process.pid)])
try {
  const memory = (totalmem() / 2 ** 30).toFixed(0)
  say('# Results')
  say()
  say(
    `${cpus().length} cores (${cpus()[0]?.model ?? ''}), ${memory} GiB, Linux ${release()}, Node ${process.version}. ` +
      `${quick ? 'A quick run' : `Medians of ${ROUNDS} rounds, of reads of more`}.`,
  )
  say('`npm run bench` measures again. What counts are the ratios.')
  say()
  await reads()
  await writes()
  await oneClient()
  await youngGeneration()
  await growth()
  cost()
  if (against !== undefined) await versions(resolve(against))
  if (!quick) writeFileSync(join(import.meta.dirname, 'RESULTS.md'), report())
} finally {
  rmSync(work, { recursive: true })
}
