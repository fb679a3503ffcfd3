import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { directory } from '../../support/directory.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { PROGRAM, linesOf, run, runServer, serve } from '../../support/server.ts'
import { snapshotOf } from '../../support/snapshots.ts'
import { CI, ADMIN, made, textOf, writeTokens, bearer, reloaded, guarded } from '../../support/tokens.ts'

t.test('a rotation while CI posts: two tokens of one name are valid at once, and no post is refused', async (t) => {
  const server = await guarded(t)
  const NEXT = made('ci', { write: [{ repo: 'rsyslog' }] })
  let current = CI
  const load = { going: true }
  const answers: number[] = []
  const posting = (async () => {
    while (load.going) answers.push((await post(server.url, snapshotOf({}), { headers: bearer(current) })).status)
  })()
  writeTokens(server.tokensFile, [CI, NEXT])
  await reloaded(server, 1)
  current = NEXT
  await post(server.url, snapshotOf({}), { headers: bearer(CI) })
  writeTokens(server.tokensFile, [NEXT])
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
      problems: [{ kind: 'tokens-file', detail: /tokens\.json:\d+:\d+ \/tokens\/0\/sha265: is not known/ }],
    }),
  )
  t.equal(await posts(ADMIN), 200, 'the old tokens are in force')
  t.equal(await posts(CI), 401)
  t.match(
    server.lines.find(({ msg }) => msg === 'tokens file rejected'),
    { level: 'error', file: join(mount, 'tokens.json'), detail: /is not known/ },
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

t.test('SIGHUP: the file is read at once, and the log has the outcome each time', async (t) => {
  const tokensFile = join(directory(t), 'tokens.json')
  writeTokens(tokensFile, [ADMIN])
  const server = await runServer(t, directory(t), { TOKENS_FILE: tokensFile })
  const logged = async (msg: string, times: number): Promise<void> => {
    server.child.kill('SIGHUP')
    await eventually(() => matches(linesOf(server).filter((line) => line.msg === msg).length, times))
  }
  await logged('tokens reloaded', 1)
  writeFileSync(tokensFile, '{')
  await logged('tokens file rejected', 1)
  await logged('tokens file rejected', 2)
  t.equal(
    (await post(server.url, snapshotOf({}), { headers: bearer(ADMIN) })).status,
    201,
    'the old tokens are in force',
  )
  t.match(
    linesOf(server).filter(({ msg }) => msg === 'reloading'),
    [{ signal: 'SIGHUP' }, {}, {}],
  )
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
    [`{ "tokens": [${line}, ${line}] }`, /\/tokens\/1\/sha256: duplicate of \/tokens\/0/],
    [
      `{ "tokens": [{ "name": "a b", "sha256": "" }] }`,
      /\/tokens\/0\/name: must be letters.+\/tokens\/0\/sha256: must be/,
    ],
    [`{ "tokens": [${line.replace('"repo"', '"rep"')}] }`, /\/tokens\/0\/write\/0\/rep: is not known/],
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
    [['--protect-reads', 'true'], /PROTECT_READS: requires TOKENS_FILE/],
    [['--protect-reads', 'yes'], /--protect-reads: must be true or false/],
    [['--trust-proxy', '10.0.0.0/33'], /--trust-proxy: must be a number from 1 to 16, or addresses/],
    [['token'], /token: expected one name/],
    [['token', 'two words'], /token: expected one name/],
  ]
  for (const [args, told] of usage) {
    const refused = run(t, args)
    t.equal(await refused.ended, 2)
    t.match(refused.stderr(), told)
  }
})
