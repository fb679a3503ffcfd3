import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BrowserContextOptions } from 'playwright-core'
import t from 'tap'
import { formatTime } from '../../../../src/status/time.ts'
import { directory } from '../../../support/directory.ts'
import { ask, eventually, matches, post } from '../../../support/http.ts'
import { IN_BROWSER, IN_CHROMIUM, look, open, row, showNews, violations } from '../../../support/page.ts'
import { serve } from '../../../support/server.ts'
import { snapshotOf } from '../../../support/snapshots.ts'
import {
  DAY,
  EACH_STATE,
  differing,
  failedCheckOf,
  minutesAgo,
  ruleOf,
  stateAgo,
  withHead,
  withHistory,
} from '../../../support/targets.ts'

t.test('everything can be done with the keyboard', IN_BROWSER, async (t) => {
  const { server, page } = await open(t)
  await post(
    server.url,
    [1, 2, 3].map((number) => snapshotOf({ server: `s${number}` }, ['x'], formatTime(1e12 + number))),
  )
  await look(page)
  await row(page, 's1').waitFor()
  const focused = async (): Promise<string> =>
    page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '')
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
  await row(page, 's2').getByText('is now in sync').waitFor()
  await showNews(page)
  await row(page, 's2').locator('.state').getByText('In sync').waitFor()
  await row(page, 's2').getByRole('button').focus()
  await page.keyboard.press('Enter')
  await row(page, 's2').locator('.details').waitFor({ state: 'detached' })
  await page.keyboard.press('Escape')
  t.equal(new URL(page.url()).search, '', 'Esc clears the filter')
})

