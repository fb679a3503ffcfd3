import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { cpSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { BrowserContextOptions, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { formatTime } from '../../../src/status/time.ts'
import { launchBrowser } from '../../support/browser.ts'
import { directory } from '../../support/directory.ts'
import { ask, eventually, matches, post } from '../../support/http.ts'
import { isTested, needs } from '../../support/machine.ts'
import { type Server, fileOf, serve } from '../../support/server.ts'
import { HOSTILE_NAMES, snapshotOf } from '../../support/snapshots.ts'

const BUILT = resolve(import.meta.dirname, '../../..', 'dist', 'page')
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const DAY = 24 * 3600 * 1000
/** How often the page asks for news, in ms. */
const POLL_MS = 5000

const browser = isTested('chromium') ? undefined : await launchBrowser()
t.teardown(async () => browser?.close())
const IN_BROWSER = needs({ there: browser !== undefined, what: 'Chromium (Debian: chromium)', program: 'chromium' })

t.test('GET /: one page under 45 kB, assets for ever, and nothing else of its directory', async (t) => {
  const server = await serve(t)
  const index = await ask(`${server.url}/`)
  t.match(index, {
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      'content-security-policy': /^default-src 'none'; script-src 'self';/,
      etag: /^"[\w-]+"$/,
    },
  })
  t.equal(
    (await ask(`${server.url}/`, { headers: { 'If-None-Match': String(index.headers.etag) } })).status,
    304,
    'asked for again it costs nothing',
  )
  const names = [...index.text.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, name]) => name ?? '')
  t.ok(names.length >= 3, `${names.length} assets`)
  for (const name of names) {
    const asset = await ask(`${server.url}/${name}`, { headers: { 'Accept-Encoding': 'gzip' } })
    t.match(asset, {
      status: 200,
      headers: { 'cache-control': 'public, max-age=31536000, immutable', 'content-encoding': 'gzip' },
    })
  }
  const sizes = readdirSync(BUILT, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => gzipSync(readFileSync(join(entry.parentPath, entry.name)), { level: 9 }).length)
  const size = sizes.reduce((sum, each) => sum + each, 0)
  t.ok(size < 45_000, `${size} bytes, gzipped`)
  for (const path of ['/assets/', '/assets/nothing.js', '/assets/..%2Findex.html', '/index.html', '/assets/index.js']) {
    t.match(
      await ask(server.url + path),
      { status: 404, headers: { 'content-type': 'application/problem+json' } },
      path,
    )
  }
})

t.test('a snapshot appears without a reload, and so do drift, stale, an edit and a removal', IN_BROWSER, async (t) => {
  const { server, page } = await open(t, undefined, { ownClock: true })
  await page.getByText('No target yet').waitFor()
  t.match(await page.locator('.empty pre').innerText(), `curl ${server.url}/api/status`)
  await titled(page, /^no targets/)

  await post(server.url, snapshotOf({ server: 'lab' }))
  await page.clock.fastForward(POLL_MS)
  await row(page, 'lab').waitFor()
  t.same(await told(page), { 'Out of sync': '0', Stale: '0', 'In sync': '1' }, 'within the five seconds of a poll')
  await titled(page, /^in sync/)

  await post(server.url, [
    snapshotOf({ server: 'lab' }, ['rsyslog.conf', 'rsyslog.d/30-lab.conf']),
    snapshotOf({ server: 'old' }, [], formatTime(Date.now() - DAY)),
  ])
  await look(page)
  await eventually(async () => matches(await told(page), { 'Out of sync': '1', Stale: '1', 'In sync': '0' }))
  await titled(page, /^\(1\) out of sync/)
  await eventually(async () => matches(await iconOf(page), /drift/))
  t.match(
    await row(page, 'lab').innerText(),
    /Out of sync[^]*rsyslog.conf, rsyslog.d\/30-lab.conf[^]*drifted for < 1 min/,
  )
  t.match(await row(page, 'old').innerText(), /Stale[^]*no check for 1 d/)
  await announced(page, /lab of rsyslog: Out of sync, 2 files/)

  const text = readFileSync(server.file, 'utf8')
  writeFileSync(server.file, text.replace('"server": "lab",', '"server": "lab", "note": "ticket 123",'))
  await eventually(async () => {
    await look(page)
    matches(await row(page, 'lab').innerText(), /ticket 123/)
  })

  await ask(`${server.url}/api/status?repo=rsyslog&server=lab`, { method: 'DELETE' })
  await look(page)
  await row(page, 'lab').waitFor({ state: 'detached' })
  await announced(page, /lab of rsyslog: removed/)
  await titled(page, /^\(1\) stale/)
})

t.test(
  'a target opens to its files, each with its own since, and to their differences as text',
  IN_BROWSER,
  async (t) => {
    const { server, page } = await open(t)
    const lines = Array.from({ length: 1000 }, (_, index) => `+ line ${index} <b>bold</b>`)
    await post(server.url, {
      ...snapshotOf({ server: 'lab' }, ['a.conf', 'b.conf']),
      files: [
        { name: 'a.conf', diff: `--- before\n+++ after\n@@ -1 +1 @@\n-old\n+new\t<img src=x onerror=alert(1)>\n` },
        { name: 'b.conf', diff: lines.join('\n') },
      ],
      commit: 'f3a9c1d27be0',
      branch: 'master',
      pipeline_url: 'https://ci.example.net/318',
    })
    await look(page)
    await row(page, 'lab').getByRole('button').click()
    const details = row(page, 'lab').locator('.details')
    t.match(await details.innerText(), /a\.conf[^]*drifted just now[^]*b\.conf[^]*f3a9c1d27be0[^]*master/)
    t.equal(await details.locator('pre').first().isVisible(), false, 'folded')
    await details.getByText('Difference').first().click()
    const first = details.locator('pre').first()
    t.match(await first.innerText(), '+new    <img src=x onerror=alert(1)>')
    t.equal(await first.locator('.added').count(), 1)
    t.equal(await first.locator('.removed').count(), 1)
    await details.getByText('Difference').nth(1).click()
    t.equal(await details.locator('pre').nth(1).locator('span').count(), 400)
    t.match(await details.innerText(), /Cut here: [\d,]+ characters more/)
    t.equal(await row(page, 'lab').getByRole('link').first().getAttribute('href'), 'https://ci.example.net/318')
    t.equal(await row(page, 'lab').getByRole('link').first().getAttribute('rel'), 'noopener noreferrer')
  },
)

