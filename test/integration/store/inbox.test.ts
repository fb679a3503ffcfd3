import { deepStrictEqual, ok } from 'node:assert'
import { readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { digestOf } from '../../../src/store/durable-file.ts'
import { beforeCalls } from '../../support/calls.ts'
import { directory } from '../../support/directory.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { type Server, fileOf, linesOf, runServer, serve } from '../../support/server.ts'
import { DRIFTED, snapshotOf } from '../../support/snapshots.ts'

const rejectedIn = (dataDir: string): string[] =>
  readdirSync(dataDir).filter((name) => name.startsWith('status.rejected-'))

const leftIn = (dataDir: string): string[] => readdirSync(dataDir).filter((name) => name.startsWith('.status.commit.'))

/** Saves a text after the next commit has read `status.json`, and before it displaces it. */
function saveDuringCommit(t: Test, { dataDir, file }: Server, text: string): void {
  let isSaved = false
  // The record's line is written in between.
  beforeCalls(t, 'open', (path) => {
    if (isSaved || !path.startsWith(join(dataDir, 'status.record-'))) return
    isSaved = true
    writeFileSync(join(dataDir, '.swp'), text)
    renameSync(join(dataDir, '.swp'), file)
  })
}

t.test('a valid text that is saved while a commit is under way is merged after it', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const text = readFileSync(server.file, 'utf8').replace('"statuses"', '"note": "in between",\n  "statuses"')
  saveDuringCommit(t, server, text)
  t.equal((await post(server.url, snapshotOf({ server: 'next' }))).status, 201)
  await eventually(() => matches(fileOf(server), { note: 'in between', generation: 4 }))
  t.equal(fileOf(server).statuses.length, 2)
  t.same(rejectedIn(server.dataDir), [])
})

t.test('an invalid text that is saved while a commit is under way is set aside, byte for byte', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  saveDuringCommit(t, server, '{"statuses": "in between"}')
  t.equal((await post(server.url, snapshotOf({ server: 'next' }))).status, 201)
  const aside = await eventually(() => {
    const [name] = rejectedIn(server.dataDir)
    ok(name)
    return name
  })
  t.equal(readFileSync(join(server.dataDir, aside), 'utf8'), '{"statuses": "in between"}')
  await eventually(async () =>
    matches((await ask(`${server.url}/readyz`)).json, { problems: [{ kind: 'rejected-edit', file: aside }] }),
  )
  t.equal(fileOf(server).statuses.length, 2)
})

t.test('an editor writes slowly into a file that a commit has displaced: merged once it is whole', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const text = readFileSync(server.file, 'utf8').replace('"statuses"', '"note": "slow",\n  "statuses"')
  const editor = await open(server.file, 'r+')
  t.teardown(async () => editor.close())
  await post(server.url, snapshotOf({ server: 'next' }))
  await editor.truncate(0)
  await editor.write(text.slice(0, 100), 0)
  // A displaced file is looked at again after a second. Rounds see it change until two more have passed.
  const { ctimeMs } = statSync(server.file)
  await eventually(async () => {
    await editor.write(' ', 100)
    matches((await post(server.url, snapshotOf({ server: 'during' }, [String(Math.random())]))).status, /^20[01]$/)
    ok(Date.now() - ctimeMs > 3000)
  })
  await editor.write(text, 0)
  await eventually(() => matches(fileOf(server), { note: 'slow' }))
  t.same(rejectedIn(server.dataDir), [])
})

t.test(
  'an editor writes slowly in place: a request waits for it, and the text is merged once it is whole',
  async (t) => {
    const server = await serve(t)
    await post(server.url, DRIFTED)
    const text = readFileSync(server.file, 'utf8').replace('"statuses"', '"note": "slow",\n  "statuses"')
    const editor = await open(server.file, 'r+')
    t.teardown(async () => editor.close())
    await editor.truncate(0)
    await editor.write(text.slice(0, 100), 0)
    const since = Date.now()
    let isAnswered = false
    const answer = post(server.url, snapshotOf({ server: 'next' })).finally(() => (isAnswered = true))
    // Much longer than a text that does not change would be waited for.
    await eventually(async () => {
      await editor.write(' ', 100)
      ok(Date.now() - since > 2000)
    })
    t.notOk(isAnswered)
    t.match((await ask(`${server.url}/readyz`)).json, { ready: true, problems: [] })
    await editor.write(text, 0)
    t.equal((await answer).status, 201)
    t.match(fileOf(server), { generation: 3, note: 'slow', statuses: [{ server: 'next' }, { server: 'rsyslog-lab' }] })
    t.same(rejectedIn(server.dataDir), [])
  },
)

