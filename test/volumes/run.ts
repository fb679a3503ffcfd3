/*
 * Runs two servers on network file systems, one per mount, and tells what they lose: npm run test:volumes. Needs root.
 *
 *   -- --only nfs,gluster,bindfs   which file systems; also: ceph, smb
 *      --cli dist/cli.js           the program; again for each other version to compare with
 *      --posts 500 --edits 60      how many in an attack
 *      --crash-rounds 10           how often servers are killed; 0 for never
 *      --kill one,both             how many of the two at a time
 *      --site DIR --site DIR       two mounts that are already there, instead of the file systems above
 */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { freePort } from '../support/port.ts'
import { type Attacked, attack } from './attack.ts'
import { type Crashed, type Kill, crash } from './crash.ts'
import type { Losses } from './losses.ts'
import { Site } from './site.ts'
import { throughput } from './throughput.ts'
import { bringDown, bringUp, isVolume, missingPackages, usualVolumes, volumes } from './volumes.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: usualVolumes.join(',') },
    cli: { type: 'string', multiple: true, default: ['dist/cli.js'] },
    posts: { type: 'string', default: '500' },
    edits: { type: 'string', default: '60' },
    'crash-rounds': { type: 'string', default: '10' },
    kill: { type: 'string', default: 'one,both' },
    site: { type: 'string', multiple: true, default: [] },
  },
})
const HEAD = [
  'file system',
  'posts lost',
  'edits lost',
  '503',
  'left over',
  'posts/s',
  'post seen',
  'edit seen',
  'faults',
]
const rows: string[][] = []
let hasLost = false
let running: readonly Site[] = []

const only = values.only.split(',').filter(isVolume)
const missing = values.site.length > 0 ? [] : missingPackages(only)
if (process.getuid?.() !== 0) fail('Mounting needs root.')
if (missing.length > 0) fail(`Packages are missing: apt-get install ${missing.join(' ')}`)
if (only.length !== values.only.split(',').length) fail(`File systems are: ${volumes.join(', ')}`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void stopAll().finally(() => process.exit(130))
  })
}

const [given, peer] = values.site
if (given !== undefined && peer !== undefined) await attackAll('sites', [given, peer])
else {
  for (const volume of only) {
    try {
      await attackAll(volume, await bringUp(volume))
    } catch (error) {
      hasLost = true
      say(`${volume}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    } finally {
      await bringDown(volume)
    }
  }
}
say(`\n${table([HEAD, ...rows])}`)
process.exit(hasLost ? 1 : 0)

async function attackAll(volume: string, directories: readonly [string, string]): Promise<void> {
  for (const given of values.cli) {
    const cli = resolve(given)
    const label = values.cli.length === 1 ? volume : `${volume}, ${given}`
    await withSites(directories, async (sites) => {
      const attacked = await attack({ sites, cli, posts: Number(values.posts), edits: Number(values.edits) })
      reportAttack(label, attacked, await throughput({ sites, cli }))
    })
    const rounds = Number(values['crash-rounds'])
    for (const kill of rounds === 0 ? [] : (values.kill.split(',') as Kill[])) {
      await withSites(directories, async (sites) => {
        reportCrash(`${label}, ${kill} killed ${rounds} times`, await crash({ sites, cli, rounds, kill }))
      })
    }
  }
}

async function stopAll(): Promise<void> {
  for (const site of running) await site.stop('KILL')
  if (values.site.length === 0) for (const volume of only) await bringDown(volume)
}

/** Each time with other ports, so that no connection of the servers before is in the way. */
async function withSites(
  [one, other]: readonly [string, string],
  use: (sites: readonly [Site, Site]) => Promise<void>,
): Promise<void> {
  const sites = [new Site('a', one, await freePort()), new Site('b', other, await freePort())] as const
  running = sites
  try {
    await use(sites)
  } finally {
    for (const site of sites) {
      await site.stop('KILL')
      for (const [what, count] of await site.takeWarnings()) say(`  logged at ${site.name}: ${count} × ${what}`)
    }
  }
}

function reportAttack(label: string, attacked: Attacked, rate: number): void {
  const { unavailable, leftovers, postsSeen, editsSeen } = attacked
  const lost = lostOf(attacked)
  const seen = [spread(postsSeen), spread(editsSeen)]
  rows.push([
    label,
    ...lost,
    `${unavailable}`,
    `${leftovers.length}`,
    rate.toFixed(1),
    ...seen,
    `${attacked.faults.length}`,
  ])
  say(`${label}: lost ${lost.join(' posts, ')} edits; saved over by a later edit ${attacked.savedOver}`)
  for (const [what, count] of attacked.refused) say(`  ${count} × ${what}`)
  details(attacked)
}

function reportCrash(label: string, crashed: Crashed): void {
  const { leftovers, recovered, faults } = crashed
  const lost = lostOf(crashed)
  const seen = spread(recovered)
  rows.push([label, ...lost, '', `${leftovers.length}`, '', seen, seen, `${faults.length}`])
  say(`${label}: lost ${lost.join(' posts, ')} edits`)
  details(crashed)
}

function lostOf({ posts, lostPosts, edits, lostEdits }: Losses): [string, string] {
  return [`${lostPosts.length} of ${posts}`, `${lostEdits.length} of ${edits}`]
}

function details({ lostPosts, lostEdits, leftovers, faults }: Losses): void {
  for (const [what, list] of Object.entries({ 'lost posts': lostPosts, 'lost edits': lostEdits, leftovers, faults })) {
    if (list.length > 0) say(`  ${what}: ${list.slice(0, 8).join('; ')}${list.length > 8 ? '; …' : ''}`)
    if (list.length > 0 && what !== 'leftovers') hasLost = true
  }
}

function spread(times: readonly number[]): string {
  const sorted = times.toSorted((one, other) => one - other)
  const at = (share: number): string => {
    const time = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
    if (time === undefined) return '-'
    return time === Infinity ? 'never' : `${(time / 1000).toFixed(2)} s`
  }
  return `${at(0.5)}, max ${at(1)}`
}

function table(lines: readonly string[][]): string {
  const widths = HEAD.map((_, column) => Math.max(3, ...lines.map((line) => line[column]?.length ?? 0)))
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`
  const [head = [], ...rest] = lines
  return [head, widths.map((width) => '-'.repeat(width)), ...rest].map(row).join('\n')
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function fail(why: string): never {
  process.stderr.write(`${why}\n`)
  process.exit(2)
}