t.test('what needs attention comes first; filter, states and groups stand in the address', IN_BROWSER, async (t) => {
  const { server, page } = await open(t)
  await post(server.url, [
    snapshotOf({ repo: 'a', server: 'fine' }),
    snapshotOf({ repo: 'a', server: 'short' }, ['x.conf'], minutesAgo(2)),
    snapshotOf({ repo: 'b', server: 'long' }, ['Ünï/y.conf'], minutesAgo(5)),
    snapshotOf({ repo: 'b', server: 'gone' }, ['x.conf'], minutesAgo(60)),
  ])
  await look(page)
  await row(page, 'fine').waitFor()
  t.same(await servers(page), ['long', 'short', 'gone', 'fine'])

  await page.keyboard.press('/')
  await page.keyboard.type('X.conf')
  await eventually(async () => matches(await servers(page), ['short', 'gone']))
  t.equal(new URL(page.url()).search, '?q=X.conf')
  await page.keyboard.press('Escape')
  await eventually(async () => matches(await servers(page), ['long', 'short', 'gone', 'fine']))
  await page.keyboard.type('ünï b')
  await eventually(async () => matches(await servers(page), ['long']))
  await page.keyboard.press('Escape')

  await page.getByRole('button', { name: 'Stale' }).click()
  await page.getByRole('button', { name: 'In sync' }).click()
  await page.getByLabel('Group by repository').check()
  await eventually(async () => matches(await servers(page), ['gone', 'fine']))
  const { search } = new URL(page.url())
  t.equal(search, '?status=stale,in-sync&group=repo')
  t.same(await page.locator('.repo-line bdi').allInnerTexts(), ['b', 'a'])

  const other = await page.context().newPage()
  await other.goto(page.url())
  await row(other, 'gone').waitFor()
  t.same(await servers(other), ['gone', 'fine'], 'whoever is sent the address sees the same')
  t.equal(await other.getByRole('button', { name: 'Stale' }).getAttribute('aria-pressed'), 'true')
  await other.goto(`${server.url}/?kiosk`)
  await row(other, 'long').waitFor()
  t.equal(await other.locator('.controls, .summary button').count(), 0, 'a wall has no controls')
  await other.getByRole('link', { name: 'Leave the wall view' }).click()
  await other.locator('.controls').waitFor()
})

t.test('each state has a word, a shape and a colour of its own', IN_BROWSER, async (t) => {
  const server = await serve(t, withHead(t, { accepted: [ruleOf({ server: 'accepted' })] }))
  await post(server.url, EACH_STATE)
  const words = ['Out of sync', 'Check failing', 'Never checked', 'Stale', 'Accepted', 'In sync']
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page } = await open(t, server, { colorScheme })
    await row(page, 'drifted').waitFor()
    t.same(
      await servers(page),
      ['drifted', 'failing', 'missing', 'stale', 'accepted', 'synced'],
      'in order of attention',
    )
    for (const place of ['.row .state .word', '.count .word']) {
      const states = page.locator(place)
      t.same(
        (await states.allInnerTexts()).map((text) => text.trim()),
        words,
        place,
      )
      const icons = await states.locator('svg').evaluateAll((all) => all.map(({ innerHTML }) => innerHTML))
      t.equal(new Set(icons.filter(Boolean)).size, words.length, `${place}: shapes`)
      const colours = await states.evaluateAll((all) => all.map((each) => getComputedStyle(each).color))
      t.equal(new Set(colours).size, words.length, `${place}: colours, ${colorScheme}`)
    }
    t.same(await told(page), Object.fromEntries(words.map((word) => [word, '1'])))
    const bars = await page
      .locator('.row')
      .evaluateAll((all) => all.map((each) => getComputedStyle(each, '::before').background))
    t.equal(new Set(bars).size, words.length, 'a bar at the edge of the row')
  }
  const { page } = await open(t, server, {}, '?group=repo')
  await row(page, 'drifted').waitFor()
  t.equal(
    (await page.locator('.repo-line').innerText()).replace(/\s+/g, ' '),
    `rsyslog ${words.map((word) => `1 ${word.toLowerCase()}`).join(' ')}`,
  )
})

t.test('a failed check over a verdict in sync, and a target that was never checked', IN_BROWSER, async (t) => {
  const { server, page } = await open(t)
  const reason = `\u202Egnp.exe <img src=x onerror=alert(1)>\nline 2 ${'x'.repeat(3900)} end`
  await post(server.url, {
    ...snapshotOf({ server: 'lab' }, [], minutesAgo(8)),
    pipeline_url: 'https://ci.example.net/1',
  })
  await look(page)
  await titled(page, /^in sync/)
  await eventually(async () => matches(await iconOf(page), /in-sync/))
  t.match(Object.keys(await told(page)), ['Out of sync', 'Stale', 'In sync'], 'no count of what is nowhere')

  await post(server.url, failedCheckOf({ server: 'lab' }, 'first', minutesAgo(7)))
  await post(server.url, failedCheckOf({ server: 'lab' }, reason))
  await look(page)
  const lab = row(page, 'lab')
  await lab.locator('.state').getByText('Check failing').waitFor()
  t.match(await told(page), { 'Check failing': '1', 'In sync': '0' })
  await titled(page, /^\(1\) check failing/)
  await eventually(async () => matches(await iconOf(page), /failing/))
  await announced(page, /lab of rsyslog: Check failing/)
  t.match(await lab.locator('.since').innerText(), /^failing for 7 min\s+last check: in sync$/)
  const shown = await lab.locator('.reason bdi').innerText()
  t.match(shown, '‹U+202E›gnp.exe <img src=x onerror=alert(1)> line 2', 'only text, isolated, in one line')
  t.ok(shown.length < 250, 'and not all of it')
  t.equal(await lab.getByRole('link').getAttribute('href'), 'https://ci.example.net/failed')
  await lab.getByRole('button').click()
  const details = await lab.locator('.details').innerText()
  t.match(details, /The check has failed since .+, most recently at .+:\s+‹U\+202E›gnp.+\nline 2 x+ end\n/)
  t.match(details, 'The last check said in sync. Whether that is still so is not known.')
  t.match(details, /Last check[^]*In sync since[^]*Pipeline of the last check/)
  t.equal(await lab.locator('.why bdi').count(), 1)
  t.equal(await lab.locator('.details a').getAttribute('href'), 'https://ci.example.net/1')

  const old = formatTime(Date.now() - DAY)
  await post(server.url, [
    snapshotOf({ server: 'lab' }),
    failedCheckOf({ server: 'new' }, 'no such host', minutesAgo(60)),
    snapshotOf({ server: 'old' }, ['x', 'y'], old),
  ])
  await look(page)
  await lab.locator('.state').getByText('In sync').waitFor()
  t.equal(await lab.locator('.reason').count(), 0, 'a completed check ends it')
  await titled(page, /^\(1\) never checked/)
  await eventually(async () => matches(await iconOf(page), /missing/))
  t.same(await servers(page), ['new', 'old', 'lab'])
  t.match(await row(page, 'new').innerText(), /Never checked[^]*no such host[^]*known for 1 h[^]*never/)
  t.match(await row(page, 'old').innerText(), /Stale[^]*no check for 1 d\s+last check: out of sync, 2.files/)
  await row(page, 'new').getByRole('button').click()
  t.match(await row(page, 'new').locator('.details').innerText(), 'No check of this target was ever completed.')
  await row(page, 'old').getByRole('button').click()
  t.match(await row(page, 'old').locator('.details').innerText(), 'The last check said out of sync. It is too old')

  await page.getByRole('button', { name: 'Never checked' }).click()
  await eventually(async () => matches(await servers(page), ['new']))
  t.equal(new URL(page.url()).search, '?status=missing')
  await post(server.url, [failedCheckOf({ server: 'new' }), failedCheckOf({ server: 'a' }, 'why', minutesAgo(5))])
  await look(page)
  await page.getByText('No target matches').waitFor()
  t.match(await told(page), { 'Never checked': '0', 'Check failing': '2' }, 'what is filtered by can be taken back')
  await page.getByRole('button', { name: 'Never checked' }).click()
  // The longest failing first.
  await eventually(async () => matches(await servers(page), ['new', 'a', 'old', 'lab']))
  t.equal(await page.getByRole('button', { name: 'Never checked' }).count(), 0)
  t.match(await row(page, 'new').locator('.since').innerText(), /never checked/)
  const other = (await open(t, server, {}, '?status=failing,in-sync')).page
  await row(other, 'a').waitFor()
  t.same(await servers(other), ['new', 'a', 'lab'], 'from the address')
})

