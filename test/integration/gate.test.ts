import { writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { type RequestListener, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { GateOptions } from '../../src/gate-options.ts'
import { gate as runGate } from '../../src/gate.ts'
import { readCommandLine } from '../../src/settings.ts'
import { formatTime } from '../../src/status/time.ts'
import { eventually, matches, post } from '../support/http.ts'
import { fileOf, run, serve } from '../support/server.ts'
import { snapshotOf } from '../support/snapshots.ts'
import { ADMIN, CI, guarded } from '../support/tokens.ts'

const DAY = 86_400_000

interface Result {
  readonly code: number | string
  /** The lines of standard output. */
  readonly lines: readonly string[]
  readonly stderr: string
}

/** Does in this process what the program does with these arguments. */
async function gate(args: readonly string[], env: Record<string, string> = {}): Promise<Result> {
  const { command, ...options } = readCommandLine(['gate', ...args], env)
  if (command !== 'gate') return { code: 2, lines: [], stderr: JSON.stringify(options) }
  const { outcome, lines } = await runGate(options as GateOptions)
  if (outcome === 'unknown') return { code: 2, lines: [], stderr: lines.join('\n') }
  return { code: outcome === 'open' ? 0 : 1, lines, stderr: '' }
}

/** Runs the program. */
async function program(t: Test, args: readonly string[], env: Record<string, string> = {}): Promise<Result> {
  const { ended, stdout, stderr } = run(t, ['gate', ...args], env)
  const code = await ended
  return { code, lines: stdout().split('\n').slice(0, -1), stderr: stderr() }
}

/** A server that is none of ours; resolves with its address. */
async function foreign(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A server that answers everything with this. */
async function answering(t: Test, body: string, status = 200, headers: Record<string, string> = {}): Promise<string> {
  return foreign(t, (_req, res) => res.writeHead(status, headers).end(body))
}

const entry = (over: object): object => ({ repo: 'r', server: 's', state: 'synced', ...over })
const answer = (...entries: object[]): string => JSON.stringify({ statuses: entries })

t.test('gate: a line for each target that is not fine, then the verdict', async (t) => {
  const server = await serve(t)
  const now = formatTime(Date.now())
  const old = formatTime(Date.now() - DAY)
  await post(server.url, [
    { ...snapshotOf({ server: 'fine' }), labels: { env: 'prod' } },
    {
      ...snapshotOf({ server: 'lab' }, ['a', 'b', 'service rsyslog'], now),
      files: [{ name: 'a' }, { name: 'b' }, { name: 'service rsyslog', kind: 'other' }],
    },
    { repo: 'rsyslog', server: 'dead', check_failed: 'no route to host', attempted_at: now },
    { repo: 'rsyslog', server: 'never', check_failed: 'no route to host', attempted_at: old },
    snapshotOf({ server: 'old' }, [], old),
    { ...snapshotOf({ repo: 'nginx', server: 'known' }, ['a']), labels: { env: 'prod' } },
    { ...snapshotOf({ repo: 'nginx', server: 'fine' }), labels: { env: 'prod', tier: 'web' } },
  ])
  const until = formatTime(Date.now() + DAY)
  const accepted = [{ server: 'known', until, reason: 'ticket 123' }]
  writeFileSync(server.file, JSON.stringify({ ...fileOf(server), accepted }))
  await eventually(() => matches(fileOf(server), { summary: { accepted: 1 } }))

  const url = ['--url', server.url]
  const all = await program(t, url)
  t.equal(all.code, 1)
  t.same(all.lines, [
    `known of nginx: accepted until ${until}: ticket 123`,
    'dead of rsyslog: check failing: no route to host',
    `lab of rsyslog: out of sync: 2 files, service rsyslog, since ${now}`,
    'never of rsyslog: never checked',
    `old of rsyslog: stale: last check ${old}`,
    '7 targets: 1 out of sync, 1 check failing, 1 never checked, 1 stale, 1 accepted, 2 in sync.',
  ])
  t.equal(all.stderr, '')

  const open = async (...args: string[]): Promise<unknown> => {
    const { code, lines } = await gate([...url, ...args])
    return [code, ...lines]
  }
  t.same(await open('--server', 'fine'), [0, 'All 2 targets are in sync.'])
  t.same(await open('--repo', 'rsys*', '--server', '{fine,none}'), [0, '1 target is in sync.'])
  t.same(await open('--repo', 'nginx', '--allow', 'accepted,stale'), [0, '2 targets: 1 accepted, 1 in sync.'])
  t.match(await open('--repo', 'nginx', '--allow', 'stale'), [1, /^known of nginx/])
  t.same(await open('--server', 'known', '--server', 'old', '--allow', 'accepted', '--allow', 'stale'), [
    0,
    '2 targets: 1 stale, 1 accepted.',
  ])
  t.same(await open('--label', 'env=prod', '--label', 'tier'), [0, '1 target is in sync.'])
  t.match(await open('--label', 'env=prod'), [1, /^known of nginx/])
  t.match(
    await open('--server', 'lab', '--allow', 'accepted,stale,failing,missing'),
    [1, /^lab of rsyslog: out of sync/],
    'nothing lets drift pass',
  )
  t.same(await open('--server', '{dead,never}', '--allow', 'failing,missing'), [
    0,
    '2 targets: 1 check failing, 1 never checked.',
  ])
  t.same((await gate(['--url', `${server.url}/api/status`, '--server', 'fine'])).code, 0, 'where CI posts to')
})

t.test('gate: without an answer that can be trusted it is 2, and nothing is printed as a verdict', async (t) => {
  const server = await serve(t)
  await post(server.url, snapshotOf({}))
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const nobody = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`
  closed.close()
  await once(closed, 'close')
  const old = { repo: 'r', server: 's', sync_status: 'SYNCED', drift_count: 0, files: [], last_check: formatTime(0) }
  const cases: [what: string, args: string[], reason: RegExp][] = [
    ['no target matches', ['--url', server.url, '--server', 'rsylog-lab'], /no target matches/],
    ['a label that none has', ['--url', server.url, '--label', 'env=prod'], /no target matches/],
    ['a query that is refused', ['--url', server.url, '--label', '=a'], /answered 422: the parameters are repo/],
    ['a path without a server', ['--url', `${server.url}/other`], /answered 404: /],
    ['nobody there', ['--url', nobody], /ECONNREFUSED/],
    ['no such host', ['--url', 'http://nowhere.invalid'], /nowhere\.invalid/],
    ['an internal error', ['--url', await answering(t, 'oops', 500)], /answered 500$/],
    ['no JSON', ['--url', await answering(t, '<html>Log in</html>')], /not JSON/],
    ['JSON of something else', ['--url', await answering(t, '[]')], /is not a server of this version/],
    ['no entries', ['--url', await answering(t, '{"status":"ok"}')], /\/statuses must be present/],
    ['version 0.1', ['--url', await answering(t, answer(old))], /no state, as in version 0\.1/],
    [
      'one entry without a state',
      ['--url', await answering(t, answer(entry({}), old))],
      /no state, as in version 0\.1/,
    ],
    [
      'an unknown state',
      ['--url', await answering(t, answer(entry({ state: 'fine' })))],
      /\/statuses\/0\/state must be/,
    ],
    ['an empty answer', ['--url', await answering(t, '')], /not JSON/],
    ['no content', ['--url', await answering(t, '', 204)], /answered 204/],
  ]
  for (const [what, args, reason] of cases) {
    const { code, lines, stderr } = await gate(args)
    t.equal(code, 2, what)
    t.same(lines, [], what)
    t.match(stderr, reason, what)
    t.notMatch(stderr, '\n', `${what}: one line`)
  }
})

t.test('gate: it waits no longer than it may, for the head and for the body', async (t) => {
  const silent = await foreign(t, () => undefined)
  t.match(await gate(['--url', silent, '--timeout', '1']), { code: 2, stderr: /no answer within 1 s/ })
  const slow = await foreign(t, (_req, res) => void res.writeHead(200).write('{"statuses":['))
  t.match(await gate(['--url', slow, '--timeout', '1']), { code: 2, stderr: /no answer within 1 s/ })
})

t.test('gate: an answer without end is given up', async (t) => {
  const chunk = ' '.repeat(1024 * 1024)
  let sent = 0
  const endless = await foreign(t, (_req, res) => {
    const write = (): void => {
      while (!res.destroyed && (sent += 1) < 1000 && res.write(chunk));
    }
    res.on('drain', write)
    write()
  })
  t.match(await gate(['--url', endless]), { code: 2, stderr: /exceeds 65536 KiB/ })
  t.ok(sent < 500, `${sent} MiB were sent`)
})

t.test('gate: the token goes to the server that was named, and nowhere else', async (t) => {
  const server = await guarded(t, true)
  await post(server.url, snapshotOf({}), { headers: { Authorization: `Bearer ${ADMIN.secret}` } })
  const url = ['--url', server.url]
  t.match(await program(t, url, { STATUS_TOKEN: ADMIN.secret }), {
    code: 0,
    stderr: '',
    lines: ['1 target is in sync.'],
  })
  t.match(await program(t, url), {
    code: 2,
    lines: [],
    stderr: /^gitops-status-server: gate: http\S+ answered 401: the request has no token.*\n$/,
  })
  t.match(await gate(url, { STATUS_TOKEN: '' }), { code: 2, stderr: /answered 401/ })
  t.match(await gate(url, { STATUS_TOKEN: CI.secret }), { code: 2, stderr: /answered 403/ })

  const asked: (string | undefined)[] = []
  const other = await foreign(t, (req, res) => {
    asked.push(req.headers.authorization)
    res.end(answer(entry({})))
  })
  const redirecting = await answering(t, '', 302, { Location: `${other}/api/status` })
  const { code, lines, stderr } = await gate(['--url', redirecting], { STATUS_TOKEN: ADMIN.secret })
  t.match({ code, lines }, { code: 2, lines: [] })
  t.match(stderr, `redirects to ${other}/api/status; redirects are not followed`)
  t.same(asked, [])
  t.notMatch(stderr, ADMIN.secret)

  const broken = await program(t, url, { STATUS_TOKEN: `${ADMIN.secret}\n` })
  t.match(broken, { code: 2, stderr: /^gitops-status-server: STATUS_TOKEN: is not a token\n$/ })
  const named = await gate([...url, '--token', 'secret'])
  t.match(named, { code: 2, stderr: /--token: unknown option of gate/ })
})

t.test('gate: nothing in an answer reaches the terminal but text', async (t) => {
  const esc = '\u001b]0;owned\u0007\u009b2J\r\n::error::\u202e\u200b'
  const url = await answering(
    t,
    answer(
      entry({ repo: esc, server: esc, state: 'failing', failed_check: { reason: esc } }),
      entry({ state: 'drifted', since: esc, files: [{ name: esc, kind: 'other' }] }),
      entry({ state: 'stale', last_check: esc }),
      entry({ state: 'accepted', accepted_until: esc, accepted_reason: `${esc} é 🦀` }),
    ),
  )
  const { code, lines } = await gate(['--url', url])
  t.equal(code, 1)
  t.equal(lines.length, 5, 'a line for each, and the verdict')
  t.notMatch(lines.join(''), /[\p{Cc}\p{Cf}]/u)
  t.match(lines[0], /^\\u\{1b\}\]0;owned\\u\{7\}\\u\{9b\}2J\\u\{d\}\\u\{a\}::error::\\u\{202e\}\\u\{200b\} of /)
  t.match(lines[3], / é 🦀$/)
  const refusing = await answering(t, JSON.stringify({ detail: esc }), 503)
  const refused = await gate(['--url', refusing])
  t.equal(refused.code, 2)
  t.match(refused.stderr, /answered 503: \\u\{1b\}/)
  t.notMatch(refused.stderr.trimEnd(), /[\p{Cc}\p{Cf}]/u)
  const elsewhere = await gate(['--url', await answering(t, '', 301, { Location: 'http://a/\u009b' })])
  t.notMatch(elsewhere.stderr.trimEnd(), /[\p{Cc}\p{Cf}]/u)
})

t.test('gate: an entry that says less than it may is not fine either', async (t) => {
  const states = ['drifted', 'failing', 'missing', 'stale', 'accepted'] as const
  const { code, lines } = await gate(['--url', await answering(t, answer(...states.map((state) => entry({ state }))))])
  t.equal(code, 1)
  t.equal(lines.length, states.length + 1)
})
