import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { type Running, has, startBareHttp, startExpressStatic, startNginx, startOurs } from './contenders.ts'
import { directoryWith } from './documents.ts'
import { readLoad } from './load.ts'
import { median } from './numbers.ts'
import { count, ms, say, table, times } from './report.ts'
import { quick, takeTurns, work } from './setup.ts'

const CONNECTIONS = 32
/** Short turns and many of them: the differences are small, and a machine is not equally fast all the time. */
const TURNS = quick ? 1 : 16
const TURN_SECONDS = 1

const CONTENDERS = ['gitops-status-server', 'bare node:http', 'express.static', 'nginx'] as const

/** How fast the document is served, against what else would serve the file. */
export async function reads(): Promise<void> {
  say('## Reads')
  say()
  say(`Answers a second to ${CONNECTIONS} connections, from one core; the ratios are the medians of ${TURNS} rounds'.`)
  say()
  const rows: string[][] = []
  for (const targets of [1, 1000]) rows.push(...(await readsOf(targets)))
  table(['document', 'this server', 'bare node:http', 'express.static', 'nginx', 'to node:http', 'to express'], rows)
  await compressed()
}

async function readsOf(targets: number): Promise<string[][]> {
  const directory = await directoryWith(targets)
  const file = join(directory, 'status.json')
  const servers: Partial<Record<(typeof CONTENDERS)[number], Running>> = {
    'gitops-status-server': await startOurs(directory),
    'bare node:http': await startBareHttp(file),
    'express.static': await startExpressStatic(directory),
    ...(has('nginx') ? { nginx: await startNginx(directory, join(work, `nginx-${targets}`)) } : {}),
  }
  const bytes = readFileSync(file)
  const whole: Record<string, () => number> = {}
  const known: Record<string, () => number> = {}
  for (const [name, server] of Object.entries(servers)) {
    const url = `${server.url}/status.json`
    const answer = await fetch(url, { headers: { 'Accept-Encoding': 'identity' } })
    if (!Buffer.from(await answer.arrayBuffer()).equals(bytes)) throw new Error(`${name} serves other bytes`)
    const ifNoneMatch = { 'If-None-Match': answer.headers.get('ETag') ?? '' }
    if ((await statusOf(url, ifNoneMatch)) !== 304) throw new Error(`${name} does not know its own ETag`)
    const load = { seconds: TURN_SECONDS, connections: CONNECTIONS }
    whole[name] = () => readLoad(url, load)
    known[name] = () => readLoad(url, { ...load, headers: ifNoneMatch })
  }
  const kb = `${(bytes.length / 1000).toFixed(bytes.length < 10_000 ? 1 : 0)} kB`
  const rows = [
    rowOf(`${count(targets)} target${targets === 1 ? '' : 's'}, ${kb}`, await takeTurns(whole, TURNS)),
    rowOf('304', await takeTurns(known, TURNS)),
  ]
  for (const server of Object.values(servers)) await server.stop()
  return rows
}

/** `fetch` makes a conditional request ask for the whole answer. */
async function statusOf(url: string, headers: Readonly<Record<string, string>>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url, { headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode))
    }).on('error', reject)
  })
}

function rowOf(what: string, rates: Record<string, readonly number[]>): string[] {
  const of = (name: (typeof CONTENDERS)[number]): readonly number[] => rates[name] ?? []
  const shown = CONTENDERS.map((name) => (of(name).length === 0 ? 'not here' : count(median(of(name)))))
  // Of each round, for what is measured in the same seconds can be compared best.
  const to = (name: (typeof CONTENDERS)[number]): string =>
    times(median(of(name).map((rate, round) => (of('gitops-status-server')[round] ?? Number.NaN) / rate)))
  return [what, ...shown, to('bare node:http'), to('express.static')]
}

/** A compressed document is made once a generation, and served after. */
async function compressed(): Promise<void> {
  const server = await startOurs(await directoryWith(10_000))
  const url = `${server.url}/status.json`
  const headers = { 'Accept-Encoding': 'gzip' }
  const started = performance.now()
  await (await fetch(url, { headers })).arrayBuffer()
  const made = performance.now() - started
  const rate = readLoad(url, { seconds: TURN_SECONDS, connections: CONNECTIONS, headers })
  say(`10,000 targets with gzip: ${ms(made)} for the first answer of a generation, then ${count(rate)} a second.`)
  say()
  await server.stop()
}