t.test('the head never says that all is well over something that is not', IN_BROWSER, async (t) => {
  for (const [state, title] of [
    ['accepted', /^\(1\) accepted/],
    ['missing', /^\(1\) never checked/],
    ['stale', /^\(1\) stale/],
    ['failing', /^\(1\) check failing/],
    ['drifted', /^\(1\) out of sync/],
  ] as const) {
    const server = await serve(t, withHead(t, { accepted: [ruleOf({ server: 'accepted' })] }))
    await post(
      server.url,
      EACH_STATE.filter((each) => 'server' in each && [state, 'synced'].includes(String(each.server))),
    )
    const { page } = await open(t, server)
    await row(page, state).waitFor()
    await titled(page, title)
    await eventually(async () => matches(await iconOf(page), `/${state === 'drifted' ? 'drift' : state}-`))
    const sentences = await page.locator('.verdict span').evaluateAll((all) => all.map(({ className }) => className))
    t.same(sentences, [state === 'drifted' ? 'drift' : state, 'in-sync'], 'the verdict, the worst first')
    t.match(await page.locator('footer').innerText(), /^Connected, newest check just now\b/, 'a footnote')
    const colourOf = async (selector: string, property: 'backgroundColor' | 'color'): Promise<string> =>
      page.locator(selector).evaluate((element, name) => getComputedStyle(element)[name], property)
    t.not(await colourOf('.lamp', 'backgroundColor'), await colourOf('.row .word.in-sync', 'color'), 'no green lamp')
  }
})

t.test('a document of version 0.1 is shown, and a state of a later version is not in sync', IN_BROWSER, async (t) => {
  const { server, page } = await open(t)
  await post(server.url, [
    snapshotOf({ server: 'synced' }),
    snapshotOf({ server: 'stale' }, [], formatTime(Date.now() - DAY)),
    snapshotOf({ server: 'drifted' }, ['x']),
  ])
  const later = '\u202Equarantined'
  let isLater = false
  const statesOf = (state: unknown): object => (isLater ? { state: state === 'synced' ? later : state } : {})
  await page.route('**/status.json', async (route) => {
    const headers = { ...route.request().headers(), 'if-none-match': '' }
    const response = await route.fetch({ headers })
    const document = (await response.json()) as { statuses: { state?: unknown }[] }
    const statuses = document.statuses.map(({ state, ...status }) => ({ ...status, ...statesOf(state) }))
    return route.fulfill({ response, json: { ...document, statuses, summary: undefined } })
  })
  await look(page)
  await row(page, 'synced').waitFor()
  t.same(await servers(page), ['drifted', 'stale', 'synced'])
  t.same(await told(page), { 'Out of sync': '1', Stale: '1', 'In sync': '1' })
  t.match(await row(page, 'drifted').innerText(), /Out of sync[^]*x[^]*drifted for/)

  isLater = true
  await look(page)
  await eventually(async () => matches(await told(page), { 'Out of sync': '1', Stale: '2', 'In sync': '0' }))
  t.match(await row(page, 'synced').innerText(), /Stale[^]*in a state that this page does not know/)
  await row(page, 'synced').getByRole('button').click()
  t.match(
    await row(page, 'synced').locator('.details').innerText(),
    'The server calls the state ‹U+202E›quarantined, which this page does not know. The last check said in sync.',
  )
})

t.test('everything can be done with the keyboard', IN_BROWSER, async (t) => {
  const { server, page } = await open(t)
  await post(
    server.url,
    [1, 2, 3].map((number) => snapshotOf({ server: `s${number}` }, ['x'], formatTime(1e12 + number))),
  )
  await look(page)
  await row(page, 's1').waitFor()
  const focused = async (): Promise<string> => page.evaluate(() => document.activeElement?.textContent ?? '')
  await page.keyboard.press('/')
  await page.keyboard.type('s')
  await page.keyboard.press('ArrowDown')
  t.match(await focused(), /^s1/)
  await page.keyboard.press('ArrowDown')
  await eventually(async () => matches(await focused(), /^s2/))
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowDown')
  await eventually(async () => matches(await focused(), /^s3/))
  await page.keyboard.press('ArrowUp')
  await eventually(async () => matches(await focused(), /^s2/))
  await page.keyboard.press('Enter')
  await row(page, 's2').locator('.details').waitFor()
  t.equal(await row(page, 's2').getByRole('button').getAttribute('aria-expanded'), 'true')
  await post(server.url, snapshotOf({ server: 's2' }))
  await look(page)
  await row(page, 's2').locator('.state').getByText('In sync').waitFor()
  t.match(await focused(), /^s2/, 'the focus stays where it is when the row moves')
  await page.keyboard.press('Enter')
  await row(page, 's2').locator('.details').waitFor({ state: 'detached' })
  await page.keyboard.press('Escape')
  t.equal(new URL(page.url()).search, '', 'Esc clears the filter')
})

t.test('the strip of seven days tells each stretch, to the pointer and to the keyboard', IN_BROWSER, async (t) => {
  const dataDir = directory(t)
  const now = Date.now()
  const rows = [
    { ago: 20, sync_status: 'SYNCED', drift_count: 0, files: [], stale: false },
    { ago: 5, sync_status: 'OUT_OF_SYNC', drift_count: 2, files: ['a', 'b'], stale: false },
    { ago: 4, sync_status: 'OUT_OF_SYNC', drift_count: 2, files: ['a', 'b'], stale: true },
    { ago: 3, sync_status: 'SYNCED', drift_count: 0, files: [], stale: false },
  ].map(({ ago, ...row }) => ({
    time: formatTime(now - ago * DAY),
    repo: 'rsyslog',
    server: 'lab',
    ...row,
    generation: 1,
    changes: ['status_changed'],
    cause: 'snapshot',
  }))
  writeFileSync(join(dataDir, 'status.json'), JSON.stringify({ statuses: [snapshotOf({ server: 'lab' })] }))
  writeFileSync(join(dataDir, 'history.jsonl'), rows.map((each) => `${JSON.stringify(each)}\n`).join(''))
  const { server, page } = await open(t, await serve(t, dataDir))
  const strip = row(page, 'lab').getByRole('slider', { name: 'Last 7 days' })
  await strip.waitFor()
  t.match(await strip.getAttribute('aria-valuetext'), /^In sync: .+ – now \(3 d\)$/)
  await strip.focus()
  await page.keyboard.press('ArrowLeft')
  await eventually(async () => matches(await strip.getAttribute('aria-valuetext'), /^Stale: .+ – .+ \(1 d\)$/))
  await page.keyboard.press('ArrowLeft')
  await eventually(async () =>
    matches(await strip.locator('.tip').innerText(), /^Out of sync, 2 differences: .+ \(1 d\)$/),
  )
  await page.keyboard.press('Home')
  await eventually(async () =>
    matches(await strip.locator('.tip').innerText(), /^In sync: before .+ \(more than (2 d|1 d 23 h)\)$/),
  )
  await page.keyboard.press('Escape')
  await strip.locator('.tip').waitFor({ state: 'detached' })
  const box = await strip.boundingBox()
  await page.mouse.move((box?.x ?? 0) + (box?.width ?? 0) * (2.5 / 7), (box?.y ?? 0) + 10)
  await eventually(async () => matches(await strip.locator('.tip').innerText(), /^Out of sync, 2 differences/))

  await page.mouse.move(0, 0)
  await post(server.url, snapshotOf({ server: 'lab' }, ['c']))
  await look(page)
  await eventually(async () =>
    matches(await strip.getAttribute('aria-valuetext'), /^Out of sync, 1 difference: .+ – now/),
  )
})

