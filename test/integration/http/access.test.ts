import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { directory } from '../../support/directory.ts'
import { type Answer, ask, eventually, matches, post, raw } from '../../support/http.ts'
import { fileOf, serve } from '../../support/server.ts'
import { snapshotOf } from '../../support/snapshots.ts'
import { CI, ADMIN, GRAFANA, OLD, writeTokens, bearer, basic, guarded } from '../../support/tokens.ts'

t.test('a write without a token is 401, outside its scope 403, and changes nothing', async (t) => {
  const server = await guarded(t)
  const before = (await ask(`${server.url}/status.json`)).text
  const refused = await post(server.url, snapshotOf({}))
  t.match(refused, {
    status: 401,
    headers: { 'www-authenticate': 'Bearer realm="gitops-status-server"', 'content-type': 'application/problem+json' },
    json: { type: 'urn:gitops-status-server:problem:unauthorized' },
  })
  const cases: [what: string, headers: Record<string, string>][] = [
    ['an unknown token', { Authorization: 'Bearer gss_unknown' }],
    ['an expired token', bearer(OLD)],
    ['the name in place of the secret', { Authorization: 'Bearer admin' }],
    ['the hash in place of the secret', { Authorization: `Bearer ${ADMIN.token.sha256}` }],
    ['an empty token', { Authorization: 'Bearer ' }],
    ['a password, which a browser would send by itself', basic(ADMIN)],
    ['garbage', { Authorization: '\u00ff\u00fe' }],
  ]
  for (const [what, headers] of cases) {
    t.match(
      await post(server.url, snapshotOf({}), { headers }),
      { status: 401, headers: { 'www-authenticate': /^Bearer .*error="invalid_token"$/ } },
      what,
    )
  }
  t.match(await post(server.url, snapshotOf({ repo: 'nginx' }), { headers: bearer(CI) }), {
    status: 403,
    headers: { 'www-authenticate': /error="insufficient_scope"/ },
    json: { errors: [{ pointer: '', detail: /"rsyslog-lab" of "nginx"/ }] },
  })
  const mixed = [snapshotOf({}), snapshotOf({ repo: 'infra/dns', server: 'web-10' }), snapshotOf({ repo: 'x' })]
  const outside = await post(server.url, mixed, { headers: bearer(CI) })
  t.equal(outside.status, 403)
  t.same(
    (outside.json as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer),
    ['/1', '/2'],
  )
  t.equal((await post(server.url, snapshotOf({}), { headers: bearer(GRAFANA) })).status, 403)
  t.equal((await ask(`${server.url}/status.json`)).text, before, 'all or none')

  const inside = [snapshotOf({}), snapshotOf({ repo: 'infra/dns', server: 'web-1' })]
  t.equal((await post(server.url, inside, { headers: bearer(CI) })).status, 201)
  const remove = async (query: string, headers: Record<string, string>): Promise<Answer> =>
    ask(`${server.url}/api/status?${query}`, { method: 'DELETE', headers })
  t.equal((await remove('repo=rsyslog', {})).status, 401)
  t.equal((await remove('repo=rsyslog', bearer(CI))).status, 403, 'writing is not removing')
  t.equal((await remove('repo=rsyslog', basic(ADMIN))).status, 401)
  t.equal(fileOf(server).statuses.length, 2)
  t.equal((await remove('repo=rsyslog', bearer(ADMIN))).status, 200)
  t.equal(fileOf(server).statuses.length, 1)
})

t.test('PROTECT_READS: nothing but the probes can be read without a token, whatever route there is', async (t) => {
  const server = await guarded(t, true)
  const named = (tokens: { secret: string }): Promise<Answer> =>
    ask(`${server.url}/openapi.json`, { headers: bearer(tokens) })
  const { paths } = (await named(GRAFANA)).json as { paths: Record<string, Record<string, unknown>> }
  const index = await ask(`${server.url}/`, { headers: basic(GRAFANA) })
  const assets = [...index.text.matchAll(/"\.(\/assets\/[^"]+)"/g)].map(([, path]) => path ?? '')
  t.ok(assets.length >= 3)
  const readable = [...Object.keys(paths).filter((path) => paths[path]?.['get'] !== undefined), ...assets]
  t.ok(readable.length > 10)
  let asked = server
  for (const [number, path] of readable.entries()) {
    // An address may be refused 30 times a minute.
    if (number % 10 === 9) asked = await guarded(t, true)
    const probe = ['/healthz', '/readyz'].includes(path)
    for (const method of ['GET', 'HEAD']) {
      const { status, headers } = await ask(asked.url + path, { method })
      t.equal(status, probe ? 200 : 401, `${method} ${path}`)
      if (!probe) t.match(headers['www-authenticate'], /^Bearer .+, Basic realm="gitops-status-server"/)
    }
    t.equal((await ask(asked.url + path, { headers: bearer(GRAFANA) })).status, 200, `bearer: ${path}`)
    t.equal((await ask(asked.url + path, { headers: basic(GRAFANA) })).status, 200, `basic: ${path}`)
    t.equal((await ask(asked.url + path, { headers: bearer(CI) })).status, probe ? 200 : 403, `not to read: ${path}`)
  }
  t.equal((await ask(`${server.url}/nothing`)).status, 401, 'not even what there is not')

  await post(server.url, snapshotOf({ repo: 'secret-repository' }), { headers: bearer(ADMIN) })
  writeFileSync(server.file, '{ "secret-in-an-edit": 1 }')
  await eventually(async () =>
    matches((await ask(`${server.url}/readyz`)).json, { problems: [{ kind: 'rejected-edit' }] }),
  )
  const probed = await ask(`${server.url}/readyz`)
  t.notMatch(probed.text, /secret|statuses|pointer|volume/, 'a probe is told that something is wrong, not what')
  t.match(await ask(`${server.url}/readyz`, { headers: basic(GRAFANA) }), { text: /\/statuses.*"volume"/ })
})

