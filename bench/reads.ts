import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { type Running, has, startBareHttp, startExpressStatic, startNginx, startOurs } from './contenders.ts'
import { directoryWith } from './documents.ts'
import { readLoad } from './load.ts'
import { median } from './numbers.ts'
import { count, ms, say, table, times } from './report.ts'
import { quick, takeTurns } from './setup.ts'

const CONNECTIONS = 32
/**
 * Each contender starts anew so many times, and has so many short turns each time: the differences are small, a machine
 * is not equally fast all the time, and one process may have the luck of its memory for minutes.
 */
const STARTS = quick ? 1 : 3
const TURNS = quick ? 1 : 5
const TURN_SECONDS = 1

const CONTENDERS = ['this server', 'node:http', 'node:http, 3 headers', 'express.static', 'nginx'] as const
type Contender = (typeof CONTENDERS)[number]
type Loads = Record<string, () => number>
/** Answers a second, by name and round. */
type Rates = Record<string, number[]>

/** How fast the document is served, against what else would serve the file. */
export async function reads(): Promise<void> {
  say('## Reads')
  say()
  say(
    `Answers a second to ${CONNECTIONS} connections, from one core; the ratios are the medians of ${STARTS * TURNS} rounds'.`,
  )
  say()
  say(
    'Bare node:http sends the very answers of this server, headers and all; and with three headers, as few as it can.',
  )
  say()
  const rows: string[][] = []
  for (const targets of [1, 1000]) rows.push(...(await readsOf(targets)))
  table(['document', ...CONTENDERS, 'to node:http', 'to 3 headers', 'to express'], rows)
  await compressed()
}

async function readsOf(targets: number): Promise<string[][]> {
  const directory = await directoryWith(targets)
  const bytes = readFileSync(join(directory, 'status.json'))
  const whole: Rates = {}
  const known: Rates = {}
  for (let start = 0; start < STARTS; start += 1) {
    const servers = await startAll(directory)
    const loads = await loadsOf(servers, bytes)
    await measure(loads.whole, whole)
    await measure(loads.known, known)
    for (const server of Object.values(servers)) await server.stop()
  }
  const kb = `${(bytes.length / 1000).toFixed(bytes.length < 10_000 ? 1 : 0)} kB`
  return [rowOf(`${count(targets)} target${targets === 1 ? '' : 's'}, ${kb}`, whole), rowOf('304', known)]
}

/** Adds what was measured after a first round, in which each gets warm. */
async function measure(loads: Loads, rates: Rates): Promise<void> {
  if (!quick) await takeTurns(loads, 1)
  for (const [name, turns] of Object.entries(await takeTurns(loads, TURNS))) (rates[name] ??= []).push(...turns)
}

async function startAll(directory: string): Promise<Partial<Record<Contender, Running>>> {
  const file = join(directory, 'status.json')
  const ours = await startOurs(directory)
  return {
    'this server': ours,
    'node:http': await startBareHttp(file, `${ours.url}/status.json`),
    'node:http, 3 headers': await startBareHttp(file),
    'express.static': await startExpressStatic(directory),
    ...(has('nginx') ? { nginx: await startNginx(directory, `${directory}-nginx`) } : {}),
  }
}

/** The loads of whole answers and of 304, by name. */
async function loadsOf(
  servers: Partial<Record<Contender, Running>>,
  bytes: Buffer,
): Promise<{ whole: Loads; known: Loads }> {
  const whole: Loads = {}
  const known: Loads = {}
  for (const [name, server] of Object.entries(servers)) {
    const loads = await readsFrom(name, server, bytes)
    whole[name] = loads.whole
    known[name] = loads.known
  }
  return { whole, known }
}

/**
 * What measures how many whole answers, and how many 304, a server sends in a second.
 *
 * @throws if the server sends other bytes, or does not know its own ETag
 */
export async function readsFrom(
  name: string,
  server: Running,
  bytes: Buffer,
): Promise<{ readonly whole: () => number; readonly known: () => number }> {
  const url = `${server.url}/status.json`
  const answer = await fetch(url, { headers: { 'Accept-Encoding': 'identity' } })
  if (!Buffer.from(await answer.arrayBuffer()).equals(bytes)) throw new Error(`${name} serves other bytes`)
  const ifNoneMatch = { 'If-None-Match': answer.headers.get('ETag') ?? '' }
  if ((await statusOf(url, ifNoneMatch)) !== 304) throw new Error(`${name} does not know its own ETag`)
  const load = { seconds: TURN_SECONDS, connections: CONNECTIONS }
  return { whole: () => readLoad(url, load), known: () => readLoad(url, { ...load, headers: ifNoneMatch }) }
}

/** `fetch` makes a conditional request ask for the whole answer. */
async function statusOf(url: string, headers: Readonly<Record<string, string>>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url, { headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode))
    }).on('error', reject)
  })
}

function rowOf(what: string, rates: Readonly<Rates>): string[] {
  const of = (name: Contender): readonly number[] => rates[name] ?? []
  const shown = CONTENDERS.map((name) => (of(name).length === 0 ? 'not here' : count(median(of(name)))))
  // Of each round, for what is measured in the same seconds can be compared best.
  const to = (name: Contender): string =>
    times(median(of(name).map((rate, round) => (of('this server')[round] ?? Number.NaN) / rate)))
  return [what, ...shown, to('node:http'), to('node:http, 3 headers'), to('express.static')]
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
