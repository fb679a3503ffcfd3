import { writeFileSync } from 'node:fs'
import t from 'tap'
import { formatTime } from '../../../src/status/time.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { fileOf, serve } from '../../support/server.ts'
import { snapshotOf } from '../../support/snapshots.ts'

const DAY = 24 * 3600 * 1000

t.test('GET /badge: one look for a README', async (t) => {
  const server = await serve(t)
  const badge = async (query: string): Promise<string | undefined> => {
    const answer = await ask(`${server.url}/badge${query}`)
    t.match(answer, {
      status: 200,
      headers: { 'content-type': 'image/svg+xml; charset=utf-8', 'cache-control': 'no-cache' },
    })
    return /<title>([^<]+)<\/title>/.exec(answer.text)?.[1]
  }
  t.equal(await badge('?repo=rsyslog'), 'drift: unknown')
  await post(server.url, [
    snapshotOf({ server: 'fine' }),
    snapshotOf({ server: 'lab' }, ['a']),
    snapshotOf({ server: 'more' }, ['a', 'b']),
    snapshotOf({ server: 'old' }, ['a'], formatTime(Date.now() - DAY)),
    snapshotOf({ repo: 'nginx', server: 'fine' }),
    snapshotOf({ repo: 'nginx', server: 'old' }, [], formatTime(Date.now() - DAY)),
  ])
  t.equal(await badge('?repo=rsyslog&server=fine'), 'drift: in sync')
  t.equal(await badge('?repo=rsyslog&server=lab'), 'drift: 1 file')
  t.equal(await badge('?repo=rsyslog&server=old'), 'drift: stale')
  t.equal(await badge('?repo=rsyslog'), 'drift: 3 files', 'the worst of its servers; what is stale is not trusted')
  t.equal(await badge('?repo=nginx'), 'drift: stale')
  const failure = { check_failed: 'unreachable', attempted_at: formatTime(Date.now() + 2000) }
  await post(server.url, [
    { ...failure, repo: 'nginx', server: 'fine' },
    { ...failure, repo: 'squid', server: 'never', attempted_at: formatTime(Date.now() - DAY) },
  ])
  t.equal(await badge('?repo=nginx'), 'drift: check failing', 'though its last check found nothing')
  t.equal(await badge('?repo=squid'), 'drift: never checked')
  t.equal(await badge(''), 'drift: 3 files')
  t.equal(await badge('?repo=none'), 'drift: unknown')
  t.equal(await badge('?repo=%3Cscript%3E'), 'drift: unknown')
  t.equal((await ask(`${server.url}/badge?colour=red`)).status, 422)
  const { headers } = await ask(`${server.url}/badge?repo=nginx`)
  const again = await ask(`${server.url}/badge?repo=nginx`, { headers: { 'If-None-Match': String(headers.etag) } })
  t.equal(again.status, 304)
})

/** A target with two files that differ, and other differences. */
const other = (server: string, ...names: string[]) => ({
  ...snapshotOf({ server }, ['a.conf', 'b.conf', ...names]),
  files: [{ name: 'a.conf' }, { name: 'b.conf' }, ...names.map((name) => ({ name, kind: 'other' }))],
})

t.test('GET /badge: what differs in few words; a colour for each state, green only for in sync', async (t) => {
  const server = await serve(t)
  const look = async (query: string): Promise<(string | undefined)[]> => {
    const { text } = await ask(`${server.url}/badge${query}`)
    return [/<title>drift: ([^<]+)<\/title>/.exec(text)?.[1], ...(/(?<=fill=")#(?!555|fff|010101)\w+/.exec(text) ?? [])]
  }
  const old = formatTime(Date.now() - DAY)
  const now = formatTime(Date.now())
  await post(server.url, [
    other('two', 'service rsyslog'),
    other('many', '1', '2', '3'),
    other('long', 'x'.repeat(40)),
    other('markup', 'a <b>'),
    { ...snapshotOf({ server: 'one' }, ['a']), files: [{ name: 'x'.repeat(50), kind: 'other' }] },
    snapshotOf({ server: 'fine' }),
    snapshotOf({ server: 'old' }, [], old),
    snapshotOf({ server: 'accepted' }, ['a']),
    snapshotOf({ server: 'hidden' }, ['a']),
    { repo: 'rsyslog', server: 'fails', check_failed: 'unreachable', attempted_at: now },
    { repo: 'rsyslog', server: 'never', check_failed: 'unreachable', attempted_at: old },
  ])
  const document = fileOf(server)
  const accepted = [{ server: 'accepted', until: formatTime(Date.now() + DAY), reason: 'ticket 123' }]
  const statuses = document.statuses.map((status) =>
    status.server === 'hidden' ? { ...status, files: [{ name: 'a\u0001', kind: 'other' }] } : status,
  )
  writeFileSync(server.file, JSON.stringify({ ...document, accepted, statuses }))
  const RED = '#dd4343'
  await eventually(async () => matches(await look('?server=hidden'), ['1 difference', RED]))
  t.same(await look('?server=two'), ['2 files, service rsyslog', RED])
  t.same(await look('?server=many'), ['2 files, 3 other differences', RED])
  t.same(await look('?server=long'), ['3 differences', RED], 'a badge stays short')
  t.same(await look('?server=one'), ['1 difference', RED])
  t.same(await look('?server=markup'), ['2 files, a &lt;b&gt;', RED])
  t.same(await look('?server={two,fine}'), ['2 files, service rsyslog', RED], 'one that is drifted')
  t.same(await look('?server={two,long}'), ['6 differences', RED], 'several')
  t.same(await look('?server=fails'), ['check failing', '#ea7233'])
  t.same(await look('?server=never'), ['never checked', '#939393'])
  t.same(await look('?server=old'), ['stale', '#939393'])
  t.same(await look('?server=accepted'), ['accepted', '#007ec6'])
  t.same(await look('?server=fine'), ['in sync', '#4b0'])
  t.same(await look('?state=synced,stale'), ['stale', '#939393'], 'one that is stale is enough')
  t.same(await look('?label=env'), ['unknown', '#939393'])
})
