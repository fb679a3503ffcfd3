import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t from 'tap'
import { checked } from '../../support/api.ts'
import { ask, post } from '../../support/http.ts'
import { serve } from '../../support/server.ts'
import { DRIFTED, SYNCED } from '../../support/snapshots.ts'

t.test('GET /status.json: validators', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  await post(server.url, DRIFTED)
  const first = await http('/status.json')
  t.match(first.headers, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-cache',
    'access-control-allow-origin': '*',
    'last-modified': /GMT$/,
    'content-length': String(first.body.length),
  })
  const etag = first.headers.etag ?? ''
  t.match(etag, /^"[\w-]+"$/, 'strong')
  const head = await http('/status.json', { method: 'HEAD' })
  t.equal(head.headers.etag, etag)
  t.equal(head.headers['content-length'], first.headers['content-length'])
  t.equal(head.body.length, 0)

  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const answer = await http('/status.json', { headers: { 'If-None-Match': known } })
    t.equal(answer.status, 304, known)
    t.equal(answer.body.length, 0)
  }
  const since = first.headers['last-modified'] ?? ''
  t.equal((await http('/status.json', { headers: { 'If-Modified-Since': since } })).status, 304)
  t.equal(
    (await http('/status.json', { headers: { 'If-None-Match': '"other"', 'If-Modified-Since': since } })).status,
    200,
  )

  await post(server.url, SYNCED)
  const second = await http('/status.json', { headers: { 'If-None-Match': etag } })
  t.equal(second.status, 200)
  t.not(second.headers.etag, etag)
  if (second.headers['last-modified'] === since) {
    const stale = await http('/status.json', { headers: { 'If-Modified-Since': since } })
    t.equal(stale.status, 200, 'a second is too coarse to tell two documents apart')
  }
})

t.test('GET /status.json: encodings', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  await post(server.url, DRIFTED)
  const plain = await http('/status.json')
  const cases: [accept: string, encoding: string | undefined][] = [
    ['gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'br'],
    ['br', 'br'],
    ['br;q=0, gzip', 'gzip'],
    ['gzip;q=0', undefined],
    ['identity', undefined],
    ['deflate', undefined],
  ]
  const etags = new Set<string | undefined>()
  for (const [accept, encoding] of cases) {
    const answer = await http('/status.json', { headers: { 'Accept-Encoding': accept } })
    t.equal(answer.headers['content-encoding'], encoding, accept)
    t.equal(answer.headers.vary, 'Accept-Encoding')
    const decode = { gzip: gunzipSync, br: brotliDecompressSync }[encoding ?? ''] ?? ((bytes: Buffer) => bytes)
    t.same(decode(answer.body), plain.body)
    etags.add(answer.headers.etag)
    const again = await http('/status.json', {
      headers: { 'Accept-Encoding': accept, 'If-None-Match': answer.headers.etag ?? '' },
    })
    t.equal(again.status, 304)
  }
  t.equal(etags.size, 3, 'each representation has its own validator')
})

t.test("GET /status.json: Grafana's very request", async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const answer = await ask(`${server.url}/status.json`, {
    headers: {
      Accept: 'application/json;q=0.9,text/plain',
      'Accept-Encoding': 'gzip',
      'User-Agent': 'Go-http-client/1.1',
    },
  })
  t.equal(answer.status, 200)
  t.match(answer.headers, { 'content-type': 'application/json; charset=utf-8', 'content-encoding': 'gzip' })
  t.match(JSON.parse(gunzipSync(answer.body).toString()), { statuses: [{ repo: 'rsyslog', drift_count: 2 }] })
})
