import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { STATES } from '../../../src/status/schema.ts'
import { formatTime } from '../../../src/status/time.ts'
import { directory } from '../../support/directory.ts'
import { ask, post } from '../../support/http.ts'
import { needs } from '../../support/machine.ts'
import { type Server, serve } from '../../support/server.ts'
import { DRIFTED, snapshotOf } from '../../support/snapshots.ts'

/** Their metrics, 20 MB, do not fit into the buffers of two sockets. */
const TARGETS = 20_000
const REPOSITORIES = 100
/** Per target, besides one for each state. */
const OF_TARGET = [
  'gitops_sync_status',
  'gitops_drift_files',
  'gitops_last_check_timestamp_seconds',
  'gitops_since_timestamp_seconds',
  'gitops_stale',
  'gitops_target_info',
]
const LAST = { repo: 'repo-99', server: 'server-19999' }

async function fleet(t: Test): Promise<Server> {
  const dataDir = directory(t)
  const statuses = Array.from({ length: TARGETS }, (_, index) => ({
    ...snapshotOf({ repo: `repo-${Math.floor(index / (TARGETS / REPOSITORIES))}`, server: `server-${index}` }),
    commit: 'before',
  }))
  writeFileSync(join(dataDir, 'status.json'), JSON.stringify({ statuses }))
  return serve(t, dataDir)
}

/** A scrape whose answer has begun, and of which no more is read before `rest`. */
async function heldScrape(url: string): Promise<{ response: IncomingMessage; rest: () => Promise<string> }> {
  const sent = request(`${url}/metrics`, { agent: false }).end()
  sent.on('error', () => undefined)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.on('error', () => undefined)
  return { response, rest: async () => Buffer.concat(await response.toArray()).toString() }
}

/** The lines that begin with `start`. */
function linesOf(text: string, start: string): string[] {
  return text.split('\n').filter((line) => line.startsWith(start))
}

function numberOf(text: string, series: string): number {
  return Number(linesOf(text, `${series} `)[0]?.slice(series.length))
}

/** What does not change without a commit. */
function ofTargets(text: string): string {
  return text.slice(0, text.indexOf('# HELP gitops_status_server_'))
}

t.test('scrapes: every target has every line, compressed or not, and many at once', async (t) => {
  const { url } = await fleet(t)
  const { text, headers, status } = await ask(`${url}/metrics`)
  t.match([status, headers], [200, { 'content-type': /^text\/plain; version=0\.0\.4/, 'cache-control': 'no-store' }])
  for (const metric of OF_TARGET) t.equal(linesOf(text, `${metric}{`).length, TARGETS, metric)
  t.equal(linesOf(text, 'gitops_target_state{').length, TARGETS * STATES.length)
  t.equal(linesOf(text, 'gitops_repository_targets{').length, REPOSITORIES * STATES.length)
  t.equal(linesOf(text, 'gitops_repository_targets{repo="repo-7",state="synced"} 200').length, 1)
  const series = text.split('\n').flatMap((line) => (line.startsWith('#') ? [] : (/^.+(?= )/.exec(line) ?? [])))
  t.equal(new Set(series).size, series.length, 'none is there twice')

  const gzip = { headers: { 'Accept-Encoding': 'gzip' } }
  const answers = await Promise.all([
    ask(`${url}/metrics`, gzip),
    ask(`${url}/metrics`),
    ask(`${url}/metrics`, gzip),
    ask(`${url}/metrics`, { method: 'HEAD' }),
  ])
  t.same(
    answers.map(({ headers: { 'content-encoding': encoding } }) => encoding),
    ['gzip', undefined, 'gzip', undefined],
  )
  for (const {
    body,
    headers: { 'content-encoding': encoding },
  } of answers.slice(0, 3)) {
    t.ok(ofTargets((encoding === 'gzip' ? gunzipSync(body) : body).toString()) === ofTargets(text))
  }
  t.match(answers[3], { status: 200, text: '', headers: { 'content-type': /^text\/plain/ } })
})