t.test('PROTECT_READS: /status.json is refused as every other path is, and the log says whom', async (t) => {
  const tokensFile = join(directory(t), 'tokens.json')
  writeTokens(tokensFile, [CI, GRAFANA])
  const server = await serve(t, directory(t), { tokensFile, protectReads: true, trustProxy: ['loopback'] })
  const refusals = async (path: string, client: string): Promise<object[]> => {
    const answers: object[] = []
    const get = async (headers: Record<string, string>): Promise<void> => {
      const sent = { 'X-Forwarded-For': client, 'X-Request-Id': String(answers.length) }
      const answer = await ask(server.url + path, { headers: { ...sent, ...headers } })
      const { date: _date, 'retry-after': retry, ...rest } = answer.headers
      answers.push({ ...rest, retries: retry !== undefined, status: answer.status, text: answer.text })
    }
    await get({})
    await get({ Authorization: 'Bearer gss_unknown' })
    await get(bearer(CI))
    for (let each = 0; each < 28; each += 1) await get({})
    for (let each = 0; each < 2; each += 1) await get({})
    return answers
  }
  const file = await refusals('/status.json?repo=a', '203.0.113.7')
  const other = await refusals('/api/history?repo=a', '203.0.113.8')
  t.same(file, other)
  t.same(new Set(file.map((answer) => (answer as { status: number }).status)), new Set([401, 403, 429]))
  const lines = (client: string): object[] =>
    server.lines
      .filter(({ msg, address }) => msg === 'request refused' && address === client)
      .map(({ path: _path, address: _address, time: _time, ...rest }) => rest)
  t.equal(lines('203.0.113.7').length, file.length)
  t.same(lines('203.0.113.7'), lines('203.0.113.8'))
  t.match(
    server.lines.find(({ problem }) => problem === 'forbidden'),
    { address: '203.0.113.7', token: 'ci', path: '/status.json' },
  )
  t.equal((await ask(`${server.url}/status.json`, { headers: bearer(GRAFANA) })).status, 200)
  t.equal((await ask(`${server.url}/status.json`, { method: 'OPTIONS' })).status, 204)
  t.equal((await ask(`${server.url}/status.json`, { method: 'PUT' })).status, 401)
  const probe = await raw(server, 'GET http://a/status.json#/healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  t.match(probe, /^HTTP\/1\.1 401 /, 'no form of the address goes around it')
})

t.test('who did what stands in the log and in the history', async (t) => {
  const tokensFile = join(directory(t), 'tokens.json')
  writeTokens(tokensFile, [CI, ADMIN])
  const server = await serve(t, directory(t), { tokensFile, trustProxy: 1 })
  const from = { 'X-Forwarded-For': '203.0.113.7, 198.51.100.9' }
  await post(server.url, snapshotOf({}), { headers: { ...bearer(CI), ...from } })
  await post(server.url, snapshotOf({}, ['a']), { headers: { ...bearer(ADMIN), ...from } })
  await ask(`${server.url}/api/status?repo=rsyslog`, { method: 'DELETE', headers: { ...bearer(ADMIN), ...from } })
  await eventually(async () => {
    const rows = (await ask(`${server.url}/api/history`)).json as unknown[]
    matches(rows, [
      { cause: 'snapshot', token: 'ci', address: '198.51.100.9' },
      { cause: 'snapshot', token: 'admin', address: '198.51.100.9' },
      { cause: 'delete', token: 'admin', address: '198.51.100.9' },
    ])
  })
  const target = [{ repo: 'rsyslog', server: 'rsyslog-lab' }]
  t.match(
    server.lines.filter(({ msg }) => msg === 'posted' || msg === 'removed'),
    [
      { msg: 'posted', token: 'ci', address: '198.51.100.9', first: target, results: { created: 1 } },
      { msg: 'posted', token: 'admin', first: target, results: { updated: 1 } },
      { msg: 'removed', token: 'admin', address: '198.51.100.9', targets: 1, first: target },
    ],
  )
  const open = await serve(t)
  await post(open.url, snapshotOf({}), { headers: from })
  t.match((await ask(`${open.url}/api/history`)).json, [{ address: '127.0.0.1' }], 'nobody is believed unasked')
  t.notOk(open.lines.some(({ msg }) => msg === 'no access control'))
  const wide = await serve(t, directory(t), { host: '0.0.0.0' })
  t.ok(wide.lines.some(({ msg }) => msg === 'no access control'))
})

t.test('refusals are bounded for each address, and never keep a valid token out', async (t) => {
  const server = await guarded(t)
  const statuses: number[] = []
  for (let each = 0; each < 40; each += 1) {
    statuses.push(
      (await post(server.url, snapshotOf({}), { headers: { Authorization: `Bearer guess${each}` } })).status,
    )
  }
  t.same(
    statuses.slice(0, 30),
    Array.from({ length: 30 }, () => 401),
  )
  t.same(
    statuses.slice(30),
    Array.from({ length: 10 }, () => 429),
  )
  t.match(await post(server.url, snapshotOf({})), { status: 429, headers: { 'retry-after': /^\d+$/ } })
  t.equal((await post(server.url, snapshotOf({}), { headers: bearer(CI) })).status, 201)
  t.equal(
    server.lines
      .filter(({ msg, problem }) => msg === 'request refused' && problem === 'too-many-refusals')
      .every(({ level }) => level === 'debug'),
    true,
  )
})