t.test('the strip shows failed, missing and accepted checks, and a removal as a gap', IN_BROWSER, async (t) => {
  const dataDir = directory(t)
  const target = { repo: 'rsyslog', server: 'lab', drift_count: 0, files: [], generation: 1, cause: 'snapshot' }
  const rows = [
    { ago: 6, state: 'missing', sync_status: null, stale: true, changes: ['first_seen'] },
    { ago: 5, state: 'failing', sync_status: null, stale: true, changes: ['check_failed', 'state_changed'] },
    { ago: 4, state: null, sync_status: null, stale: false, changes: ['removed'] },
    { ago: 3, state: 'failing', sync_status: 'SYNCED', stale: false, changes: ['first_seen'] },
    { ago: 2.5, state: 'later', sync_status: 'SYNCED', stale: false, changes: ['state_changed'] },
    { ago: 2, state: 'accepted', sync_status: 'OUT_OF_SYNC', stale: false, drift_count: 2, changes: ['accepted'] },
    { ago: 1, state: 'synced', sync_status: 'SYNCED', stale: false, changes: ['state_changed'] },
  ].map(({ ago, ...row }) => ({ time: formatTime(Date.now() - ago * DAY), ...target, ...row }))
  writeFileSync(join(dataDir, 'status.json'), JSON.stringify({ statuses: [snapshotOf({ server: 'lab' })] }))
  const { page } = await open(t, await serve(t, dataDir))
  await page.route('**/api/history?*', async (route) => route.fulfill({ json: rows }))
  await page.reload()
  const strip = row(page, 'lab').getByRole('slider', { name: 'Last 7 days' })
  await strip.waitFor()
  await strip.focus()
  const seen = [await strip.getAttribute('aria-valuetext')]
  for (let left = 5; left > 0; left -= 1) {
    await page.keyboard.press('ArrowLeft')
    await eventually(async () => matches((await strip.getAttribute('aria-valuetext')) === seen.at(-1), false))
    seen.push(await strip.getAttribute('aria-valuetext'))
  }
  t.match(seen, [
    /^In sync: .+ – now \(1 d\)$/,
    /^Accepted, 2 differences: .+ \(1 d\)$/,
    /^Stale: .+ \(12 h\)$/,
    /^Check failing: .+ \(12 h\)$/,
    /^Check failing: .+ \(1 d\)$/,
    /^Never checked: .+ \(1 d\)$/,
  ])
  const paths = strip.locator('path:not(.track):not(.chosen)')
  const tops = await paths.evaluateAll((all) =>
    all.map((path) => /^M[\d.]+ (\d+)/.exec(path.getAttribute('d') ?? '')?.[1]).filter((top) => top !== undefined),
  )
  t.equal(new Set(tops).size, 5, `heights: ${tops.join(', ')}`)
  const fills = await paths.evaluateAll((all) => all.map((path) => getComputedStyle(path).fill))
  t.equal(new Set(fills.filter((fill) => fill !== 'rgb(0, 0, 0)')).size, 6, 'colours, none of them the default')
})

t.test(
  'connection lost: the page says so, keeps the data without colours, and comes back by itself',
  IN_BROWSER,
  async (t) => {
    const dataDir = directory(t)
    const { server, page } = await open(t, await serve(t, dataDir), { ownClock: true })
    await post(server.url, snapshotOf({ server: 'lab' }))
    await look(page)
    await row(page, 'lab').waitFor()
    await server.stop()
    await look(page)
    await page.getByRole('alert').filter({ hasText: 'Connection lost' }).waitFor()
    t.match(await page.getByRole('alert').innerText(), /The server cannot be reached\. The page shows the state of/)
    t.match(await page.locator('footer').innerText(), /Not connected/)
    await titled(page, /connection lost/)
    await eventually(async () => matches(await iconOf(page), /lost/))
    t.equal(await row(page, 'lab').count(), 1)
    t.equal(await page.locator('.document').evaluate((element) => getComputedStyle(element).filter), 'grayscale(1)')

    const again = await serve(t, dataDir, { port: Number(new URL(server.url).port) })
    await page.clock.fastForward(2 * POLL_MS)
    await page.getByRole('alert').waitFor({ state: 'detached' })
    t.match(
      await page.locator('footer').innerText(),
      /Connected, newest check/,
      'within the twice five seconds of the first retry',
    )
    t.equal(again.url, server.url)
  },
)

t.test('a rejected edit stands as a banner with file, line and column, until it is mended', IN_BROWSER, async (t) => {
  const { server, page } = await open(t)
  await post(server.url, snapshotOf({ server: 'lab' }))
  const good = readFileSync(server.file, 'utf8')
  writeFileSync(server.file, good.replace('"SYNCED"', '"SYNCD"'))
  await eventually(async () => matches((await ask(`${server.url}/readyz`)).json, { problems: [{}] }))
  await look(page)
  const banner = page.getByRole('alert').filter({ hasText: 'An edit was rejected' })
  await banner.waitFor()
  t.match(await banner.innerText(), /line \d+, column \d+[^]*\/statuses\/0\/sync_status/)
  t.equal(await row(page, 'lab').count(), 1, 'and the last good document is shown')
  writeFileSync(server.file, good)
  await eventually(async () =>
    matches(((await ask(`${server.url}/readyz`)).json as { problems: [] }).problems.length, 0),
  )
  await look(page)
  await banner.waitFor({ state: 'detached' })
})

