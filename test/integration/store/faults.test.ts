import { ok } from 'node:assert'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import writeFileAtomic from 'write-file-atomic'
import { Directory } from '../../../src/store/directory.ts'
import { directory, filesOf } from '../../support/directory.ts'
import { Disk, execute, tmpfs } from '../../support/disk.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { Load, lostFrom } from '../../support/load.ts'
import { MOUNTS, needs, repetitions } from '../../support/machine.ts'
import { fileOf, linesOf, run, runServer, serve } from '../../support/server.ts'
import { DRIFTED, snapshotOf } from '../../support/snapshots.ts'

t.test('write-file-atomic takes a short write for a whole one; a commit does not', needs(MOUNTS), async (t) => {
  const mount = tmpfs(t, '16k')
  const plain = join(mount, 'plain.json')
  writeFileSync(plain, '{"old": true}')
  await writeFileAtomic(plain, 'x'.repeat(20_010))
  t.ok((await stat(plain)).size < 20_010, 'reported as done, and truncated: the old content is gone')

  writeFileSync(plain, '')
  const file = join(mount, 'status.json')
  const store = new Directory(mount, filesOf('local'))
  writeFileSync(file, '{"old": true}')
  await t.rejects(store.stage(Buffer.alloc(20_010, 'x'), await store.readStatus()), /volume is full/)
  t.equal(readFileSync(file, 'utf8'), '{"old": true}')
  t.same(readdirSync(mount).toSorted(), ['plain.json', 'status.json'], 'and nothing is left lying about')
})

t.test(
  'full disk: 507, nothing changed, readers go on, and so does the server once there is room',
  needs(MOUNTS),
  async (t) => {
    const mount = tmpfs(t, '64k')
    const server = await serve(t, mount)
    await post(server.url, DRIFTED)
    let before = readFileSync(server.file)
    let refused = await post(server.url, snapshotOf({ server: 's0' }))
    for (let index = 1; refused.status < 300; index += 1) {
      before = readFileSync(server.file)
      refused = await post(server.url, { ...snapshotOf({ server: `s${index}` }), note: 'x'.repeat(2000) })
    }
    t.match(refused, { status: 507, headers: { 'retry-after': /\d/ }, json: { type: /volume-full$/, detail: /full/ } })
    t.same(readFileSync(server.file), before)
    t.same((await ask(`${server.url}/status.json`)).body, before)
    t.match(await ask(`${server.url}/readyz`), {
      status: 503,
      json: { ready: false, problems: [{ kind: 'volume-full' }] },
    })
    t.same(
      readdirSync(mount).filter((name) => name.startsWith('.status.commit.')),
      [],
      'no leftovers eat what is left',
    )

    execute('mount', '-o', 'remount,size=1m', mount)
    await eventually(async () => matches(await ask(`${server.url}/readyz`), { status: 200, json: { ready: true } }))
    t.equal((await post(server.url, snapshotOf({ server: 'after' }))).status, 201)
  },
)

t.test('full disk: an old answer never looks fresh', needs(MOUNTS), async (t) => {
  const mount = tmpfs(t, '64k')
  const server = await serve(t, mount, { staleAfter: 4 })
  await post(server.url, snapshotOf({}))
  await eventually(async () => {
    // Again and again: what a commit has displaced is held open for a while, and makes room when it is let go.
    fill(join(mount, 'ballast'))
    matches((await ask(`${server.url}/status.json`)).json, { statuses: [{ stale: true }] })
    matches((await ask(`${server.url}/api/status`)).json, { statuses: [{ stale: true }] })
  })
  t.match(fileOf(server), { statuses: [{ stale: false }] }, 'though it cannot be written')
  truncateSync(join(mount, 'ballast'), 0)
  await eventually(() => matches(fileOf(server), { statuses: [{ stale: true }] }))
})

t.test(
  'full disk: a valid edit is live all the same, and is committed once there is room',
  needs(MOUNTS),
  async (t) => {
    const mount = tmpfs(t, '64k')
    const server = await serve(t, mount)
    await post(server.url, DRIFTED)
    const text = readFileSync(server.file, 'utf8').replace('"sync_status"', '"note": "no room", "sync_status"')
    fill(join(mount, 'ballast'))
    const handle = await open(server.file, 'r+')
    await handle.write(text, 0)
    await handle.truncate(Buffer.byteLength(text))
    await handle.close()
    await eventually(async () => {
      // In the present generation: nothing was committed.
      matches((await ask(`${server.url}/status.json`)).json, { generation: 2, statuses: [{ note: 'no room' }] })
      matches(await ask(`${server.url}/readyz`), { status: 503 })
    })
    // Not only once: for as long as the server tries again.
    const until = performance.now() + 4500
    while (performance.now() < until) {
      const { json } = await ask(`${server.url}/status.json`)
      matches(json, { statuses: [{ note: 'no room' }] })
      await eventually(() => fill(join(mount, 'ballast')))
    }
    truncateSync(join(mount, 'ballast'), 0)
    await eventually(() => matches(fileOf(server), { generation: 3, statuses: [{ note: 'no room', generation: 3 }] }))
  },
)

