import { readFileSync } from 'node:fs'
import t from 'tap'
import { checked } from '../../support/api.ts'
import { post } from '../../support/http.ts'
import { fileOf, serve } from '../../support/server.ts'
import { snapshotOf } from '../../support/snapshots.ts'

t.test('GET /api/status: filters', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  const targets = ['a', 'b', 'c'].flatMap((repo) => ['x', 'y'].map((name) => ({ repo, server: name })))
  await post(
    server.url,
    targets.map((target) => snapshotOf(target)),
  )
  const listed = async (query: string): Promise<string> => {
    const { statuses } = (await http(`/api/status${query}`)).json as { statuses: { repo: string; server: string }[] }
    return statuses.map(({ repo, server }) => repo + server).join(' ')
  }
  t.equal(await listed(''), 'ax ay bx by cx cy')
  t.equal(await listed('?repo=a'), 'ax ay')
  t.equal(await listed('?server=x'), 'ax bx cx')
  t.equal(await listed('?repo=b&server=y'), 'by')
  t.equal(await listed('?repo=a&repo=c&server=x'), 'ax cx')
  t.equal(await listed('?repo=nobody'), '')
  t.equal(await listed('?repo=&server='), 'ax ay bx by cx cy', 'empty is not given')
  t.same((await http('/api/status')).body, readFileSync(server.file), 'all of it is the file')
  const { headers } = await http('/api/status?repo=a')
  t.equal((await http('/api/status?repo=a', { headers: { 'If-None-Match': headers.etag ?? '' } })).status, 304)

  t.match((await http('/api/status?repo=a&server=x', { method: 'DELETE' })).json, {
    removed: [{ repo: 'a', server: 'x' }],
  })
  t.equal(await listed(''), 'ay bx by cx cy')
  await http('/api/status?repo=b', { method: 'DELETE' })
  t.equal(await listed(''), 'ay cx cy')
  t.equal(fileOf(server).statuses.length, 3, 'also in the file')
})