t.test('hostile names and texts are only text', IN_BROWSER, async (t) => {
  const { server, page } = await open(t, undefined, { viewport: { width: 1200, height: 20_000 } })
  let dialogs = 0
  const requests: string[] = []
  page.on('dialog', async (dialog) => {
    dialogs += 1
    await dialog.dismiss()
  })
  page.on('request', (request) => requests.push(request.url()))
  const long = `${'x'.repeat(4090)}.conf`
  await post(
    server.url,
    HOSTILE_NAMES.map((name) => ({
      ...snapshotOf({ repo: name, server: name }, [name, long]),
      note: name,
      branch: name,
    })),
  )
  // What a post may not bring, an edit or another web server's copy might.
  await page.route('**/status.json', async (route) => {
    const response = await route.fetch()
    if (response.status() === 304) return route.fulfill({ response })
    const document = (await response.json()) as { statuses: { repo: string; pipeline_url?: string }[] }
    for (const status of document.statuses) {
      status.pipeline_url = 'javascript:alert(1)'
      if (status.repo === 'null') status.repo = '\u202Egnp.exe'
    }
    return route.fulfill({ response, json: { ...document, statuses: [null, 7, {}, ...document.statuses] } })
  })
  await page.reload()
  await page.locator('.row').first().waitFor()
  for (const button of await page.locator('.name button').all()) await button.click()
  await eventually(async () => matches(await page.locator('.number').first().innerText(), String(HOSTILE_NAMES.length)))
  const text = await page.locator('.targets').innerText()
  t.match(text, '<script>alert(1)</script>')
  t.match(text, '‹U+202E›gnp.exe', 'what would turn the text around is spelt out')
  t.equal(await page.locator('.targets script, .targets img').count(), 0)
  t.equal(await page.locator('a[href^="javascript"]').count(), 0)
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
  t.equal(overflow, 0, 'nothing makes the page wider')
  t.equal(dialogs, 0)
  t.same(
    requests.filter((url) => !url.startsWith(`${server.url}/`)),
    [],
    'nobody else is asked for anything',
  )
})

t.test('axe-core finds nothing, whatever the page shows', IN_BROWSER, async (t) => {
  const dataDir = directory(t)
  const looks: [name: string, options: BrowserContextOptions & { query?: string }][] = [
    ['light', {}],
    ['dark', { colorScheme: 'dark' }],
    ['phone', { viewport: { width: 360, height: 740 } }],
    ['grouped', { query: '?group=repo' }],
    ['wall', { query: '?kiosk' }],
    ['high contrast', { forcedColors: 'active' }],
  ]
  writeFileSync(
    join(dataDir, 'status.json'),
    JSON.stringify({
      accepted: [ruleOf({ server: 'accepted' })],
      links: { '*': { commit: 'https://git.example.net/{commit}', file: 'https://git.example.net/{commit}/{file}' } },
      statuses: [],
    }),
  )
  const server = await serve(t, dataDir)
  const empty = await open(t, server)
  await empty.page.getByText('No target yet').waitFor()
  t.same(await violations(empty.page), [], 'empty')
  await post(server.url, [
    {
      ...snapshotOf({ server: 'lab' }, ['a.conf', 'b.conf']),
      files: [
        { name: 'a.conf', diff: '@@ -1 +1 @@\n-old\n+new\n' },
        { name: 'service rsyslog', kind: 'other' },
      ],
      note: 'ticket 123',
      pipeline_url: 'https://ci.example.net/318',
      commit: 'f3a9c1d27be0',
      labels: { env: 'prod', owner: 'team-a' },
    },
    snapshotOf({ server: 'accepted' }, ['x']),
    snapshotOf({ server: 'old' }, ['x'], formatTime(Date.now() - DAY)),
    snapshotOf({ server: 'fine' }),
    failedCheckOf({ server: 'fails' }),
    failedCheckOf({ server: 'new' }, 'no such host', minutesAgo(60)),
  ])
  for (const [name, { query = '', ...options }] of looks) {
    const { page } = await open(t, server, options, query)
    await row(page, 'lab').getByRole('slider').waitFor()
    await row(page, 'lab').getByRole('button').click()
    await row(page, 'lab').getByText('Difference').click()
    await row(page, 'fails').getByRole('button').click()
    await row(page, 'accepted').getByRole('button').click()
    await row(page, 'lab').getByRole('slider').focus()
    t.same(await violations(page), [], name)
    if (name === 'light') {
      writeFileSync(server.file, '{')
      await eventually(async () => matches((await ask(`${server.url}/readyz`)).json, { problems: [{}] }))
      await look(page)
      await page.getByRole('alert').waitFor()
      t.same(await violations(page), [], 'with a rejected edit')
      await page.route('**/*', (route) => route.abort())
      await look(page)
      await page.getByRole('alert').filter({ hasText: 'Connection lost' }).waitFor()
      t.same(await violations(page), [], 'connection lost')
    }
  }
})

t.test(
  '10,000 targets: what is seen is rendered, all of it can be reached, and all of it is printed',
  IN_BROWSER,
  async (t) => {
    const dataDir = directory(t)
    const statuses = Array.from({ length: 10_000 }, (_, index) => snapshotOf({ server: numbered(index) }))
    writeFileSync(join(dataDir, 'status.json'), JSON.stringify({ statuses }))
    const { page } = await open(t, await serve(t, dataDir))
    await row(page, numbered(0)).waitFor()
    t.ok((await page.locator('.row').count()) < 60)
    await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight))
    await row(page, numbered(9999)).waitFor()
    t.equal(await page.locator('li:last-child').getAttribute('aria-posinset'), '10000')
    await page.keyboard.press('/')
    await page.keyboard.type('server-07777')
    await row(page, numbered(7777)).waitFor()
    t.same(await servers(page), [numbered(7777)])
    await page.keyboard.press('Escape')
    await page.keyboard.type('0777')
    await row(page, numbered(7770)).waitFor()
    await page.evaluate(() => window.dispatchEvent(new Event('beforeprint')))
    t.equal(await page.locator('.row').count(), (await servers(page)).length)
    await page.keyboard.press('Escape')
    await eventually(async () => matches(await page.locator('.row').count(), 10_000))
    await page.evaluate(() => window.dispatchEvent(new Event('afterprint')))
    t.ok((await page.locator('.row').count()) < 60)
  },
)

t.test(
  'any web server can serve the page beside the file, below any path; an old copy never looks fresh',
  IN_BROWSER,
  async (t) => {
    const { root, url } = await staticSite(t)
    const reason = 'x'.repeat(4096 + 1000)
    const copy = (lastCheck: number, others: object = {}): void => {
      const status = { ...snapshotOf({ server: 'lab' }, [], formatTime(lastCheck)), stale: false, ...others }
      writeFileSync(join(root, 'status.json'), JSON.stringify({ generation: 7, statuses: [status] }))
    }
    copy(Date.now())
    const page = await newPage(t)
    await page.goto(url)
    await row(page, 'lab').waitFor()
    t.equal(await page.getByRole('alert').count(), 0)
    t.equal(await page.locator('.with-strips').count(), 0, 'there is no history, and none is drawn')
    copy(Date.now() - DAY)
    await look(page)
    const banner = page.getByRole('alert').filter({ hasText: 'Nothing newer than 1 d' })
    await banner.waitFor()
    await titled(page, /^\(\?\) old copy/)
    await eventually(async () => matches(await iconOf(page), /lost/))
    const failingAt = (at: string): object => ({ state: 'failing', failed_check: { since: at, at, reason } })
    copy(Date.now() - DAY, failingAt(minutesAgo(1)))
    await look(page)
    await banner.waitFor({ state: 'detached' })
    await titled(page, /^\(1\) check failing/)
    await row(page, 'lab').getByRole('button').click()
    t.match(await row(page, 'lab').locator('.details').innerText(), 'Cut here: 1,000 characters more')
    t.equal((await page.locator('.why').innerText()).length, 4096)
    copy(Date.now() - 2 * DAY, failingAt(formatTime(Date.now() - DAY)))
    await look(page)
    await banner.waitFor()
    writeFileSync(join(root, 'status.json'), '{ "statuses": [')
    await look(page)
    await page.getByRole('alert').filter({ hasText: 'The answer is not JSON' }).waitFor()
    t.equal(await row(page, 'lab').count(), 1)
  },
)

