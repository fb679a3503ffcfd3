import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { formatTime } from '../../../src/status/time.ts'
import { checked, posting } from '../../support/api.ts'
import { directory } from '../../support/directory.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { type Server, fileOf, serve } from '../../support/server.ts'
import { snapshotOf } from '../../support/snapshots.ts'
import { CI, bearer, made, writeTokens } from '../../support/tokens.ts'

const IN = (seconds: number): string => formatTime(Date.now() + seconds * 1000)
const WEB = { repo: 'rsyslog', server: 'web-1' }

const drifted = (server: string, ...files: string[]): object => snapshotOf({ ...WEB, server }, files, IN(-5))
const ruleOf = (more: object = {}): object => ({
  repo: 'rsyslog',
  server: 'web-*',
  until: IN(60),
  reason: 'ticket 1',
  ...more,
})
const stateOf = (server: Server, name = 'web-1'): unknown =>
  fileOf(server).statuses.find((status) => status.server === name)?.state

t.test('a rule is added, covers, and is ended; the history and the log say so', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  await post(server.url, [drifted('web-1', 'a', 'b'), drifted('db-1', 'a')])
  const rule = ruleOf({ by: 'anna' })
  const added = await http('/api/accepted', posting(rule))
  t.match(added, { status: 201, json: { result: 'added', rule, targets: 1 } })
  t.match([stateOf(server), stateOf(server, 'db-1')], ['accepted', 'drifted'])
  t.same(fileOf(server).accepted, [rule], 'as a person would write it')
  t.match(await http('/api/accepted', posting(rule)), { status: 200, json: { result: 'unchanged' } })
  t.same((await http('/api/accepted')).json, [rule])
  t.match((await ask(`${server.url}/badge?server=web-1`)).text, /accepted/)

  const ended = await http('/api/accepted?repo=rsyslog&server=web-*', { method: 'DELETE' })
  t.match(ended, { status: 200, json: { ended: [rule] } })
  t.equal(stateOf(server), 'drifted')
  t.same(fileOf(server).accepted, [])
  const again = await http('/api/accepted?server=web-*', { method: 'DELETE' })
  t.match(again, { status: 404, json: { type: /rule-not-found$/ } })

  const lines = readFileSync(join(server.dataDir, 'history.jsonl'), 'utf8').trim().split('\n')
  const rows = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  t.match(
    rows.filter(({ server: name }) => name === 'web-1'),
    [
      { state: 'drifted', cause: 'snapshot' },
      { state: 'accepted', changes: ['accepted'], cause: 'accept', address: '127.0.0.1' },
      { state: 'drifted', changes: ['state_changed'], cause: 'accept' },
    ],
  )
  t.match(
    rows.filter(({ event }) => event !== undefined),
    [{ event: 'acceptance_ended', rule, address: '127.0.0.1' }],
  )
  t.equal(server.lines.filter(({ msg }) => msg === 'acceptance ended').length, 1)
})