t.test(
  'read-only volume: 503, readers go on, and so does the server once it can be written',
  needs(MOUNTS),
  async (t) => {
    const mount = tmpfs(t, '1m')
    const server = await serve(t, mount)
    await post(server.url, DRIFTED)
    const before = readFileSync(server.file)
    // While displaced files are held open, the kernel does not let it become read-only.
    await eventually(() => execute('mount', '-o', 'remount,ro', mount))
    t.match(await post(server.url, snapshotOf({ server: 'next' })), { status: 503, json: { detail: /EROFS/ } })
    t.same((await ask(`${server.url}/status.json`)).body, before)
    t.match(await ask(`${server.url}/readyz`), {
      status: 503,
      json: { problems: [{ kind: 'unavailable', detail: /EROFS/ }] },
    })
    execute('mount', '-o', 'remount,rw', mount)
    await eventually(async () => matches(await ask(`${server.url}/readyz`), { status: 200 }))
    t.equal((await post(server.url, snapshotOf({ server: 'next' }))).status, 201)
  },
)

t.test('full disk: told for as long as it is, also if nobody posts', needs(MOUNTS), async (t) => {
  const mount = tmpfs(t, '64k')
  const server = await serve(t, mount)
  await post(server.url, DRIFTED)
  const since = Date.now()
  // It comes to rest: no displaced file is held open any more, which would make room later.
  await eventually(() => ok(Date.now() - since > 2500))
  fill(join(mount, 'ballast'))
  t.equal((await post(server.url, snapshotOf({ server: 'next' }))).status, 507)
  await eventually(() => ok(Date.now() - since > 5500))
  t.match(await ask(`${server.url}/readyz`), { status: 503, json: { problems: [{ kind: 'volume-full' }] } })
  t.notOk(server.lines.some(({ msg }) => msg === 'writes work again'))
  truncateSync(join(mount, 'ballast'), 0)
  await eventually(async () => matches(await ask(`${server.url}/readyz`), { status: 200 }))
  t.pass('and no longer')
})

t.test('read-only volume: told for as long as it is, also if nobody posts', needs(MOUNTS), async (t) => {
  const mount = tmpfs(t, '1m')
  const server = await serve(t, mount)
  await post(server.url, DRIFTED)
  const since = Date.now()
  // It comes to rest: the file is known, and nothing has to be done.
  await eventually(() => ok(Date.now() - since > 2500))
  execute('mount', '-o', 'remount,ro', mount)
  t.equal((await post(server.url, snapshotOf({ server: 'next' }))).status, 503)
  await eventually(() => ok(Date.now() - since > 5500))
  t.match(await ask(`${server.url}/readyz`), { status: 503, json: { problems: [{ kind: 'unavailable' }] } })
  t.notOk(server.lines.some(({ msg }) => msg === 'writes work again'))
  execute('mount', '-o', 'remount,rw', mount)
  await eventually(async () => matches(await ask(`${server.url}/readyz`), { status: 200 }))
  t.pass('and no longer')
})

t.test(
  'start on a full or a read-only volume: what is there is served, and commits go on when they can',
  needs(MOUNTS),
  async (t) => {
    const mount = tmpfs(t, '64k')
    const first = await serve(t, mount)
    await post(first.url, DRIFTED)
    await first.stop()
    const text = readFileSync(first.file)

    fill(join(mount, 'ballast'))
    const full = await serve(t, mount)
    t.same((await ask(`${full.url}/status.json`)).body, text)
    t.match(await ask(`${full.url}/readyz`), { status: 503, json: { problems: [{ kind: 'volume-full' }] } })
    t.equal((await post(full.url, snapshotOf({ server: 'next' }))).status, 507)
    truncateSync(join(mount, 'ballast'), 0)
    await eventually(async () => matches(await ask(`${full.url}/readyz`), { status: 200 }))
    t.equal((await post(full.url, snapshotOf({ server: 'next' }))).status, 201)
    t.equal(fileOf(full).statuses.length, 2)
    await full.stop()

    fill(join(mount, 'ballast'))
    const kept = readFileSync(full.file)
    truncateSync(full.file, 0)
    const broken = await serve(t, mount)
    t.match(
      (await ask(`${broken.url}/status.json`)).json,
      { statuses: [{ server: 'next' }, DRIFTED] },
      'from the record',
    )
    await broken.stop()
    truncateSync(join(mount, 'ballast'), 0)
    writeFileSync(full.file, kept)

    await eventually(() => execute('mount', '-o', 'remount,ro', mount))
    const readOnly = await serve(t, mount)
    t.same((await ask(`${readOnly.url}/status.json`)).body, readFileSync(full.file))
    t.match(await post(readOnly.url, snapshotOf({ server: 'third' })), { status: 503, json: { detail: /EROFS/ } })
    execute('mount', '-o', 'remount,rw', mount)
    await eventually(async () => matches(await ask(`${readOnly.url}/readyz`), { status: 200 }))
    t.equal((await post(readOnly.url, snapshotOf({ server: 'third' }))).status, 201)
    t.equal(fileOf(readOnly).statuses.length, 3)
  },
)