t.test('a static copy accepts nothing any longer than the file says', IN_BROWSER, async (t) => {
  const { root, url } = await staticSite(t)
  const page = await newPage(t, { ownClock: true })
  const minutesAhead = (minutes: number): string => minutesAgo(-minutes)
  const accepted = (server: string, others: object = {}): object => ({
    ...snapshotOf({ server }, ['x']),
    since: minutesAgo(20),
    state: 'accepted',
    stale: false,
    accepted_until: minutesAhead(5),
    accepted_reason: 'ticket 123',
    ...others,
  })
  const failed = { failed_check: { since: minutesAgo(3), at: minutesAgo(2), reason: 'no route' } }
  const statuses = [
    accepted('drifted'),
    accepted('stale', { stale: true, last_check: minutesAgo(30) }),
    accepted('failing', { ...snapshotOf({ server: 'failing' }), ...failed }),
    accepted('new', { files: [], drift_count: 0, sync_status: null, last_check: null, ...failed }),
    accepted('later', { accepted_until: minutesAhead(60) }),
    accepted('endless', { accepted_until: undefined }),
    accepted('ancient', { accepted_until: '1969-12-31T00:00:00Z' }),
  ]
  writeFileSync(join(root, 'status.json'), JSON.stringify({ statuses }))
  await page.goto(url)
  await row(page, 'later').waitFor()
  t.same(await told(page), { 'Out of sync': '2', Stale: '0', Accepted: '5', 'In sync': '0' })
  t.same((await servers(page)).slice(0, 2), ['ancient', 'endless'])

  await page.clock.fastForward(6 * 60_000)
  await eventually(async () =>
    matches(await told(page), { 'Out of sync': '3', 'Check failing': '2', Stale: '1', Accepted: '1' }),
  )
  t.match(await row(page, 'drifted').innerText(), /^Out of sync[^]*drifted for/)
  t.equal(await row(page, 'drifted').locator('.reason').count(), 0)
  t.match(await row(page, 'stale').innerText(), /^Stale[^]*last check: out of sync/)
  t.match(await row(page, 'failing').innerText(), /^Check failing[^]*no route[^]*last check: in sync/)
  t.match(await row(page, 'later').innerText(), /^Accepted[^]*ticket 123/)
  await announced(page, /targets have changed/)
})

t.test('accepted: until when and why, as text, and what it is that is accepted', IN_BROWSER, async (t) => {
  const until = Date.now() + 30 * DAY
  const reason = `\u202Egnp.exe <img src=x onerror=alert(1)>\nline 2 ${'x'.repeat(3900)} end`
  const maintenance = { server: 'm-*', stale: true, reason: 'new racks' }
  const server = await serve(
    t,
    withHead(t, { accepted: [ruleOf({ server: 'lab', until: formatTime(until), reason }), ruleOf(maintenance)] }),
  )
  await post(server.url, [
    snapshotOf({ server: 'lab' }, ['x', 'y'], minutesAgo(3)),
    snapshotOf({ server: 'm-stale' }, [], formatTime(Date.now() - DAY)),
    snapshotOf({ server: 'm-failing' }, [], minutesAgo(9)),
    failedCheckOf({ server: 'm-failing' }),
    snapshotOf({ server: 'fine' }),
  ])
  const { page } = await open(t, server)
  const lab = row(page, 'lab')
  await lab.waitFor()
  t.same(await told(page), { 'Out of sync': '0', Stale: '0', Accepted: '3', 'In sync': '1' })
  const [, month = '', year = ''] = / (\w+) (\d+)$/.exec(
    new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium' }).format(until),
  ) ?? ['']
  const shown = await lab.locator('.reason').innerText()
  t.match(
    shown,
    new RegExp(
      `^until \\d+ ${month} ${year}, \\d\\d:\\d\\d: ‹U\\+202E›gnp.exe <img src=x onerror=alert\\(1\\)> line 2 x`,
    ),
  )
  t.ok(shown.length < 300, 'not all of it')
  t.equal(await lab.locator('.reason bdi').count(), 1)
  t.match(await lab.locator('.since').innerText(), /^x, y\s+drifted for 3 min$/)
  await lab.getByRole('button').click()
  const details = await lab.locator('.details').innerText()
  t.match(details, /^Accepted until .+:\d\d .+:\s+‹U\+202E›gnp.+\nline 2 x+ end\n/)
  t.match(details, /x\s+drifted[^]*Out of sync since/)
  t.equal(await lab.locator('.why img').count(), 0)

  t.match(await row(page, 'm-stale').innerText(), /^Accepted[^]*new racks[^]*no check for 1 d\s+last check: in sync/)
  t.match(
    await row(page, 'm-failing').innerText(),
    /^Accepted[^]*no route to host[^]*new racks[^]*failing for 1 min\s+last check: in sync/,
  )
  await row(page, 'm-failing').getByRole('button').click()
  t.match(await row(page, 'm-failing').locator('.details').innerText(), 'Whether that is still so is not known.')

  await page.getByRole('button', { name: 'Accepted' }).click()
  await eventually(async () => matches((await servers(page)).includes('fine'), false))
  t.equal(new URL(page.url()).search, '?status=accepted')
  await page.keyboard.press('Escape')
  await page.keyboard.press('/')
  for (const [query, found] of [
    ['new racks', ['m-stale', 'm-failing']],
    ['ROUTE', ['m-failing']],
  ] as const) {
    await page.keyboard.type(query)
    await eventually(async () => matches(await servers(page), found))
    await page.keyboard.press('Escape')
    await eventually(async () => matches((await servers(page)).length, 4))
  }

  // An acceptance taken back is announced like a drift.
  const { accepted, ...others } = fileOf(server)
  writeFileSync(server.file, JSON.stringify({ accepted: accepted?.slice(1), ...others }))
  await eventually(async () => {
    await look(page)
    matches(await told(page), { 'Out of sync': '1', Accepted: '2' })
  })
  await announced(page, /lab of rsyslog: Out of sync, 2 files/)
})

