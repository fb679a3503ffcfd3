import type { Servers } from './losses.ts'
import type { Site } from './site.ts'

const TARGETS = 100
/** Of each server, each with a request at a time and without a pause. */
const CLIENTS = 8
const WARM_UP_MS = 2000
const MEASURED_MS = 10_000

/** How many posts a second two servers acknowledge together if nobody pauses. */
export async function throughput({ sites, cli }: Servers): Promise<number> {
  const name = `load-${Date.now()}`
  for (const site of sites) {
    await site.enter(name)
    await site.start(cli)
  }
  const begin = performance.now() + WARM_UP_MS
  const end = begin + MEASURED_MS
  let acknowledged = 0
  const load = async (site: Site, client: number): Promise<void> => {
    for (let i = client; performance.now() < end; i += 1) {
      const { status } = await site.post('load', [`t${Math.floor(i) % TARGETS}`])
      const now = performance.now()
      if ((status === 200 || status === 201) && now >= begin && now < end) acknowledged += 1
    }
  }
  const clients = Array.from({ length: CLIENTS }, (_, i) =>
    sites.map(async (site) => load(site, i * (TARGETS / CLIENTS))),
  )
  await Promise.all(clients.flat())
  for (const site of sites) await site.stop()
  return (acknowledged / MEASURED_MS) * 1000
}