t.test('scrapes: the answer to a slow client is of one generation, and others are answered meanwhile', async (t) => {
  const { url } = await fleet(t)
  const generation = 'gitops_status_server_document_generation'
  const before = numberOf((await ask(`${url}/metrics`)).text, generation)
  const { response, rest } = await heldScrape(url)
  // The turns that the whole answer would take.
  for (let count = 0; count < TARGETS; count += 1) await turn()
  const newer = snapshotOf(LAST, ['x'], formatTime(Date.now() + 60_000))
  t.equal((await post(url, { ...newer, commit: 'after' })).status, 200)
  t.equal((await ask(`${url}/api/status?server=server-1`, { method: 'DELETE' })).status, 200)
  t.equal((await ask(`${url}/healthz`)).status, 200)
  const after = (await ask(`${url}/metrics`)).text
  t.equal(response.complete, false)
  const text = await rest()
  const info = `gitops_target_info{repo="${LAST.repo}",server="${LAST.server}"`
  t.same(linesOf(text, info), [`${info},commit="before"} 1`])
  t.same(linesOf(after, info), [`${info},commit="after"} 1`])
  for (const metric of OF_TARGET) t.equal(linesOf(text, `${metric}{`).length, TARGETS, metric)
  t.equal(linesOf(text, 'gitops_target_state{').length, TARGETS * STATES.length)
  t.equal(linesOf(after, 'gitops_target_state{').length, (TARGETS - 1) * STATES.length)
  t.equal(numberOf(text, generation), before)
  t.equal(numberOf(after, generation), before + 2)
})

t.test('scrapes: one that the client gives up does no harm', async (t) => {
  const server = await fleet(t)
  const { url } = server
  const { response } = await heldScrape(url)
  response.destroy()
  const halfway = request(`${url}/metrics`, { agent: false, headers: { 'Accept-Encoding': 'gzip' } }).end()
  halfway.on('error', () => undefined)
  const [other] = (await once(halfway, 'response')) as [IncomingMessage]
  other.on('error', () => undefined)
  await once(other, 'data')
  other.destroy()
  const { text } = await ask(`${url}/metrics`)
  t.equal(linesOf(text, 'gitops_target_state{').length, TARGETS * STATES.length)
  t.same(
    server.lines.filter(({ level }) => level === 'error' || level === 'fatal'),
    [],
  )
})

t.test('scrapes: by repository, there is no line of a target', async (t) => {
  const { url } = await serve(t, undefined, { metricsBy: 'repository', metricLabels: ['env'] })
  await post(url, [DRIFTED, snapshotOf({ server: 'a' }), snapshotOf({ repo: 'other', server: 'b' })])
  const { text } = await ask(`${url}/metrics`)
  t.same(linesOf(ofTargets(text), 'gitops_'), linesOf(text, 'gitops_repository_targets{'))
  t.equal(linesOf(text, 'gitops_repository_targets{').length, 2 * STATES.length)
  t.same(linesOf(text, 'gitops_repository_targets{repo="rsyslog",state="stale"}'), [
    'gitops_repository_targets{repo="rsyslog",state="stale"} 1',
  ])
  t.notMatch(text, 'server="')
  t.equal(numberOf(text, 'gitops_status_server_document_entries'), 3)
})

for (const metricsBy of ['target', 'repository'] as const) {
  t.test(`scrapes: promtool finds no fault in the metrics by ${metricsBy}`, needs('promtool'), async (t) => {
    const { url } = await serve(t, undefined, { metricsBy })
    await post(
      url,
      Array.from({ length: 1000 }, (_, index) => snapshotOf({ repo: `repo-${index % 7}`, server: `server-${index}` })),
    )
    const { text } = await ask(`${url}/metrics`)
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
    t.same([status, stdout, stderr], [0, '', ''])
  })
}
