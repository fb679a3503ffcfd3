import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { formatTime } from '../../src/status/time.ts'
import { directory } from '../support/directory.ts'
import { ask, eventually, matches, post } from '../support/http.ts'
import { fileOf, run, serve } from '../support/server.ts'
import { snapshotOf } from '../support/snapshots.ts'
import { GRAFANA, bearer, guarded } from '../support/tokens.ts'

const IN = (seconds: number): string => formatTime(Date.now() + seconds * 1000)
const A = { repo: 'rsyslog', server: 'a' }

t.test('a mistyped property is kept, and the log and /readyz say so', async (t) => {
  const server = await serve(t)
  const warnings = async (): Promise<unknown> =>
    ((await ask(`${server.url}/readyz`)).json as { warnings: unknown }).warnings
  t.same(await warnings(), [])
  await post(server.url, { ...snapshotOf(A, [], IN(-5)), stale_aftr: 30 })
  await post(server.url, { ...snapshotOf(A, [], IN(-4)), stale_aftr: 30 })
  t.match(fileOf(server).statuses, [{ stale_aftr: 30 }])
  t.match(await warnings(), [{ pointer: '/statuses/0/stale_aftr', detail: 'is not known; did you mean stale_after?' }])
  const logged = (): object[] => server.lines.filter(({ msg }) => msg === 'property may be mistyped')
  t.match(logged(), [{ server: 'a', pointer: '/stale_aftr', level: 'warn' }], 'once, not for every post')
  writeFileSync(server.file, JSON.stringify({ ...fileOf(server), acepted: [] }))
  await eventually(() => matches(logged(), [{}, { pointer: '/acepted' }]))
  t.same(fileOf(server)['acepted'], [])
  t.match(await warnings(), [{ pointer: '/acepted' }, {}])
})

t.test('/readyz warns only those who may read', async (t) => {
  const server = await guarded(t, true)
  t.notOk('warnings' in ((await ask(`${server.url}/readyz`)).json as object))
  t.match(await ask(`${server.url}/readyz`, { headers: bearer(GRAFANA) }), { json: { warnings: [] } })
})

t.test('check warns with line and column, and the file is valid all the same', async (t) => {
  const path = join(directory(t), 'status.json')
  const document = {
    accepted: [
      { until: '2020-01-01T00:00:00Z', reason: 'long ago' },
      { until: IN(60), reason: 'no such server', server: 'nobody-*' },
      { until: IN(60), reason: 'good', server: '?' },
    ],
    statuses: [{ ...snapshotOf(A, [], IN(-5)), stale_aftr: 30 }],
  }
  writeFileSync(path, JSON.stringify(document, null, 2))
  const checked = run(t, ['check', path])
  t.equal(await checked.ended, 0)
  const lineOf = (text: string): number =>
    readFileSync(path, 'utf8')
      .split('\n')
      .findIndex((line) => line.includes(text)) + 1
  t.same(checked.stdout().trim().split('\n'), [
    `${path}:${lineOf('stale_aftr')}:21 /statuses/0/stale_aftr: warning: is not known; did you mean stale_after?`,
    `${path}:${lineOf('long ago') - 2}:5 /accepted/0: warning: ended at 2020-01-01T00:00:00Z and covers nothing`,
    `${path}:${lineOf('no such server') - 2}:5 /accepted/1: warning: matches no target in the document`,
  ])
})

t.test('what the server knows at the top is checked strictly, with line and column', async (t) => {
  const path = join(directory(t), 'status.json')
  const until = IN(60)
  const check = async (head: object): Promise<string> => {
    writeFileSync(path, JSON.stringify({ ...head, statuses: [] }, null, 1))
    const checked = run(t, ['check', path])
    t.equal(await checked.ended, 1, JSON.stringify(head))
    return checked.stdout().replaceAll(path, 'F')
  }
  t.match(
    await check({ accepted: [{ until, reason: 'x', servr: 'a' }] }),
    /^F:6:\d+ \/accepted\/0\/servr: is not known/,
  )
  t.match(await check({ accepted: [{ until: 'soon', reason: 'x' }] }), /^F:4:\d+ \/accepted\/0\/until: must be an ISO/)
  t.match(
    await check({ accepted: [{ until: IN(400 * 86_400), reason: 'x' }] }),
    /until: must not be more than one year/,
  )
  t.match(await check({ accepted: [{ until, from: until, reason: 'x' }] }), /from: must be earlier than until/)
  t.match(await check({ accepted: [{ until }] }), /reason: must be present/)
  t.match(await check({ accepted: { until, reason: 'x' } }), /accepted: must be array, not object/)
  t.match(await check({ accepted: Array.from({ length: 10_001 }, () => ({ until, reason: 'x' })) }), /10000 items/)
  t.match(await check({ expected: [{ repo: 'a', servers: ['b'], server: 'c' }] }), /expected\/0\/server: is not known/)
  t.match(await check({ expected: [{ repo: 'a', servers: 'b' }] }), /servers: must be array, not string/)
  t.match(await check({ expected: [{ repo: 'a', servers: ['b '] }] }), /servers\/0: must not contain .* blank/)
  t.match(await check({ expected: ['a'] }), /expected\/0: must be object, not string/)
  t.match(await check({ links: { a: { comit: 'https://x/{commit}' } } }), /links\/a\/comit: is not known/)
  t.match(
    await check({ links: { a: { commit: 'javascript:{commit}' } } }),
    /links\/a\/commit: must be an http or https/,
  )
  t.match(
    await check({ links: { a: { file: 'https://x/{path}' } } }),
    /links\/a\/file: must be an http or https address/,
  )
  t.match(await check({ links: ['a'] }), /links: must be object, not array/)
})
