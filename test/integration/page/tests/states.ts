import { writeFileSync } from 'node:fs'
import t from 'tap'
import { formatTime } from '../../../../src/status/time.ts'
import { eventually, matches, post } from '../../../support/http.ts'
import {
  IN_BROWSER,
  announced,
  iconOf,
  look,
  open,
  row,
  servers,
  showNews,
  textOf,
  textsOf,
  titled,
  told,
} from '../../../support/page.ts'
import { fileOf, serve } from '../../../support/server.ts'
import { snapshotOf } from '../../../support/snapshots.ts'
import { DAY, EACH_STATE, failedCheckOf, minutesAgo, ruleOf, withHead } from '../../../support/targets.ts'

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
        (await textsOf(states)).map((text) => text.trim()),
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
    (await textOf(page.locator('.repo-line'))).replace(/\s+/g, ' '),
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
  t.match(await textOf(lab.locator('.since')), /^failing for 7 min\s+last check: in sync$/)
  const shown = await textOf(lab.locator('.reason bdi'))
  t.match(shown, '‹U+202E›gnp.exe <img src=x onerror=alert(1)> line 2', 'only text, isolated, in one line')
  t.ok(shown.length < 250, 'and not all of it')
  t.equal(await lab.locator('.check a').getAttribute('href'), 'https://ci.example.net/failed')
  await lab.getByRole('button').click()
  const details = await textOf(lab.locator('.details'))
  t.match(details, /The check has failed since .+, most recently at .+:\s+‹U\+202E›gnp.+\nline 2 x+ end\n/)
  t.match(details, 'The last check said in sync. This may have changed.')
  t.match(details, /Last completed check[^]*In sync since[^]*Pipeline of the last check/)
  t.equal(await lab.locator('.why bdi').count(), 1)
  t.equal(await lab.locator('.details dl a').getAttribute('href'), 'https://ci.example.net/1')

  const old = formatTime(Date.now() - DAY)
  await post(server.url, [
    snapshotOf({ server: 'lab' }),
    failedCheckOf({ server: 'new' }, 'no such host', minutesAgo(60)),
    snapshotOf({ server: 'old' }, ['x', 'y'], old),
  ])
  await look(page)
  await lab.getByText('is now in sync').waitFor()
  await showNews(page)
  await lab.locator('.state').getByText('In sync').waitFor()
  t.equal(await lab.locator('.reason').count(), 0, 'a completed check ends it')
  await titled(page, /^\(1\) never checked/)
  await eventually(async () => matches(await iconOf(page), /missing/))
  t.same(await servers(page), ['new', 'old', 'lab'])
  t.match(await textOf(row(page, 'new')), /Never checked[^]*no such host[^]*known for 1 h[^]*never/)
  t.match(await textOf(row(page, 'old')), /Stale[^]*no check for 1 d\s+last check: out of sync, 2.files/)
  await row(page, 'new').getByRole('button').click()
  t.match(await textOf(row(page, 'new').locator('.details')), 'No check of this target has been completed.')
  await row(page, 'old').getByRole('button').click()
  t.match(await textOf(row(page, 'old').locator('.details')), 'The last check said out of sync. It is too old')

  await page.getByRole('button', { name: 'Never checked' }).click()
  await eventually(async () => matches(await servers(page), ['new']))
  t.equal(new URL(page.url()).search, '?status=missing')
  await post(server.url, [failedCheckOf({ server: 'new' }), failedCheckOf({ server: 'a' }, 'why', minutesAgo(5))])
  await look(page)
  await showNews(page)
  await page.getByText('No target matches').waitFor()
  t.match(await told(page), { 'Never checked': '0', 'Check failing': '2' }, 'what is filtered by can be taken back')
  await page.getByRole('button', { name: 'Never checked' }).click()
  // The longest failing first.
  await eventually(async () => matches(await servers(page), ['new', 'a', 'old', 'lab']))
  t.equal(await page.getByRole('button', { name: 'Never checked' }).count(), 0)
  t.match(await textOf(row(page, 'new').locator('.since')), /never checked/)
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
    t.match(await page.locator('footer').innerText(), /^\s*Connected, newest check /, 'a footnote')
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
  t.match(await textOf(row(page, 'drifted')), /Out of sync[^]*x[^]*drifted for/)

  isLater = true
  await look(page)
  await eventually(async () => matches(await told(page), { 'Out of sync': '1', Stale: '2', 'In sync': '0' }))
  t.match(await textOf(row(page, 'synced')), /Stale[^]*in an unknown state/)
  await row(page, 'synced').getByRole('button').click()
  t.match(
    await textOf(row(page, 'synced').locator('.details')),
    'This page does not know the state ‹U+202E›quarantined. The last check said in sync.',
  )
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
  const shown = await textOf(lab.locator('.reason'))
  t.match(
    shown,
    new RegExp(
      `^until \\d+ ${month} ${year}, \\d\\d:\\d\\d: ‹U\\+202E›gnp.exe <img src=x onerror=alert\\(1\\)> line 2 x`,
    ),
  )
  t.ok(shown.length < 300, 'not all of it')
  t.equal(await lab.locator('.reason bdi').count(), 1)
  t.match(await textOf(lab.locator('.since')), /^x, y\s+drifted for 3 min$/)
  await lab.getByRole('button').click()
  const details = await textOf(lab.locator('.details'))
  t.match(details, /^Accepted until .+:\d\d .+:\s+‹U\+202E›gnp.+\nline 2 x+ end\n/)
  t.match(details, /x\s+drifted[^]*Out of sync since/)
  t.equal(await lab.locator('.why img').count(), 0)

  t.match(await textOf(row(page, 'm-stale')), /^Accepted[^]*new racks[^]*no check for 1 d\s+last check: in sync/)
  t.match(
    await textOf(row(page, 'm-failing')),
    /^Accepted[^]*no route to host[^]*new racks[^]*failing for 1 min\s+last check: in sync/,
  )
  await row(page, 'm-failing').getByRole('button').click()
  t.match(await textOf(row(page, 'm-failing').locator('.details')), 'This may have changed.')

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

t.test('a target that is expected and never came', IN_BROWSER, async (t) => {
  const server = await serve(t, withHead(t, { expected: [{ repo: 'rsyslog', servers: ['lab', 'new'] }] }))
  await post(server.url, snapshotOf({ server: 'lab' }))
  const { page } = await open(t, server)
  await row(page, 'new').waitFor()
  t.same(await told(page), { 'Out of sync': '0', 'Never checked': '1', Stale: '0', 'In sync': '1' })
  await titled(page, /^\(1\) never checked/)
  t.match(await textOf(row(page, 'new')), /^Never checked[^]*known for[^]*never$/)
  await row(page, 'new').getByRole('button').click()
  t.match(
    await textOf(row(page, 'new').locator('.details')),
    /^No check of this target has been completed\.\s+Known since/,
  )
})
