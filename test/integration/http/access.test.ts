import { execFileSync } from 'node:child_process'
import crypto from 'node:crypto'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { matchesGlob } from '../../../src/access/glob.ts'
import type * as tokensModule from '../../../src/access/tokens.ts'
import { type Token, makeToken } from '../../../src/access/tokens.ts'
import { createApp } from '../../../src/http/app.ts'
import { Metrics } from '../../../src/http/metrics.ts'
import { CommitLoop } from '../../../src/store/commit-loop.ts'
import { formatTime } from '../../../src/status/time.ts'
import { directory } from '../../support/directory.ts'
import { type Answer, ask, eventually, matches, post } from '../../support/http.ts'
import { PROGRAM, type Server, fileOf, run, runServer, serve } from '../../support/server.ts'
import { snapshotOf } from '../../support/snapshots.ts'

/** Tokens for the tests: their secrets, and what goes into the file. */
const CI = made('ci', { write: [{ repo: 'rsyslog' }, { repo: 'infra/*', server: 'web-?' }] })
const ADMIN = made('admin', { write: [{}], delete: [{}], read: true })
const GRAFANA = made('grafana', { write: [], read: true })
const OLD = made('old', { write: [{}], expires: formatTime(Date.now() - 1000) })

function made(name: string, rights: Partial<Token>): { secret: string; token: Token } {
  const { secret, token } = makeToken(name)
  return { secret, token: { ...token, ...rights } }
}

function textOf(...tokens: readonly { token: Token }[]): string {
  return JSON.stringify({ tokens: tokens.map(({ token }) => token) }, null, 2)
}

function write(path: string, tokens: readonly { token: Token }[]): void {
  writeFileSync(`${path}.new`, textOf(...tokens))
  renameSync(`${path}.new`, path)
}

function bearer({ secret }: { secret: string }): Record<string, string> {
  return { Authorization: `Bearer ${secret}` }
}

function basic({ secret }: { secret: string }): Record<string, string> {
  return { Authorization: `Basic ${Buffer.from(`anybody:${secret}`).toString('base64')}` }
}

/** Waits until the file of the tokens has been taken over so many times. */
async function reloaded({ lines }: Server, times: number): Promise<void> {
  await eventually(() => matches(lines.filter(({ msg }) => msg === 'tokens reloaded').length, times))
}

async function guarded(t: Test, protectReads = false): Promise<Server & { tokensFile: string }> {
  const tokensFile = join(directory(t), 'tokens.json')
  write(tokensFile, [CI, ADMIN, GRAFANA, OLD])
  return { ...(await serve(t, directory(t), { tokensFile, protectReads })), tokensFile }
}

t.test('globs are what they are in a shell, and take no time that an attacker chooses', async (t) => {
  const piece = fc.constantFrom('a', 'b', '*', '?', '/', '.', '🦀')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), fc.array(piece, { maxLength: 8 }), (pattern, text) => {
      const regex = pattern
        .map(
          (one) =>
            new Map([
              ['*', '.*'],
              ['?', '.'],
              ['.', '\\.'],
            ]).get(one) ?? one,
        )
        .join('')
      return matchesGlob(pattern.join(''), text.join('')) === new RegExp(`^${regex}$`, 'su').test(text.join(''))
    }),
    { numRuns: 2000 },
  )
  const started = Date.now()
  t.equal(matchesGlob(`${'*a'.repeat(120)}b`, 'a'.repeat(253)), false)
  t.ok(Date.now() - started < 1000)
})

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
  for (const path of readable) {
    const probe = ['/healthz', '/readyz'].includes(path)
    for (const method of ['GET', 'HEAD']) {
      const { status, headers } = await ask(server.url + path, { method })
      t.equal(status, probe ? 200 : 401, `${method} ${path}`)
      if (!probe) t.match(headers['www-authenticate'], /^Bearer .+, Basic realm="gitops-status-server"/)
    }
    t.equal((await ask(server.url + path, { headers: bearer(GRAFANA) })).status, 200, `bearer: ${path}`)
    t.equal((await ask(server.url + path, { headers: basic(GRAFANA) })).status, 200, `basic: ${path}`)
    t.equal((await ask(server.url + path, { headers: bearer(CI) })).status, probe ? 200 : 403, `not to read: ${path}`)
  }
  t.equal((await ask(`${server.url}/nothing`)).status, 401, 'not even what there is not')

  await post(server.url, snapshotOf({ repo: 'secret-repository' }), { headers: bearer(ADMIN) })
  writeFileSync(server.file, '{ "secret-in-an-edit": 1 }')
  await eventually(async () =>
    matches((await ask(`${server.url}/readyz`)).json, { problems: [{ kind: 'rejected-edit' }] }),
  )
  const probed = await ask(`${server.url}/readyz`)
  t.notMatch(probed.text, /secret|statuses|pointer/, 'a probe is told that something is wrong, not what')
  t.match(await ask(`${server.url}/readyz`, { headers: basic(GRAFANA) }), { text: /\/statuses/ })
})

