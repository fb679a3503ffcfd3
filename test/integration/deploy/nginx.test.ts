import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { directory } from '../../support/directory.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { Load, lostFrom } from '../../support/load.ts'
import { isRoot, needs, repetitions } from '../../support/machine.ts'
import { freePort } from '../../support/port.ts'
import { runServer } from '../../support/server.ts'
import { snapshotOf } from '../../support/snapshots.ts'

const ROOT = resolve(import.meta.dirname, '../../..')

t.test('a rolling update behind nginx under load: no request fails, no snapshot is lost', needs('nginx'), async (t) => {
  const [place, dataDir] = [directory(t), directory(t)]
  let current = await runServer(t, dataDir)
  const nginx = await proxy(t, place, [current.url])
  const load = new Load([{ url: nginx.url }], 16)
  const reads: number[] = []
  const reading = { going: true }
  const readers = (async () => {
    while (reading.going) reads.push((await ask(`${nginx.url}/status.json`)).status)
  })()
  for (let update = 0; update < repetitions(3); update += 1) {
    await load.acknowledge(100)
    // As Kubernetes does: the next one is ready, both are there, the old one is taken out, and then it is stopped.
    const next = await runServer(t, dataDir)
    await eventually(async () => matches((await ask(`${next.url}/readyz`)).status, 200))
    nginx.balance([current.url, next.url])
    await load.acknowledge(100)
    nginx.balance([next.url])
    await nginx.settled()
    current.child.kill('SIGTERM')
    t.equal(await current.ended, 0)
    current = next
  }
  await load.acknowledge(100)
  reading.going = false
  await readers
  await load.stop()
  t.same(load.refused, [])
  t.same(new Set(reads), new Set([200]))
  t.same(lostFrom(dataDir, load.acknowledged), [], `all of ${load.acknowledged.size} are there`)
})

t.test(
  'the readers without a server: nginx with the shipped configuration serves the page and the file alone',
  needs('nginx'),
  async (t) => {
    const place = directory(t)
    const dataDir = directory(t)
    const server = await runServer(t, dataDir)
    await post(server.url, snapshotOf({}, ['a']))
    const file = readFileSync(join(dataDir, 'status.json'))
    server.child.kill('SIGKILL')
    await server.ended
    const { url } = await startReaders(t, place, dataDir)
    const document = await ask(`${url}/status.json`)
    t.match(document, {
      status: 200,
      headers: {
        'cache-control': 'no-cache',
        'content-type': /^application\/json/,
        'access-control-allow-origin': '*',
      },
    })
    t.same(document.body, file)
    const index = await ask(`${url}/`)
    t.match(index, { status: 200, headers: { 'content-type': /^text\/html/, 'cache-control': 'no-cache' } })
    const [, asset] = /src="\.\/(assets\/[^"]+)"/.exec(index.text) ?? []
    t.match(await ask(`${url}/${asset}`), {
      status: 200,
      headers: { 'cache-control': /immutable/, 'content-type': /javascript/ },
    })
    for (const path of [
      '/status.copy.json',
      '/history.jsonl',
      '/.status.lock',
      '/assets/../status.copy.json',
      '/assets/',
    ]) {
      t.equal((await ask(url + path)).status, 404, path)
    }
  },
)

t.test(
  'the readers in the gap of a commit: a status.json that is missing for a moment is answered with the last one',
  needs('nginx'),
  async (t) => {
    const dataDir = directory(t)
    const file = join(dataDir, 'status.json')
    const commit = (generation: number): string => {
      // Large enough for gzip, and of the same size each time.
      const text = `${JSON.stringify({ generation, statuses: [], text: 'x'.repeat(100) })}\n`
      writeFileSync(`${file}.staged`, text)
      renameSync(`${file}.staged`, file)
      return text
    }
    const first = commit(1)
    const { url } = await startReaders(t, directory(t), dataDir)
    const gzipped = await ask(`${url}/status.json`, { headers: { 'accept-encoding': 'gzip' } })
    t.match(gzipped, { status: 200, headers: { 'content-encoding': 'gzip' } })
    const etag = String(gzipped.headers.etag)
    rmSync(file)
    const seen = new Set<string>()
    // Longer than nginx takes its copy for new.
    for (const end = Date.now() + 2500; Date.now() < end; await sleep(50)) {
      const { status, text } = await ask(`${url}/status.json`)
      seen.add(`${status} ${text}`)
    }
    t.same(seen, new Set([`200 ${first}`]))
    t.equal((await ask(`${url}/status.json?other`)).status, 200)
    t.equal((await ask(`${url}/status.json`, { headers: { 'if-none-match': etag } })).status, 304)
    const second = commit(2)
    await eventually(async () => matches((await ask(`${url}/status.json`)).text, second))
  },
)

/** nginx with the shipped configuration of the readers without a server. */
async function startReaders(t: Test, place: string, dataDir: string): Promise<{ url: string }> {
  const shipped = readFileSync(join(ROOT, 'deploy/kubernetes/overlays/static-readers/nginx.conf'), 'utf8')
  const config = shipped
    .replaceAll('/tmp/', `${place}/`)
    .replaceAll('/page;', `${join(ROOT, 'dist', 'page')};`)
    .replaceAll('/data;', `${dataDir};`)
    .replaceAll('127.0.0.1:8081;', `127.0.0.1:${await freePort()};`)
    .replace('listen 8080;', 'listen 127.0.0.1:PORT;')
  return startNginx(t, place, config)
}

async function startNginx(t: Test, place: string, config: string): Promise<{ url: string; pid: number | undefined }> {
  // nginx takes no free port by itself: one that was free a moment ago.
  const port = await freePort()
  const file = join(place, 'nginx.conf')
  // Started by root, it would read as somebody who may not read what the test has made.
  writeFileSync(file, `${isRoot ? 'user root;' : ''}${config.replaceAll('PORT', `${port}`)}`)
  const child = spawn('nginx', ['-e', 'stderr', '-c', file, '-g', 'daemon off;'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk) => (said += String(chunk)))
  t.teardown(() => child.kill('SIGTERM'))
  const url = `http://127.0.0.1:${port}`
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(said)
    await ask(url)
  })
  return { url, pid: child.pid }
}

/** nginx before some servers, which may be changed while it runs. */
async function proxy(
  t: Test,
  place: string,
  urls: readonly string[],
): Promise<{
  url: string
  balance: (urls: readonly string[]) => void
  settled: () => Promise<void>
}> {
  mkdirSync(join(place, 'upstream'))
  const upstream = join(place, 'upstream', 'servers.conf')
  const write = (to: readonly string[]): void =>
    writeFileSync(upstream, to.map((url) => `server ${new URL(url).host};`).join('\n'))
  write(urls)
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${place}/${name};`,
  )
  const { url, pid } = await startNginx(
    t,
    place,
    `worker_processes 1; pid ${place}/nginx.pid;
     events { worker_connections 1024; }
     http {
       access_log off; ${paths.join(' ')}
       upstream servers { include ${upstream}; }
       server { listen 127.0.0.1:PORT; location / { proxy_pass http://servers; } }
     }`,
  )
  return {
    url,
    balance: (to) => {
      write(to)
      if (pid !== undefined) process.kill(pid, 'SIGHUP')
    },
    // The old workers are gone, and with them whatever would still be sent to the old server.
    settled: async () => {
      await eventually(() => {
        const { stdout } = spawnSync('ps', ['--ppid', String(pid), '--no-headers', '-o', 'cmd'], { encoding: 'utf8' })
        if (/shutting down/.test(stdout) || stdout.trim().split('\n').length !== 1) throw new Error(stdout)
      })
    },
  }
}