t.test(
  'input/output errors: 503, readers go on, and so does the server on the next volume',
  needs(MOUNTS, 'mkfs.xfs', 'xfs_io'),
  async (t) => {
    const disk = new Disk(t, 'xfs')
    const server = await serve(t, disk.mountPoint)
    await post(server.url, DRIFTED)
    const before = (await ask(`${server.url}/status.json`)).body
    disk.cut()
    t.match(await post(server.url, snapshotOf({ server: 'next' })), { status: 503, json: { detail: /EIO/ } })
    t.same((await ask(`${server.url}/status.json`)).body, before)
    t.match(await ask(`${server.url}/readyz`), { status: 503, json: { problems: [{ detail: /EIO/ }] } })
    await disk.replug()
    await eventually(async () => matches(await ask(`${server.url}/readyz`), { status: 200 }))
    t.equal((await post(server.url, snapshotOf({ server: 'next' }))).status, 201)
    t.same(
      fileOf(server).statuses.map(({ server: name }) => name),
      ['next', 'rsyslog-lab'],
    )
  },
)

for (const kind of ['xfs', 'ext4'] as const) {
  t.test(
    `power cut on ${kind}, again and again: every acknowledged snapshot is there`,
    needs(MOUNTS, `mkfs.${kind}`, 'xfs_io'),
    async (t) => {
      const disk = new Disk(t, kind)
      const acknowledged = new Map<string, string>()
      for (let cut = 0; cut < repetitions(7); cut += 1) {
        const server = await runServer(t, disk.mountPoint)
        const load = new Load([server], 8)
        await load.acknowledge(30 + Math.floor(Math.random() * 60))
        disk.cut()
        server.child.kill('SIGKILL')
        await server.ended
        await load.stop()
        await disk.replug()
        for (const [name, mark] of load.acknowledged) acknowledged.set(name, mark)
        t.same(lostFrom(disk.mountPoint, acknowledged), [], `cut ${cut}: all of ${acknowledged.size} are there`)
      }
    },
  )
}

t.test('a file that is a mount of its own, or a link, is refused at the start, with the remedy', async (t) => {
  const linked = directory(t, { elsewhere: '{"statuses":[]}' })
  symlinkSync('elsewhere', join(linked, 'status.json'))
  const link = run(t, ['--port', '0', '--data-dir', linked])
  t.equal(await link.ended, 1)
  t.match(linesOf(link).at(-1), { detail: /symbolic link; put the file itself into the data directory/ })

  await t.test('a mount', needs(MOUNTS), async (t) => {
    const mounted = directory(t, { elsewhere: '{"statuses":[]}', 'status.json': '' })
    execute('mount', '--bind', join(mounted, 'elsewhere'), join(mounted, 'status.json'))
    t.teardown(() => spawnSync('umount', ['-l', join(mounted, 'status.json')]))
    const bound = run(t, ['--port', '0', '--data-dir', mounted])
    t.equal(await bound.ended, 1)
    t.match(linesOf(bound).at(-1), { detail: /mount of its own.*mount the directory instead/ })
  })
})

t.test('a file system that cannot exchange two names, and tells of no events', needs(MOUNTS, 'bindfs'), async (t) => {
  const place = directory(t)
  const [behind, mount] = [join(place, 'behind'), join(place, 'mount')]
  for (const path of [behind, mount]) mkdirSync(path)
  execute('bindfs', behind, mount)
  t.teardown(() => spawnSync('umount', ['-l', mount]))
  const server = await serve(t, mount)
  t.match(
    server.lines.find(({ msg }) => msg === 'started'),
    { volume: { fileSystem: 'fuse', exchange: false, edits: 'polling' } },
  )
  t.ok(
    server.lines.some(({ limits }) =>
      /finds them within 2 seconds.*status.json is missing for a moment/s.test(String(limits)),
    ),
    'the log says what the volume cannot do',
  )
  t.match((await ask(`${server.url}/readyz`)).json, {
    ready: true,
    volume: { file_system: 'fuse', limits: [/finds them within 2 seconds/, /status.json is missing for a moment/] },
  })
  t.equal((await post(server.url, DRIFTED)).status, 201)
  t.equal((await post(server.url, snapshotOf({ server: 'next' }))).status, 201)
  const text = readFileSync(server.file, 'utf8').replace('"statuses"', '"note": "behind its back",\n  "statuses"')
  writeFileSync(join(behind, 'new'), text)
  renameSync(join(behind, 'new'), join(behind, 'status.json'))
  await eventually(() => matches(fileOf(server), { note: 'behind its back', generation: 4 }))
})

function fill(path: string): void {
  try {
    writeFileSync(path, Buffer.alloc(1024 * 1024), { flag: 'a' })
  } catch {
    // As full as it gets.
  }
}