t.test('a text that is no JSON, and does not change any more, is not waited for', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  writeFileSync(server.file, '{"statuses": [')
  t.equal((await post(server.url, snapshotOf({ server: 'next' }))).status, 201)
  const aside = await eventually(() => {
    const [name] = rejectedIn(server.dataDir)
    ok(name)
    return name
  })
  t.equal(readFileSync(join(server.dataDir, aside), 'utf8'), '{"statuses": [')
  t.equal(fileOf(server).statuses.length, 2)
})

t.test('status.json is being written for longer than a request may wait: 503 with the reason, then 201', async (t) => {
  const server = await serve(t)
  await post(server.url, DRIFTED)
  const text = readFileSync(server.file, 'utf8').replace('"statuses"', '"note": "in the end",\n  "statuses"')
  const editor = await open(server.file, 'r+')
  t.teardown(async () => editor.close())
  await editor.truncate(0)
  const answer = post(server.url, snapshotOf({ server: 'waiting' }))
  let isAnswered = false
  void answer.finally(() => (isAnswered = true))
  await eventually(async () => {
    await editor.write(' ')
    ok(isAnswered)
  })
  t.match(await answer, { status: 503, headers: { 'retry-after': /\d/ }, json: { detail: /is being written/ } })
  t.equal((await ask(`${server.url}/readyz`)).status, 200, 'nothing is wrong with the volume')
  await editor.truncate(0)
  await editor.write(text, 0)
  await eventually(() => matches(fileOf(server), { note: 'in the end', generation: 3 }))
  t.equal((await post(server.url, snapshotOf({ server: 'waiting' }))).status, 201)
  t.same(rejectedIn(server.dataDir), [])
})

t.test('start: what a killed server has displaced and merged is not merged again', async (t) => {
  const dataDir = directory(t)
  const file = join(dataDir, 'status.json')
  const killed = await runServer(t, dataDir)
  await post(killed.url, [DRIFTED, snapshotOf({ server: 'removed' })])
  const older = readFileSync(file)
  await ask(`${killed.url}/api/status?server=removed`, { method: 'DELETE' })
  const edit = readFileSync(file, 'utf8').replace('"statuses"', '"title": "first",\n  "statuses"')
  writeFileSync(file, edit)
  await eventually(() => matches(fileOf({ file }), { title: 'first', generation: 4 }))
  writeFileSync(file, readFileSync(file, 'utf8').replace('"first"', '"second"'))
  await eventually(() => matches(fileOf({ file }), { title: 'second', generation: 5 }))
  killed.child.kill('SIGKILL')
  await killed.ended
  const before = readFileSync(file)
  // As if it had been killed right after each exchange: under these names it had both displaced texts then.
  for (const displaced of [older, Buffer.from(edit)]) {
    writeFileSync(join(dataDir, `.status.commit.${digestOf(displaced)}.${digestOf(before)}`), displaced)
  }
  const again = await runServer(t, dataDir)
  // Whatever it finds comes before the first commit that it is asked for.
  t.equal((await post(again.url, snapshotOf({ server: 'next' }))).status, 201)
  t.match(fileOf({ file }), { title: 'second' }, 'an older edit does not undo a later one')
  t.same(
    fileOf({ file }).statuses.map(({ server }) => server),
    ['next', 'rsyslog-lab'],
    'an older generation is not restored',
  )
  await eventually(() => deepStrictEqual(leftIn(dataDir), []))
  t.same(
    linesOf(again).filter(({ msg }) => /edit merged|restored/.test(msg)),
    [],
  )
})

t.test('start: what was displaced where names cannot be exchanged is found under its other name, too', async (t) => {
  const dataDir = directory(t)
  const once = await serve(t, dataDir)
  await post(once.url, DRIFTED)
  await once.stop()
  const text = readFileSync(once.file)
  const unread = text.toString().replace('"statuses"', '"note": "unread",\n  "statuses"')
  // The text that was displaced may be another than the one that was read.
  writeFileSync(join(dataDir, `.status.commit.${digestOf(text)}.${digestOf(Buffer.from('x'))}.kept`), unread)
  const again = await serve(t, dataDir)
  await eventually(() => matches(fileOf(again), { note: 'unread' }))
  await eventually(() => deepStrictEqual(leftIn(dataDir), []))
})