t.test('three lists, in the address: servers, files and repositories', IN_BROWSER, async (t) => {
  const { server, page } = await open(t)
  await post(server.url, [
    differing('db-1', [{ name: 'sshd_config', diff: '-a\n+b\n' }, { name: 'only.conf' }]),
    differing('db-2', [{ name: 'sshd_config', diff: '-a\n+b\n' }]),
    differing('db-3', [{ name: 'sshd_config', diff: '-a\n+c\n' }]),
    snapshotOf({ repo: 'nginx', server: 'web-1' }, ['sshd_config'], minutesAgo(300)),
    snapshotOf({ repo: 'other', server: 'fine' }),
  ])
  await look(page)
  await row(page, 'db-1').waitFor()
  const lines = async (): Promise<string[][]> =>
    page
      .locator('.lines tbody tr')
      .evaluateAll((all) => all.map((line) => [...line.children].map((cell) => (cell as HTMLElement).innerText)))

  await page.getByRole('button', { name: 'Files' }).click()
  t.equal(new URL(page.url()).search, '?list=files')
  t.match(await lines(), [
    ['sshd_config', 'rsyslog', '3 servers', /./, 'db-3'],
    ['sshd_config', 'nginx', '1 server: web-1', /./, ''],
    ['only.conf', 'rsyslog', '1 server: db-1', /./, ''],
  ])
  t.equal(await page.locator('.controls output').innerText(), '3 files')
  await page.keyboard.press('/')
  await page.keyboard.type('only')
  await eventually(async () => matches(await lines(), { length: 1 }))
  await page.keyboard.press('Enter')
  await page.keyboard.press('Enter')
  await eventually(async () => matches(await servers(page), ['db-1']))
  t.equal(new URL(page.url()).search, '?q=only.conf', 'a line opens the servers on which it differs')

  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Repositories' }).click()
  const repositories = (await lines()).map((cells) =>
    cells.map((cell) => cell.replaceAll(/\s+/g, ' ').trim()).join('|'),
  )
  t.match(repositories, [
    /^rsyslog\|3\|3 out of sync\|/,
    /^nginx\|1\|1 stale\|5 h ago ?, silent since$/,
    /^other\|1\|1 in sync\|just now$/,
  ])
  t.same(await violations(page), [])
  await page.getByRole('button', { name: 'nginx' }).click()
  await eventually(async () => matches(await servers(page), ['web-1']))
})

t.test('the order of the servers: the worst, the newest, or by name', IN_BROWSER, async (t) => {
  const { server, page } = await open(t)
  await post(server.url, [
    snapshotOf({ server: 'b' }, ['x'], minutesAgo(9)),
    snapshotOf({ server: 'c' }, ['x'], minutesAgo(2)),
    snapshotOf({ server: 'a' }),
    { ...snapshotOf({ server: 'd' }, [], minutesAgo(300)) },
  ])
  await look(page)
  await row(page, 'a').waitFor()
  t.same(await servers(page), ['b', 'c', 'd', 'a'])
  await page.getByLabel('Order').selectOption('Newest first')
  await eventually(async () => matches(await servers(page), ['c', 'b', 'd', 'a']))
  t.equal(new URL(page.url()).search, '?order=newest')
  await page.getByLabel('Order').selectOption('By name')
  await eventually(async () => matches(await servers(page), ['a', 'b', 'c', 'd']))
})

t.test('differences that are not files are named, and are no files', IN_BROWSER, async (t) => {
  const server = await serve(t, withHead(t, { links: { '*': { file: 'https://git.example.net/{file}' } } }))
  const long = `service ${'x'.repeat(4000)}`
  await post(server.url, [
    differing('two', [{ name: 'a.conf' }, other('service <b>rsyslog')]),
    differing('many', [other('a'), other('b'), other('c')]),
    differing('long', [{ name: 'a.conf' }, other(long), { name: 'b.conf' }]),
    differing('old', [other('package nginx')], { last_check: formatTime(Date.now() - DAY) }),
    differing('countless', [
      ...Array.from({ length: 200 }, (_, index) => ({ name: `${index}` })),
      { name: 'y' },
      other('z'),
    ]),
  ])
  const { page } = await open(t, server)
  await row(page, 'two').waitFor()
  t.match(await row(page, 'two').locator('.since').innerText(), /^a.conf, service <b>rsyslog\s+drifted/)
  t.match(await row(page, 'many').locator('.since').innerText(), /^a, b, c\s+drifted/)
  t.match(await row(page, 'long').locator('.since').innerText(), /^a.conf, service x{51}…, b.conf\s+drifted/)
  t.match(await row(page, 'old').locator('.since').innerText(), /last check: out of sync, package nginx$/)
  await row(page, 'two').getByRole('button').click()
  const details = row(page, 'two').locator('.details')
  t.same(await details.locator('.file code').allInnerTexts(), ['a.conf'])
  t.same(await details.locator('.file .other').allInnerTexts(), ['service <b>rsyslog'])
  t.same(await details.getByRole('link').allInnerTexts(), ['a.conf\n, in a new tab'])
  await row(page, 'countless').getByRole('button').click()
  t.match(await row(page, 'countless').locator('.details').innerText(), 'And 1 file, z more, in status.json.')
  await post(server.url, differing('two', [other('service rsyslog'), { name: 'c.conf' }, { name: 'b.conf' }]))
  await look(page)
  await announced(page, /two of rsyslog: Out of sync, 2 files, service rsyslog/)
})

t.test('commits and files lead to their pages; labels are shown and found', IN_BROWSER, async (t) => {
  const git = 'https://git.example.net'
  const links = {
    'rsys*': {
      commit: `${git}/{repo}/commit/{commit}`,
      file: `${git}/{repo}/src/{branch}/{file}?on={server}&at={commit}`,
    },
    '*': { commit: `${git}/any/{commit}` },
  }
  const server = await serve(t, withHead(t, { links }))
  const commit = { commit: 'f3a9 #1', branch: 'feature/a' }
  await post(server.url, [
    {
      ...snapshotOf({ server: 'lab' }, ['etc/ü?.conf', '../up']),
      ...commit,
      labels: { env: 'prod', owner: '<b>team' },
    },
    { ...snapshotOf({ server: 'no-branch' }, ['x']), commit: 'abc', labels: { env: 'lab' } },
    { ...snapshotOf({ repo: 'nginx', server: 'edge' }, ['x']), ...commit },
    snapshotOf({ server: 'none' }, ['x']),
  ])
  const { page } = await open(t, server)
  const detailsOf = async (name: string) => {
    await row(page, name).waitFor()
    await row(page, name).getByRole('button').click()
    return row(page, name).locator('.details')
  }
  const addresses = async (name: string): Promise<(string | null)[]> => {
    const all = await (await detailsOf(name)).getByRole('link').all()
    return Promise.all(all.map(async (link) => link.getAttribute('href')))
  }
  t.same(await addresses('lab'), [
    `${git}/rsyslog/src/feature/a/etc/%C3%BC%3F.conf?on=lab&at=f3a9%20%231`,
    `${git}/rsyslog/commit/f3a9%20%231`,
  ])
  t.same(await addresses('no-branch'), [`${git}/rsyslog/commit/abc`], 'no link without a value')
  t.same(await addresses('edge'), [`${git}/any/f3a9%20%231`], 'the first pattern that matches')
  t.same(await addresses('none'), [])
  const link = row(page, 'lab').locator('.details a').first()
  t.same([await link.getAttribute('rel'), await link.getAttribute('target')], ['noopener noreferrer', '_blank'])
  t.same(await row(page, 'lab').locator('.labels li').allInnerTexts(), ['env=prod', 'owner=<b>team'])
  t.equal(await row(page, 'none').locator('.labels').count(), 0)

  await page.keyboard.press('/')
  await page.keyboard.type('env=PROD')
  await eventually(async () => matches(await servers(page), ['lab']))
  await page.keyboard.press('Escape')

  // What the server refuses, another web server's copy might have.
  let added: object = {}
  await page.route('**/status.json', async (route) => {
    const response = await route.fetch({ headers: { ...route.request().headers(), 'if-none-match': '' } })
    return route.fulfill({ response, json: { ...((await response.json()) as object), ...added } })
  })
  for (const [index, bad] of [
    { 'rsys*': { commit: 'javascript:alert({commit})', file: 'https://{repo}/{file}' } },
    { 'rsys*': null, '*': { commit: `${git}/{commit}` } },
    { 'rsys*': { commit: 7, file: [] } },
    [],
    'links',
  ].entries()) {
    added = { links: bad, generation: 1000 + index }
    await look(page)
    await page.getByText(`Generation ${1000 + index}`).waitFor()
    t.equal(await row(page, 'lab').locator('.details a').count(), 0, JSON.stringify(bad))
    t.equal(await row(page, 'lab').locator('.details code').count(), 3)
  }
  await page.unrouteAll({ behavior: 'wait' })
})

