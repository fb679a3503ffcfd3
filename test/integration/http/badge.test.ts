import t from 'tap'
import { formatTime } from '../../../src/status/time.ts'
import { ask, post } from '../../support/http.ts'
import { serve } from '../../support/server.ts'
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
