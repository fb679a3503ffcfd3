import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { ask } from '../../support/http.ts'
import { BUILT } from '../../support/page.ts'
import { serve } from '../../support/server.ts'

t.test('GET /: one page under 60 kB, assets for ever, and nothing else of its directory', async (t) => {
  const server = await serve(t)
  const index = await ask(`${server.url}/`)
  t.match(index, {
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      'content-security-policy': /^default-src 'none'; script-src 'self';/,
      etag: /^"[\w-]+"$/,
    },
  })
  t.equal(
    (await ask(`${server.url}/`, { headers: { 'If-None-Match': String(index.headers.etag) } })).status,
    304,
    'asked for again it costs nothing',
  )
  const names = [...index.text.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, name]) => name ?? '')
  t.ok(names.length >= 3, `${names.length} assets`)
  for (const name of names) {
    const asset = await ask(`${server.url}/${name}`, { headers: { 'Accept-Encoding': 'gzip' } })
    t.match(asset, {
      status: 200,
      headers: { 'cache-control': 'public, max-age=31536000, immutable', 'content-encoding': 'gzip' },
    })
  }
  const sizes = readdirSync(BUILT, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => gzipSync(readFileSync(join(entry.parentPath, entry.name)), { level: 9 }).length)
  const size = sizes.reduce((sum, each) => sum + each, 0)
  t.ok(size < 60_000, `${size} bytes, gzipped`)
  for (const path of ['/assets/', '/assets/nothing.js', '/assets/..%2Findex.html', '/index.html', '/assets/index.js']) {
    t.match(
      await ask(server.url + path),
      { status: 404, headers: { 'content-type': 'application/problem+json' } },
      path,
    )
  }
})