t.test('axe-core finds nothing, whatever the page shows', IN_CHROMIUM, async (t) => {
  const dataDir = directory(t)
  const looks: [name: string, options: BrowserContextOptions & { query?: string }][] = [
    ['light', {}],
    ['dark', { colorScheme: 'dark' }],
    ['phone', { viewport: { width: 360, height: 740 } }],
    ['grouped', { query: '?group=repo' }],
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
    await row(page, 'lab').locator('.strip svg').waitFor()
    await row(page, 'lab').getByRole('button').click()
    await row(page, 'fails').getByRole('button').click()
    await row(page, 'accepted').getByRole('button').click()
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

t.test('axe-core finds nothing in any view, light or dark', IN_BROWSER, async (t) => {
  const server = await serve(t, withHead(t, { accepted: [ruleOf({ server: 'accepted' })] }))
  await post(server.url, [...EACH_STATE, differing('more', [{ name: 'a', diff: '@@ -1 +1 @@\n-a b\n+a c\n' }])])
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page } = await open(t, server, { colorScheme })
    for (const [query, part] of [
      ['?q=x&status=drift,stale', 'mark'],
      ['?list=files', '.lines tbody a'],
      ['?list=repositories', '.lines .strip svg'],
      ['?list=activity&days=90', '.changes'],
      ['?kiosk', '.tile'],
      ['?repo=rsyslog&server=more', '.diff em'],
      ['?repo=rsyslog&server=stale', '.changes'],
      ['?repo=rsyslog&server=missing', '.changes'],
    ] as const) {
      await page.goto(`${server.url}/${query}`)
      await page.locator(part).first().waitFor()
      t.same(await violations(page), [], `${query}, ${colorScheme}`)
    }
  }
})

t.test('what a screen reader says of a target that drifted, fails, or is accepted', IN_BROWSER, async (t) => {
  const server = await serve(t, withHead(t, { accepted: [ruleOf({ server: 'accepted', reason: 'ticket 123' })] }))
  await post(server.url, [
    snapshotOf({ server: 'drifted' }, ['ssh/sshd_config'], minutesAgo(3)),
    snapshotOf({ server: 'failing' }, [], minutesAgo(9)),
    failedCheckOf({ server: 'failing' }, 'no route to host'),
    snapshotOf({ server: 'accepted' }, ['x'], minutesAgo(3)),
  ])
  const { page } = await open(t, server)
  await page.locator('.strip svg').nth(2).waitFor()
  const said = async (name: string): Promise<string> => (await row(page, name).ariaSnapshot()).replaceAll(/\s+/g, ' ')
  t.match(
    await said('drifted'),
    /button "drifted, repository rsyslog" - text: Out of sync - link "drifted".+ssh\/sshd_config.+drifted for 3 min.+img "Last 7 days: Out of sync, 1 difference: .+checked.+3 min ago/,
  )
  t.match(
    await said('failing'),
    /button "failing, repository rsyslog" - text: Check failing.+Why the check failed: no route to host.+failing for 1 min.+last check: in sync/,
  )
  t.match(
    await said('accepted'),
    /button "accepted, repository rsyslog" - text: Accepted.+until .+: ticket 123.+x.+drifted for 3 min/,
  )
  const button = row(page, 'drifted').getByRole('button')
  const described = await button.evaluate((element) =>
    (element.getAttribute('aria-describedby') ?? '')
      .split(' ')
      .map((id) => document.getElementById(id)?.textContent)
      .join(', '),
  )
  t.match(described, /^Out of sync, ssh\/sshd_config drifted for 3 min/, 'with the focus on its button')
})

t.test('targets can be read in any width, and nothing scrolls sideways', IN_BROWSER, async (t) => {
  const server = await serve(t, withHead(t, { accepted: [ruleOf({ server: 'accepted' })] }))
  const long = 'a-rather-long-name-of-a-server.in-some-datacenter.example.net'
  await post(server.url, [
    ...EACH_STATE,
    {
      ...differing(long, [{ name: `etc/${'x'.repeat(200)}`, diff: `-${'y'.repeat(300)}\n+z\n` }]),
      note: 'n'.repeat(300),
    },
  ])
  const { page } = await open(t, server)
  for (const query of ['', '?list=files', '?list=repositories', '?list=activity', `?repo=rsyslog&server=${long}`]) {
    await page.goto(`${server.url}/${query}`)
    await page
      .locator({ '': '.row .strip svg', '?list=activity': '.changes' }[query] ?? '.lines')
      .first()
      .waitFor()
    if (query === '') await row(page, long).getByRole('button').click()
    for (const width of [320, 480, 900, 1100, 1440, 2560, 3840]) {
      await page.setViewportSize({ width, height: 900 })
      const seen = await page.evaluate(() => {
        const name = document.querySelector('.row.drift .server')
        return {
          sideways: Math.max(0, document.documentElement.scrollWidth - window.innerWidth),
          isCut: name !== null && (name.clientWidth < 40 || name.scrollWidth > name.clientWidth + 1),
        }
      })
      t.same(seen, { sideways: 0, isCut: false }, `${query} ${width}`)
    }
  }
})

t.test('states keep their colours in the strip of a row of another state, with contrast', IN_BROWSER, async (t) => {
  const rows = (['drifted', 'failing', 'missing', 'accepted', 'synced', 'stale'] as const).map((state, index) =>
    stateAgo(6 - index, state),
  )
  const statuses = [{ ...snapshotOf({ server: 'lab' }, [], minutesAgo(60 * 24)), since: minutesAgo(60 * 48) }]
  const server = await serve(t, withHistory(t, { statuses }, rows))
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page } = await open(t, server, { colorScheme })
    const paths = row(page, 'lab').locator('.strip path:not(.track)')
    await paths.first().waitFor({ state: 'attached' })
    const fills = await paths.evaluateAll((all) => all.map((path) => getComputedStyle(path).fill))
    t.equal(new Set(fills).size, 6, fills.join(' '))
    const ground = await row(page, 'lab').evaluate((element) => getComputedStyle(element).backgroundColor)
    for (const fill of fills)
      t.ok(contrast(fill, ground) >= 3, `${fill} on ${ground}: ${contrast(fill, ground).toFixed(2)}`)
  }
})

/** The contrast of two colours as WCAG 2.2 defines it. */
function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = (colour.match(/\d+/g) ?? [])
    .map((number) => Number(number) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

t.test('forced colours keep the borders, the bars and the strips', IN_BROWSER, async (t) => {
  const server = await serve(t, withHead(t, { accepted: [ruleOf({ server: 'accepted' })] }))
  await post(server.url, EACH_STATE)
  const { page } = await open(t, server, { forcedColors: 'active' })
  await page.locator('.strip svg').first().waitFor()
  const seen = await page.locator('.row').evaluateAll((all) =>
    all.map((each) => ({
      border: getComputedStyle(each).borderTopStyle,
      bar: getComputedStyle(each, '::before').background,
    })),
  )
  t.match(
    seen,
    Array.from({ length: 6 }, () => ({ border: 'solid' })),
  )
  t.equal(new Set(seen.map(({ bar }) => bar)).size, 6)
})