t.test('every route that there is stands in the OpenAPI document', async (t) => {
  const log = pino({ level: 'silent' })
  const metrics = new Metrics('0')
  const options = { directory: directory(t), staleAfter: 600, historyRetention: 90, events: metrics, log }
  const store = await CommitLoop.start(options)
  t.teardown(async () => store.stop())
  const app = createApp({ store, metrics, access: { protectReads: false }, log, version: '0' })
  const routes = (app.router as unknown as { stack: { route?: { path: string } }[] }).stack.flatMap(
    ({ route }) => route?.path ?? [],
  )
  const server = await serve(t)
  const { paths } = (await ask(`${server.url}/openapi.json`)).json as { paths: object }
  t.same(
    routes.filter((path) => path !== '/assets/:name').toSorted((a, b) => a.localeCompare(b)),
    Object.keys(paths).toSorted((a, b) => a.localeCompare(b)),
  )
})

t.test('tokens are compared in constant time: all of them, whichever it is, also where it is none', async (t) => {
  let compared = 0
  const { Tokens } = await t.mockImport<typeof tokensModule>('../../../src/access/tokens.ts', {
    'node:crypto': {
      ...crypto,
      timingSafeEqual: (a: Buffer, b: Buffer) => {
        compared += 1
        return crypto.timingSafeEqual(a, b)
      },
    },
  })
  const tokens = new Tokens([CI.token, ADMIN.token, GRAFANA.token])
  for (const [secret, name] of [
    [CI.secret, 'ci'],
    [GRAFANA.secret, 'grafana'],
    ['unknown', undefined],
  ] as const) {
    compared = 0
    t.equal(tokens.find(secret, 0)?.name, name)
    t.equal(compared, 3)
  }
})

t.test('a rotation while CI posts: two tokens of one name are valid at once, and no post is refused', async (t) => {
  const server = await guarded(t)
  const NEXT = made('ci', { write: [{ repo: 'rsyslog' }] })
  let current = CI
  const load = { going: true }
  const answers: number[] = []
  const posting = (async () => {
    while (load.going) answers.push((await post(server.url, snapshotOf({}), { headers: bearer(current) })).status)
  })()
  write(server.tokensFile, [CI, NEXT])
  await reloaded(server, 1)
  current = NEXT
  await post(server.url, snapshotOf({}), { headers: bearer(CI) })
  write(server.tokensFile, [NEXT])
  await reloaded(server, 2)
  t.equal((await post(server.url, snapshotOf({}), { headers: bearer(CI) })).status, 401)
  load.going = false
  await posting
  t.same(
    answers.filter((status) => status !== 200 && status !== 201),
    [],
    `all of ${answers.length} posts were taken`,
  )
})

