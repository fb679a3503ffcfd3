import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask, post, raw } from '../../support/http.ts'
import { serve } from '../../support/server.ts'
import { DRIFTED } from '../../support/snapshots.ts'

t.test('only what is meant for readers is served', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const secrets = readdirSync(server.dataDir).filter((name) => !['status.json', 'status.schema.json'].includes(name))
  t.ok(secrets.includes('.status.lock') && secrets.includes('status.copy.json'))
  writeFileSync(join(server.dataDir, 'status.rejected-1.json'), 'HIDDEN CONTENT')
  writeFileSync(join(server.dataDir, '.status.commit.none.staged'), 'HIDDEN CONTENT')
  const paths = ['status.rejected-1.json', '.status.commit.none.staged', ...secrets].flatMap((name) => [
    `/${name}`,
    `/${encodeURIComponent(name).replaceAll('.', '%2e')}`,
    `//${name}`,
    `/status.json/../${name}`,
    `/%2e%2e/data/${name}`,
    `/..%2f${name}`,
    `/..\\${name}`,
    `/${name}%00.json`,
    `/status.json%2f..%2f${name}`,
    `/STATUS.JSON/../${name}`,
  ])
  for (const path of [
    ...paths,
    '/index.html',
    '/assets/',
    '/assets/..%2findex.html',
    '/package.json',
    '/src/cli.ts',
    '/../package.json',
    '/%2e%2e%2fpackage.json',
    '/Status.json',
  ]) {
    const answer = await raw(server, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    t.match(answer, /^HTTP\/1\.1 4\d\d /, path)
    t.notMatch(answer.replaceAll(path, '').split('\r\n\r\n')[1], /HIDDEN CONTENT|statuses/)
  }
})

t.test('CORS: any page may read, none may write', async (t) => {
  const server = await serve(t)
  const preflight = {
    method: 'OPTIONS',
    headers: { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'POST' },
  }
  const write = await ask(`${server.url}/api/status`, preflight)
  t.equal(write.headers['access-control-allow-origin'], undefined)
  const read = await ask(`${server.url}/status.json`, preflight)
  t.match(read, {
    status: 204,
    headers: { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'If-None-Match' },
  })
})
