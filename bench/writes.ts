import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Running, has, startJsonServer, startNaive, startOurs, startPushgateway } from './contenders.ts'
import { checkAcknowledged, directoryWith, nameOf, postOf, statusesIn } from './documents.ts'
import { type Write, type WriteResult, send, writeLoad } from './load.ts'
import { count, say, table, times } from './report.ts'
import { WARM_UP_SECONDS, WRITE_SECONDS, alternate, work } from './setup.ts'

const CLIENTS = 64

/** How many snapshots a second are taken, against what else would take them. */
export async function writes(): Promise<void> {
  say('## Writes')
  say()
  say(`Acknowledged snapshots a second from ${CLIENTS} clients. This server answers after the fsync of the commit;`)
  say('the others without any, so that what they have acknowledged is lost with the power.')
  say(`The first ${WARM_UP_SECONDS} seconds of each do not count.`)
  say()
  const rows: string[][] = []
  for (const targets of [1000, 10_000]) rows.push(await writesTo(targets))
  const names = ['Pushgateway', 'a write each', 'json-server']
  table(['targets', 'this server', ...names, ...names.map((name) => `to ${name}`)], rows)
}

async function writesTo(targets: number): Promise<string[]> {
  const directory = await directoryWith(targets)
  const load = { clients: CLIENTS, seconds: WRITE_SECONDS, targets }
  const statuses = statusesIn(directory)
  const naive = join(work, `naive-${targets}.json`)
  const served = join(work, `json-server-${targets}.json`)
  const pushgateway = has('prometheus-pushgateway') ? await pushgatewayWith(targets) : undefined
  const results = await alternate({
    ours: async () => {
      const result = await during(await startOurs(directory), async ({ url }) => writeLoad(url, load, postOf))
      checkAcknowledged(directory, result)
      return result.rate
    },
    ...(pushgateway === undefined
      ? {}
      : {
          pushgateway: async () =>
            (await during(await startPushgateway(pushgateway), async ({ url }) => writeLoad(url, load, pushOf))).rate,
        }),
    naive: async () => {
      writeFileSync(naive, JSON.stringify({ statuses }))
      return (await during(await startNaive(naive), async ({ url }) => writeLoad(url, load, postOf))).rate
    },
    jsonServer: async () => {
      writeFileSync(served, JSON.stringify({ statuses: statuses.map((status, id) => ({ id, ...status })) }))
      return (await during(await startJsonServer(served), async ({ url }) => writeLoad(url, load, putOf))).rate
    },
  })
  const ours = results['ours'] ?? Number.NaN
  const others = [results['pushgateway'], results['naive'], results['jsonServer']]
  return [
    count(targets),
    count(ours),
    ...others.map((other) => (other === undefined ? 'not here' : count(other))),
    ...others.map((other) => (other === undefined ? '' : times(ours / other))),
  ]
}

async function during(server: Running, load: (server: Running) => Promise<WriteResult>): Promise<WriteResult> {
  try {
    return await load(server)
  } finally {
    await server.stop()
  }
}

/** What a Pushgateway takes in a snapshot's place. */
function pushOf(target: number, mark: number): Write {
  const body = `# TYPE gitops_drift_files gauge\ngitops_drift_files 0\n# TYPE gitops_mark gauge\ngitops_mark ${mark}\n`
  return { path: `/metrics/job/rsyslog/instance/${nameOf(target)}`, method: 'PUT', type: 'text/plain', body }
}

/** What json-server takes in a snapshot's place. */
function putOf(target: number, mark: number): Write {
  return { ...postOf(target, mark), path: `/statuses/${target}`, method: 'PUT' }
}

/** The file of a Pushgateway that has so many groups. */
async function pushgatewayWith(targets: number): Promise<string> {
  const file = join(work, `pushgateway-${targets}`)
  // Filled without the check of every push against all others, which takes time in the square of their number.
  const server = await startPushgateway(file, false)
  for (let target = 0; target < targets; target += 1) {
    const status = await send(server.url, pushOf(target, 0))
    if (status !== 200 && status !== 202) throw new Error(`the Pushgateway answered ${status}`)
  }
  await server.stop()
  return file
}