t.test('a rule that ends by itself: the state flips in the file, one line in the history and in the log', async (t) => {
  const server = await serve(t)
  await post(server.url, drifted('web-1', 'a'))
  const until = IN(2)
  await ask(`${server.url}/api/accepted`, posting(ruleOf({ until })))
  await ask(`${server.url}/api/accepted`, posting({ until, reason: 'about nothing', server: 'nobody' }))
  t.match(fileOf(server).statuses[0], { state: 'accepted', accepted_until: until, accepted_reason: 'ticket 1' })
  await eventually(() => matches(stateOf(server), 'drifted'), 6000)
  const events = (): string[] =>
    readFileSync(join(server.dataDir, 'history.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line.includes('acceptance_ended'))
  await eventually(() => matches(events().length, 2))
  t.equal(fileOf(server).accepted?.length, 2, 'they stay in the file')
  await post(server.url, drifted('web-2', 'a'))
  await server.stop()
  const next = await serve(t, server.dataDir)
  await post(next.url, drifted('web-3', 'a'))
  t.equal(events().length, 2, 'also after another start')
  t.equal([...server.lines, ...next.lines].filter(({ msg }) => msg === 'acceptance ended').length, 2)
})

t.test('what is not a rule is refused with a pointer, and changes nothing', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  const { generation } = fileOf(server)
  for (const [what, body, pointer] of [
    ['no reason', { until: IN(60) }, '/reason'],
    ['no end', { reason: 'x' }, '/until'],
    ['an end that is over', ruleOf({ until: IN(-1) }), '/until'],
    ['an end beyond a year', ruleOf({ until: IN(367 * 86_400) }), '/until'],
    ['an end that is no time', ruleOf({ until: 'tomorrow' }), '/until'],
    ['a begin after the end', ruleOf({ from: IN(61) }), '/from'],
    ['an unknown property', ruleOf({ servers: 'web-*' }), '/servers'],
    ['an empty glob', ruleOf({ repo: '' }), '/repo'],
    ['a number', ruleOf({ stale: 1 }), '/stale'],
    ['an empty reason', ruleOf({ reason: '' }), '/reason'],
    ['a list', [ruleOf()], ''],
  ] as const) {
    const { status, json } = await http('/api/accepted', posting(body))
    t.match({ status, json }, { status: 422, json: { type: /invalid-rule$/, errors: [{ pointer }] } }, what)
  }
  const twice = await http('/api/accepted', {
    ...posting(0),
    body: `{"until": "${IN(60)}", "reason": "a", "reason": "b"}`,
  })
  t.match(twice, { status: 422, json: { errors: [{ pointer: '/reason', detail: /duplicate/ }] } })
  for (const query of ['', '?repo=', '?repo=a&repo=b', '?name=x', '?until=now']) {
    const answer = await http(`/api/accepted${query}`, { method: 'DELETE' })
    t.match(answer, { status: 422, json: { type: /invalid-query$/ } }, query)
  }
  t.match(await http('/api/accepted?server=a'), { status: 422 })
  t.equal(fileOf(server).generation, generation)
})

t.test('a rule without names is selected by *, and only rules that say all that is given end', async (t) => {
  const server = await serve(t)
  for (const [reason, more] of [
    ['one', {}],
    ['two', { file: 'a' }],
    ['three', { server: 'web-*' }],
  ] as const) {
    await ask(`${server.url}/api/accepted`, posting({ until: IN(60), reason, ...more }))
  }
  const { json } = await ask(`${server.url}/api/accepted?server=*&file=*`, { method: 'DELETE' })
  t.match(json, { ended: [{ reason: 'one' }] })
  t.match(fileOf(server).accepted, [{ reason: 'two' }, { reason: 'three' }])
})

t.test('a token accepts what its right includes, and its name is in the rule', async (t) => {
  const ANNA = made('anna', { write: [], accept: [{ repo: 'rsyslog', server: 'web-*' }] })
  const tokensFile = join(directory(t), 'tokens.json')
  writeTokens(tokensFile, [CI, ANNA])
  const server = await serve(t, directory(t), { tokensFile })
  const as = async (token: { secret: string }, rule: object) =>
    ask(`${server.url}/api/accepted`, {
      ...posting(rule),
      headers: { 'Content-Type': 'application/json', ...bearer(token) },
    })
  t.match((await as(ANNA, ruleOf())).json, { result: 'added', rule: { by: 'anna' } })
  t.match((await as(ANNA, ruleOf({ by: 'bert', file: 'x' }))).json, { rule: { by: 'bert' } })
  for (const wider of [{ server: '*' }, { server: undefined }, { repo: '*' }, { repo: 'nginx' }, { server: 'web*' }]) {
    t.match(await as(ANNA, ruleOf(wider)), { status: 403, json: { type: /forbidden$/ } }, JSON.stringify(wider))
  }
  t.equal((await as(CI, ruleOf())).status, 403, 'the right to write is not the right to accept')
  t.equal((await ask(`${server.url}/api/accepted`, posting(ruleOf()))).status, 401)
  const remove = async (token: { secret: string }): Promise<number> =>
    (await ask(`${server.url}/api/accepted?file=x`, { method: 'DELETE', headers: bearer(token) })).status
  t.equal(await remove(CI), 403)
  t.equal(await remove(ANNA), 200)
  t.equal(fileOf(server).accepted?.length, 1)
})

t.test('rules that a person edits while rules are posted are all there', async (t) => {
  const server = await serve(t)
  await post(server.url, drifted('web-1', 'a'))
  const posts = Array.from({ length: 40 }, (_, index) => ruleOf({ reason: `posted ${index}` }))
  const own: object[] = []
  const edits = (async () => {
    for (let index = 0; index < 10; index += 1) {
      const document = fileOf(server)
      const rule = ruleOf({ reason: `typed ${index}` })
      own.push(rule)
      document.accepted = [...(document.accepted ?? []), rule as never]
      writeFileSync(server.file, `${JSON.stringify(document, null, 2)}\n`)
      await eventually(() =>
        matches(
          fileOf(server).accepted?.some(({ reason }) => reason === `typed ${index}`),
          true,
        ),
      )
    }
  })()
  for (const rule of posts) t.equal((await ask(`${server.url}/api/accepted`, posting(rule))).status, 201)
  await edits
  const reasons = new Set(fileOf(server).accepted?.map(({ reason }) => reason))
  t.equal(reasons.size, 50)
  t.equal(fileOf(server).accepted?.length, 50, 'and none twice')
})

t.test('5,000 targets flip in one commit', async (t) => {
  const server = await serve(t)
  const names = Array.from({ length: 5000 }, (_, index) => `web-${index}`)
  for (let from = 0; from < names.length; from += 2500) {
    await post(
      server.url,
      names.slice(from, from + 2500).map((name) => drifted(name, 'a')),
    )
  }
  const { generation: before = 0 } = fileOf(server)
  t.match((await ask(`${server.url}/api/accepted`, posting(ruleOf({ until: IN(4) })))).json, { targets: 5000 })
  t.match(fileOf(server), { generation: before + 1, summary: { accepted: 5000 } })
  await eventually(() => matches(fileOf(server).summary, { drifted: 5000 }))
  t.equal(fileOf(server).generation, before + 2)
})

t.test('10,000 rules are kept and applied, and not one more', async (t) => {
  const server = await serve(t)
  await post(server.url, drifted('web-1', 'a'))
  const rules = Array.from({ length: 9999 }, (_, index) => ruleOf({ server: `db-${index}`, reason: `ticket ${index}` }))
  writeFileSync(server.file, JSON.stringify({ ...fileOf(server), accepted: rules }))
  await eventually(() => matches(fileOf(server).accepted?.length, 9999))
  t.match(await ask(`${server.url}/api/accepted`, posting(ruleOf())), { status: 201 })
  t.equal(stateOf(server), 'accepted')
  t.match(await ask(`${server.url}/api/accepted`, posting(ruleOf({ reason: 'more' }))), {
    status: 507,
    json: { type: /document-full$/ },
  })
  t.equal(fileOf(server).accepted?.length, 10_000)
})