t.test('a bad file keeps the old tokens and says so; a Secret is swapped as the kubelet does', async (t) => {
  const mount = directory(t)
  const version = (name: string, text: string): void => {
    mkdirSync(join(mount, name))
    writeFileSync(join(mount, name, 'tokens.json'), text)
    symlinkSync(name, join(mount, '..data.new'))
    renameSync(join(mount, '..data.new'), join(mount, '..data'))
  }
  version('..1', textOf(ADMIN))
  symlinkSync('..data/tokens.json', join(mount, 'tokens.json'))
  const server = await serve(t, directory(t), { tokensFile: join(mount, 'tokens.json') })
  const posts = async (by: { secret: string }): Promise<number> =>
    (await post(server.url, snapshotOf({}), { headers: bearer(by) })).status
  t.equal(await posts(ADMIN), 201)

  version('..2', textOf(CI).replace('"sha256"', '"sha265"'))
  await eventually(async () =>
    matches((await ask(`${server.url}/readyz`)).json, {
      ready: true,
      problems: [{ kind: 'tokens-file', detail: /tokens\.json:\d+:\d+ \/tokens\/0\/sha265: is not known here/ }],
    }),
  )
  t.equal(await posts(ADMIN), 200, 'the old tokens are in force')
  t.equal(await posts(CI), 401)
  t.match(
    server.lines.find(({ msg }) => msg === 'the tokens are as before'),
    { level: 50 },
  )

  version('..3', textOf(CI))
  await reloaded(server, 1)
  t.equal(await posts(CI), 200)
  t.equal(await posts(ADMIN), 401)
  t.same(((await ask(`${server.url}/readyz`)).json as { problems: unknown }).problems, [])

  rmSync(join(mount, '..data'))
  await eventually(async () =>
    matches((await ask(`${server.url}/readyz`)).json, { problems: [{ detail: /cannot be read/ }] }),
  )
  t.equal(await posts(CI), 200)
})

t.test('the program: makes tokens that work, and does not start with a file that does not', async (t) => {
  const place = directory(t)
  const tokensFile = join(place, 'tokens.json')
  const made = execFileSync(process.execPath, [PROGRAM, 'token', 'ci'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [secret = '', line = ''] = made.split('\n')
  t.match(secret, /^gss_[\w-]{43}$/)
  t.notMatch(line, secret)
  writeFileSync(tokensFile, `{ "tokens": [\n${line}\n] }`)
  const server = await runServer(t, join(place, 'data'), { TOKENS_FILE: tokensFile })
  t.equal((await post(server.url, snapshotOf({}))).status, 401)
  t.equal((await post(server.url, snapshotOf({}), { headers: bearer({ secret }) })).status, 201)
  t.notMatch(server.stdout() + server.stderr(), secret, 'no secret is logged')

  const faulty: [text: string, told: RegExp][] = [
    ['{ "tokens": [', /tokens\.json:1:14 \(file\): must be JSON/],
    [`{ "tokens": [${line}, ${line}] }`, /\/tokens\/1\/sha256: must not be the same as that of \/tokens\/0/],
    [
      `{ "tokens": [{ "name": "a b", "sha256": "" }] }`,
      /\/tokens\/0\/name: must be letters.+\/tokens\/0\/sha256: must be/,
    ],
    [`{ "tokens": [${line.replace('"repo"', '"rep"')}] }`, /\/tokens\/0\/write\/0\/rep: is not known here/],
  ]
  for (const [text, told] of faulty) {
    writeFileSync(tokensFile, text)
    const bad = run(t, ['--port', '0', '--data-dir', join(place, 'data')], { TOKENS_FILE: tokensFile })
    t.equal(await bad.ended, 1)
    t.match(bad.stdout(), told)
  }
  const lost = run(t, ['--tokens-file', join(place, 'nothing.json')])
  t.equal(await lost.ended, 1)
  t.match(lost.stdout(), /nothing\.json: cannot be read/)
  const usage: [args: string[], told: RegExp][] = [
    [['--protect-reads', 'true'], /PROTECT_READS: needs TOKENS_FILE/],
    [['--protect-reads', 'yes'], /--protect-reads: must be true or false/],
    [['--trust-proxy', '10.0.0.0/33'], /--trust-proxy: must be a number from 1 to 16, or addresses/],
    [['token'], /token: must be given one name/],
    [['token', 'two words'], /token: must be given one name/],
  ]
  for (const [args, told] of usage) {
    const refused = run(t, args)
    t.equal(await refused.ended, 2)
    t.match(refused.stderr(), told)
  }
})

t.test('who did what stands in the log and in the history', async (t) => {
  const tokensFile = join(directory(t), 'tokens.json')
  write(tokensFile, [CI, ADMIN])
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
  t.notOk(open.lines.some(({ msg }) => msg.startsWith('anybody who reaches')))
  const wide = await serve(t, directory(t), { host: '0.0.0.0' })
  t.ok(wide.lines.some(({ msg }) => msg.startsWith('anybody who reaches')))
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
      .filter(({ msg, problem }) => msg === 'refused' && problem === 'too-many-refusals')
      .every(({ level }) => level === 20),
    true,
  )
})