t.test('a target that is expected and never came', IN_BROWSER, async (t) => {
  const server = await serve(t, withHead(t, { expected: [{ repo: 'rsyslog', servers: ['lab', 'new'] }] }))
  await post(server.url, snapshotOf({ server: 'lab' }))
  const { page } = await open(t, server)
  await row(page, 'new').waitFor()
  t.same(await told(page), { 'Out of sync': '0', 'Never checked': '1', Stale: '0', 'In sync': '1' })
  await titled(page, /^\(1\) never checked/)
  t.match(await row(page, 'new').innerText(), /^Never checked[^]*known for[^]*never$/)
  await row(page, 'new').getByRole('button').click()
  t.match(
    await row(page, 'new').locator('.details').innerText(),
    /^No check of this target was ever completed\.\s+Known since/,
  )
})

/** The built page below a path of another web server, beside whatever is put there. */
async function staticSite(t: Test): Promise<{ readonly root: string; readonly url: string }> {
  const root = directory(t)
  cpSync(BUILT, root, { recursive: true })
  const served = createServer((request, response) => {
    // The page's own clock counts.
    response.sendDate = false
    const path = join(root, (request.url ?? '').replace(/^\/some\/prefix\//, '').replace(/\?.*$/, '') || 'index.html')
    if (!request.url?.startsWith('/some/prefix/') || !existsSync(path))
      return response.writeHead(404).end('<h1>nothing</h1>')
    const type = { js: 'text/javascript', css: 'text/css', html: 'text/html' }[path.replace(/.*\./, '')] ?? ''
    return response.writeHead(200, type === '' ? {} : { 'Content-Type': type }).end(readFileSync(path))
  })
  await new Promise<void>((listening) => {
    served.listen(0, '127.0.0.1', listening)
  })
  t.teardown(() => served.close())
  const address = served.address()
  const port = typeof address === 'object' ? address?.port : undefined
  return { root, url: `http://127.0.0.1:${port}/some/prefix/` }
}

interface PageOptions extends BrowserContextOptions {
  /** The test moves the page's clock, which otherwise moves as usual: `page.clock.fastForward()`. */
  readonly ownClock?: boolean
}

async function newPage(t: Test, { ownClock = false, ...options }: PageOptions = {}): Promise<Page> {
  if (browser === undefined) throw new Error('there is no browser')
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options })
  t.teardown(async () => context.close())
  if (ownClock) await context.clock.install()
  const page = await context.newPage()
  page.on('pageerror', (error) => t.fail(`the page threw: ${error.message}`))
  page.on('console', (message) => {
    if (/Content Security Policy|Trusted/.test(message.text())) t.fail(message.text())
  })
  return page
}

/** The page of a server. */
async function open(
  t: Test,
  server?: Server,
  options: PageOptions = {},
  query = '',
): Promise<{ server: Server; page: Page }> {
  const from = server ?? (await serve(t))
  const page = await newPage(t, options)
  await page.goto(`${from.url}/${query}`)
  return { server: from, page }
}

/** What CI posts if it could not check a target. */
function failedCheckOf({ server }: { server: string }, reason = 'ssh: no route to host', at = minutesAgo(1)): object {
  const pipeline = 'https://ci.example.net/failed'
  return { repo: 'rsyslog', server, check_failed: reason, attempted_at: at, pipeline_url: pipeline }
}

/** One target in each state, which is also its name. */
const EACH_STATE = [
  snapshotOf({ server: 'synced' }),
  snapshotOf({ server: 'stale' }, ['x', 'y'], formatTime(Date.now() - DAY)),
  failedCheckOf({ server: 'missing' }, 'no such host', minutesAgo(60)),
  snapshotOf({ server: 'failing' }, [], minutesAgo(9)),
  failedCheckOf({ server: 'failing' }),
  snapshotOf({ server: 'drifted' }, ['x']),
  snapshotOf({ server: 'accepted' }, ['x']),
]

/** A difference that is not a file. */
function other(name: string): object {
  return { name, kind: 'other' }
}

/** A target that differs in this. */
function differing(server: string, files: readonly object[], others: object = {}): object {
  return {
    ...snapshotOf({ server }),
    sync_status: 'OUT_OF_SYNC',
    drift_count: files.length,
    files,
    ...others,
  }
}

/** A rule of `accepted`. */
function ruleOf(rule: object): object {
  return { until: formatTime(Date.now() + 30 * DAY), reason: 'ticket 123', ...rule }
}

/** A directory with a document that has only what people write at its top. */
function withHead(t: Test, head: object): string {
  const dataDir = directory(t)
  writeFileSync(join(dataDir, 'status.json'), JSON.stringify({ ...head, statuses: [] }))
  return dataDir
}

function minutesAgo(minutes: number): string {
  return formatTime(Date.now() - minutes * 60_000)
}

function numbered(index: number): string {
  return `server-${String(index).padStart(5, '0')}`
}

/** Somebody comes back to the page: it asks at once. */
async function look(page: Page): Promise<void> {
  await page.evaluate(() => window.dispatchEvent(new Event('focus')))
}

function row(page: Page, server: string): ReturnType<Page['locator']> {
  return page.locator('.row').filter({ has: page.locator('.server').getByText(server, { exact: true }) })
}

async function servers(page: Page): Promise<string[]> {
  return page.locator('.row .server').allInnerTexts()
}

/** Waits for an announcement to a screen reader: like the title and the icon, it follows the drawing of a change. */
async function announced(page: Page, text: RegExp): Promise<void> {
  await eventually(async () => matches(await page.locator('p[role=status]').innerText(), text))
}

async function iconOf(page: Page): Promise<string | null> {
  return page.locator('link[rel=icon]').getAttribute('href')
}

/** Waits for a title. */
async function titled(page: Page, title: RegExp): Promise<void> {
  await eventually(async () => matches(await page.title(), title))
}

/** The counts at the top, by the word of the state. */
async function told(page: Page): Promise<Record<string, string>> {
  const counts = await page.locator('.summary .count').allInnerTexts()
  return Object.fromEntries(
    counts.map((text) =>
      text
        .split('\n')
        .map((line) => line.trim())
        .toReversed(),
    ),
  )
}

/** What axe-core finds wrong by WCAG 2.2 AA and its own best practices. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run: (options: object) => Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
    }
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
    const found = await axe.run({ runOnly: tags })
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
  })
}
