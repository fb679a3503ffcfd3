import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { directory } from '../../support/directory.ts'
import { WITHOUT_DISKS } from '../../support/disk.ts'
import { ask, eventually, matches, post, sameBytes } from '../../support/http.ts'
import { Load, lostFrom } from '../../support/load.ts'
import { PID_NAMESPACES, needs, repetitions } from '../../support/machine.ts'
import { type Program, fileOf, linesOf, runServer } from '../../support/server.ts'
import { snapshotOf } from '../../support/snapshots.ts'

const EDITS = repetitions(400)
const KILLS = repetitions(4)

t.test(`an edit saved by rename at the moment of a commit: none of ${EDITS} is lost`, async (t) => {
  await raceEdits(t, (file, text) => {
    writeFileSync(`${file}.swp`, text)
    renameSync(`${file}.swp`, file)
  })
})

t.test(`an edit saved in place at the moment of a commit: none of ${EDITS} is lost`, async (t) => {
  await raceEdits(t, (file, text) => writeFileSync(file, text))
})

/** Adds a target by hand again and again, each time to the file as it then is, while snapshots keep coming: it is whole each time. */
async function raceEdits(t: Test, save: (file: string, text: string) => void): Promise<void> {
  const dataDir = directory(t)
  const server = await runServer(t, dataDir)
  const file = join(dataDir, 'status.json')
  const load = new Load([server], 4)
  for (let edit = 0; edit < EDITS; edit += 1) {
    const document = JSON.parse(readFileSync(file, 'utf8')) as { statuses: unknown[] }
    document.statuses.push(snapshotOf({ repo: 'edits', server: `e${edit}` }))
    save(file, JSON.stringify(document))
    // Now and then at once, now and then after a commit or two.
    await new Promise((resolve) => {
      setTimeout(resolve, Math.random() * 8)
    })
  }
  await load.stop()
  await eventually(() => {
    const there = new Set(fileOf({ file }).statuses.flatMap(({ repo, server }) => (repo === 'edits' ? server : [])))
    const lost = Array.from({ length: EDITS }, (_, edit) => `e${edit}`).filter((name) => !there.has(name))
    if (lost.length > 0) throw new Error(`${lost.length} edits are missing: ${lost.slice(0, 20).join(', ')}`)
  }, 30_000)
  t.same(lostFrom(dataDir, load.acknowledged), [], `nor any of ${load.acknowledged.size} acknowledged snapshots`)
  t.same(
    readdirSync(dataDir).filter((name) => name.startsWith('status.rejected-')),
    [],
    'and no text was rejected',
  )
  const commits = linesOf(server).filter(({ msg }) => msg === 'document written').length
  // One commit merges all edits that wait, so there may be few on a busy machine.
  t.ok(commits > EDITS / 50, `${commits} commits in between`)
}

for (const namespaces of ['one PID namespace', 'two PID namespaces']) {
  const apart = namespaces.startsWith('two')
  t.test(
    `two servers on one directory in ${namespaces}, one killed again and again: nothing acknowledged is lost`,
    apart ? needs(PID_NAMESPACES) : {},
    async (t) => {
      const wrap = apart ? ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', ...WITHOUT_DISKS] : []
      const dataDir = directory(t)
      const file = join(dataDir, 'status.json')
      const steady = await runServer(t, dataDir, {}, wrap)
      let victim = await runServer(t, dataDir, {}, wrap)
      const load = new Load([steady, victim], 32)
      for (let kills = 0; kills < KILLS; kills += 1) {
        await load.acknowledge(150)
        kill(victim, apart)
        await victim.ended
        victim = await runServer(t, dataDir, {}, wrap)
        load.replace(1, victim)
      }
      await load.stop()
      t.same(lostFrom(dataDir, load.acknowledged), [], `all of ${load.acknowledged.size} are there`)
      await eventually(async () => {
        const [one, other] = await Promise.all([ask(`${steady.url}/status.json`), ask(`${victim.url}/status.json`)])
        sameBytes(one.body, other.body)
        sameBytes(one.body, readFileSync(file))
      }, 2000)
      t.pass('and both serve the same bytes within 2 seconds')
      const left = readdirSync(dataDir).filter((name) => name.startsWith('.status.commit.'))
      t.same(left, [], 'no temporary file is left')
    },
  )
}

t.test('another holds the lock and does not move: 503 with Retry-After, not a wait without end', async (t) => {
  const dataDir = directory(t)
  const server = await runServer(t, dataDir)
  const script = `import { open } from 'node:fs/promises'; import { tryLock } from 'fs-native-extensions'
    const handle = await open(${JSON.stringify(join(dataDir, '.status.lock'))}, 'a')
    while (!tryLock(handle.fd)) await new Promise((resolve) => setTimeout(resolve, 1))
    console.log('held'); setInterval(() => handle, 1000)`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => holder.kill('SIGKILL'))
  await once(holder.stdout, 'data')
  holder.kill('SIGSTOP')

  const before = (await ask(`${server.url}/status.json`)).text
  const started = Date.now()
  const refused = await post(server.url, snapshotOf({}))
  t.match(refused, {
    status: 503,
    headers: { 'retry-after': /^\d+$/ },
    json: { detail: /another server holds the lock/ },
  })
  t.ok(Date.now() - started < 9000, `refused after ${Date.now() - started} ms`)
  t.equal((await ask(`${server.url}/status.json`)).text, before, 'readers do not wait')
  t.match(await ask(`${server.url}/readyz`), { status: 503, json: { problems: [{ detail: /holds the lock/ }] } })

  holder.kill('SIGKILL')
  await eventually(async () => matches(await ask(`${server.url}/readyz`), { status: 200 }))
  t.equal((await post(server.url, snapshotOf({}))).status, 201, 'a lock dies with its process')
})

/** In a namespace the server is the child of `unshare`, which takes it along. */
function kill({ child }: Program, wrapped: boolean): void {
  if (wrapped) spawnSync('pkill', ['-KILL', '-P', String(child.pid)])
  child.kill('SIGKILL')
}
