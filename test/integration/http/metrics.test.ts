import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import express from 'express'
import t from 'tap'
import { Metrics } from '../../../src/http/metrics.ts'
import { EMPTY_DOCUMENT } from '../../../src/status/document.ts'
import { STATES } from '../../../src/status/schema.ts'
import { formatTime } from '../../../src/status/time.ts'
import { atOnce } from '../../../src/steps.ts'
import type { PublishedDocument } from '../../../src/store/store.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { fileOf, serve } from '../../support/server.ts'
import { DRIFTED, SYNCED, snapshotOf } from '../../support/snapshots.ts'

const NOW = '2026-04-21T10:32:15Z'

/** The values of the metrics, by name and labels as they are written. */
async function metricsOf(url: string): Promise<Map<string, number>> {
  // Compressed, as Prometheus asks for it.
  const { status, body, text: problem } = await ask(`${url}/metrics`, { headers: { 'Accept-Encoding': 'gzip' } })
  if (status !== 200) throw new Error(problem)
  const text = gunzipSync(body).toString()
  return new Map(
    text.split('\n').flatMap((line) => {
      const [, series, value] = /^([^#].*) (\S+)$/.exec(line) ?? []
      return series === undefined ? [] : [[series, Number(value)]]
    }),
  )
}

/** The states of the target, of which one is true. */
function stateSet(state: string): Record<string, number> {
  return Object.fromEntries(
    STATES.map((each) => [
      `gitops_target_state{repo="rsyslog",server="rsyslog-lab",state="${each}"}`,
      each === state ? 1 : 0,
    ]),
  )
}

function info(commit: string, others = ''): string {
  return `gitops_target_info{repo="rsyslog",server="rsyslog-lab",commit="${commit}"${others}}`
}

t.test('metrics: how many targets of a repository are in which state', async (t) => {
  const { url } = await serve(t)
  await post(url, [snapshotOf({ server: 'a' }, ['x']), snapshotOf({ server: 'b' }), snapshotOf({ repo: 'other' })])
  const counts = [...(await metricsOf(url))].filter(([name]) => name.startsWith('gitops_repository_targets'))
  const expected = ['other', 'rsyslog'].flatMap((repo) =>
    STATES.map((state) => [
      `gitops_repository_targets{repo="${repo}",state="${state}"}`,
      state === 'synced' || (state === 'drifted' && repo === 'rsyslog') ? 1 : 0,
    ]),
  )
  t.same(Object.fromEntries(counts), Object.fromEntries(expected))
})

t.test('metrics: every target, and nothing of one that is gone', async (t) => {
  const server = await serve(t)
  const { url } = server
  const labels = '{repo="rsyslog",server="rsyslog-lab"}'
  const ofTarget = async (): Promise<Record<string, number>> =>
    Object.fromEntries([...(await metricsOf(url))].filter(([name]) => name.includes('server="rsyslog-lab"')))
  const seconds = Date.parse(NOW) / 1000

  t.same(await ofTarget(), {})
  await post(url, DRIFTED)
  t.same(await ofTarget(), {
    [`gitops_sync_status${labels}`]: 0,
    [`gitops_drift_files${labels}`]: 2,
    [`gitops_last_check_timestamp_seconds${labels}`]: seconds,
    [`gitops_since_timestamp_seconds${labels}`]: seconds,
    [`gitops_stale${labels}`]: 1,
    ...stateSet('stale'),
    [info('')]: 1,
  })
  await post(url, { ...SYNCED, last_check: '2026-04-21T10:34:15Z', stale_after: 1e9 })
  t.same(await ofTarget(), {
    [`gitops_sync_status${labels}`]: 1,
    [`gitops_drift_files${labels}`]: 0,
    [`gitops_last_check_timestamp_seconds${labels}`]: seconds + 120,
    [`gitops_since_timestamp_seconds${labels}`]: seconds + 120,
    [`gitops_stale${labels}`]: 0,
    ...stateSet('synced'),
    [info('')]: 1,
  })
  await post(url, { ...SYNCED, last_check: '2026-04-21T10:35:15Z', stale_after: 1e9, commit: 'f00ba4' })
  t.same(
    Object.keys(await ofTarget()).filter((name) => name.startsWith('gitops_target_info')),
    [info('f00ba4')],
  )
  const failure = {
    repo: 'rsyslog',
    server: 'rsyslog-lab',
    check_failed: 'unreachable',
    attempted_at: formatTime(Date.now()),
  }
  await post(url, failure)
  t.match(await ofTarget(), {
    ...stateSet('failing'),
    [`gitops_failed_check_timestamp_seconds${labels}`]: Date.parse(failure.attempted_at) / 1000,
  })
  await post(url, { ...failure, server: 'never' })
  t.same(
    [...(await metricsOf(url)).keys()].filter((name) => name.includes('"never"') && !/state=|commit=/.test(name)),
    ['since_timestamp_seconds', 'stale', 'failed_check_timestamp_seconds'].map(
      (name) => `gitops_${name}{repo="rsyslog",server="never"}`,
    ),
    'a target that was never checked has no verdict',
  )
  await ask(`${url}/api/status?repo=rsyslog`, { method: 'DELETE' })
  t.same(await ofTarget(), {})
})

t.test('metrics: a target is accepted until its rule ends', async (t) => {
  const server = await serve(t)
  const { url } = server
  const labels = '{repo="rsyslog",server="rsyslog-lab"}'
  const until = Math.floor(Date.now() / 1000) + 3600
  await post(url, { ...DRIFTED, last_check: formatTime(Date.now()) })
  t.match(await metricsOf(url), new Map(Object.entries(stateSet('drifted'))))
  const rule = { server: 'rsyslog-*', until: formatTime(until * 1000), reason: 'ticket 123' }
  const { statuses, ...head } = fileOf(server)
  writeFileSync(server.file, JSON.stringify({ ...head, accepted: [rule], statuses }))
  await eventually(async () =>
    matches(Object.fromEntries(await metricsOf(url)), {
      [`gitops_accepted_until_timestamp_seconds${labels}`]: until,
      ...stateSet('accepted'),
    }),
  )
  await post(url, { ...SYNCED, last_check: formatTime(Date.now()) })
  t.notOk((await metricsOf(url)).has(`gitops_accepted_until_timestamp_seconds${labels}`), 'nothing is wrong any more')
})

t.test('metrics: gitops_target_info has the labels that the setting names, and no other', async (t) => {
  const metricLabels = ['env', 'app.kubernetes.io/name', 'constructor']
  const { url } = await serve(t, undefined, { metricLabels })
  const name = 'a "b" \\ c'
  await post(url, { ...DRIFTED, labels: { env: 'prod', owner: 'team-a', 'app.kubernetes.io/name': name } })
  await post(url, snapshotOf({ server: 'plain' }))
  t.same(
    [...(await metricsOf(url)).keys()].filter((series) => series.startsWith('gitops_target_info')),
    [
      'gitops_target_info{repo="rsyslog",server="plain",commit=""}',
      info('', String.raw`,label_env="prod",label_app_kubernetes_io_name="a \"b\" \\ c"`),
    ],
  )
})

t.test('metrics: of the server itself', async (t) => {
  const server = await serve(t)
  const { url } = server
  await post(url, [DRIFTED, snapshotOf({ server: 'other' })])
  await post(url, DRIFTED)
  await post(url, { ...DRIFTED, last_check: '2020-01-01T00:00:00Z' })
  await post(url, { ...DRIFTED, drift_count: 7 })
  await ask(`${url}/no/such/${'path'.repeat(9)}`)
  await ask(`${url}/status.json`)
  writeFileSync(server.file, readFileSync(server.file, 'utf8').replace('"rsyslog-lab",', '"rsyslog-lab", "note": "x",'))
  const merged = 'gitops_status_server_edits_total{outcome="merged"}'
  await eventually(async () => matches((await metricsOf(url)).get(merged), 1))
  writeFileSync(server.file, '{ broken')
  const own = 'gitops_status_server_'
  const expected = {
    [`${own}snapshots_total{result="created"}`]: 2,
    [`${own}snapshots_total{result="updated"}`]: 1,
    [`${own}snapshots_total{result="ignored"}`]: 1,
    [`${own}refusals_total{problem="invalid-snapshot"}`]: 1,
    [`${own}refusals_total{problem="not-found"}`]: 1,
    [`${own}refusals_total{problem="internal"}`]: 0,
    [merged]: 1,
    [`${own}edits_total{outcome="rejected"}`]: 1,
    [`${own}rejected_edit`]: 1,
    [`${own}internal_error`]: 0,
    [`${own}ready`]: 1,
    [`${own}commit_failures_total`]: 0,
    [`${own}document_entries`]: 2,
    [`${own}document_generation`]: generationOf(await ask(`${url}/status.json`)),
    [`${own}document_bytes`]: (await ask(`${url}/status.json`)).body.length,
    [`${own}http_requests_total{route="/api/status",status="2xx"}`]: 3,
    [`${own}http_requests_total{route="/api/status",status="4xx"}`]: 1,
    [`${own}http_requests_total{route="none",status="4xx"}`]: 1,
    [`${own}http_requests_total{route="/status.json",status="2xx"}`]: 3,
  }
  await eventually(async () => {
    const metrics = await metricsOf(url)
    matches(Object.fromEntries(Object.keys(expected).map((name) => [name, metrics.get(name)])), expected)
  })
  const metrics = await metricsOf(url)
  const commits = metrics.get(`${own}commits_total`) ?? 0
  t.ok(commits >= 3)
  t.equal(metrics.get(`${own}commit_duration_seconds_count`), commits)
  t.equal(metrics.get(`${own}commit_requests_count`), commits)
  t.ok((metrics.get('process_resident_memory_bytes') ?? 0) > 1e6)
})

t.test('metrics: what was prepared is not made again, unless it changes', async (t) => {
  const metrics = new Metrics('0')
  let reads = 0
  const ofCommit = (commit: string): PublishedDocument => {
    const status = {
      ...DRIFTED,
      state: 'drifted',
      get commit() {
        reads += 1
        return commit
      },
    }
    const document = { ...EMPTY_DOCUMENT, entries: [{ status, bytes: 0, changesAt: Infinity }] }
    return { document, bytes: Buffer.alloc(0), digest: '', modifiedAt: 0 } as unknown as PublishedDocument
  }
  const health = { canCommit: true, troubles: [], historyRowsWaiting: 0 }
  let published = ofCommit('first')
  const expose = metrics.expose({
    health,
    get published() {
      return published
    },
  })
  const server = createServer(express().get('/metrics', expose))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const readsOfScrape = async (commit: string): Promise<number> => {
    reads = 0
    t.ok((await metricsOf(url)).has(info(commit)))
    return reads
  }

  atOnce(metrics.prepare(published.document))
  t.equal(await readsOfScrape('first'), 1, 'to see whether it has changed')
  published = ofCommit('second')
  t.equal(await readsOfScrape('second'), 2, 'to write it, too')
})

function generationOf({ json }: { json: unknown }): number {
  return (json as { generation: number }).generation
}
