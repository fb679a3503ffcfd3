import type { Page } from 'playwright-core'
import t from 'tap'
import { eventually, matches, post } from '../../../support/http.ts'
import { IN_BROWSER, look, open, violations } from '../../../support/page.ts'
import { serve } from '../../../support/server.ts'
import { snapshotOf } from '../../../support/snapshots.ts'
import { stateAgo, withHistory } from '../../../support/targets.ts'

const HOUR = 1 / 24

async function changes(page: Page): Promise<string[]> {
  const lines = await page.locator('.changes tbody tr').allInnerTexts()
  return lines.map((line) => line.replaceAll(/\s+/g, ' '))
}

async function drawn(page: Page): Promise<(string | null)[]> {
  return page.locator('.timeline li .who').allInnerTexts()
}

t.test('Activity says what happened last night, in one click', IN_BROWSER, async (t) => {
  const drift = { drift_count: 1, files: ['resolv.conf'], token: 'ci' }
  const night = (server: string): object[] => [
    stateAgo(60, 'synced', { server, changes: ['first_seen'] }),
    stateAgo(9 * HOUR, 'drifted', { server, ...drift }),
    stateAgo(6 * HOUR, 'synced', { server }),
  ]
  const quiet = { server: 'quiet', changes: ['first_seen'] }
  const rows = [
    ...['db-1', 'db-2'].flatMap(night),
    stateAgo(50, 'synced', quiet),
    stateAgo(3, 'drifted', { ...quiet, ...drift }),
  ]
  const statuses = ['db-1', 'db-2', 'quiet'].map((server) =>
    snapshotOf({ server }, server === 'quiet' ? ['resolv.conf'] : []),
  )
  const server = await serve(t, withHistory(t, { statuses }, rows))
  const { page } = await open(t, server)
  await page.getByRole('link', { name: 'Activity' }).click()
  await page.locator('.changes').waitFor()
  t.equal(new URL(page.url()).search, '?list=activity')
  await eventually(async () =>
    matches(await changes(page), [
      /db-2 rsyslog In sync/,
      /db-1 rsyslog In sync/,
      /db-2 rsyslog Out of sync resolv\.conf check, token ci/,
      /db-1 rsyslog Out of sync resolv\.conf/,
    ]),
  )
  t.match(await drawn(page), [/db-2/, /db-1/], 'only what changed')
  await page.locator('.timeline .strip svg').first().waitFor()
  t.match(
    await page.locator('.timeline .strip').first().getAttribute('aria-label'),
    /^Last 24 hours: In sync: .+ – now \(6 h\); Out of sync, 1 difference: .+ \(3 h\); In sync: before .+ \(more than 1[45] h/,
  )
  t.same(await violations(page), [])

  await page.getByRole('button', { name: '7 days' }).click()
  await eventually(async () => matches((await drawn(page)).length, 3))
  t.equal(new URL(page.url()).search, '?list=activity&days=7')
  await page.keyboard.press('/')
  await page.keyboard.type('quiet')
  await eventually(async () => matches(await changes(page), { length: 1 }))
  t.match(await drawn(page), [/quiet/])
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'In sync' }).click()
  await eventually(async () => matches(await changes(page), [/db-2 .*In sync/, /db-1 .*In sync/]))
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: '90 days' }).click()
  await eventually(async () => matches((await changes(page)).length, 8))
  await page.goBack()
  await eventually(async () => matches((await changes(page)).length, 5))

  await post(server.url, snapshotOf({ server: 'db-1' }, ['new.conf']))
  await look(page)
  await eventually(async () => matches((await changes(page))[0], /db-1 rsyslog Out of sync new\.conf/))
})

t.test('Activity without a change says so', IN_BROWSER, async (t) => {
  const rows = [stateAgo(60, 'synced', { changes: ['first_seen'] })]
  const { page } = await open(
    t,
    await serve(t, withHistory(t, { statuses: [snapshotOf({ server: 'lab' })] }, rows)),
    {},
    '?list=activity',
  )
  await page.getByText('No changes in this time').waitFor()
  await page.getByRole('button', { name: '90 days' }).click()
  await page.locator('.changes').waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('nothing')
  await page.getByText('No change matches').waitFor()
})

t.test('an answer of the server that is none does not look like one', IN_BROWSER, async (t) => {
  const { server, page } = await open(t, undefined, { ownClock: true })
  await post(server.url, snapshotOf({ server: 'lab' }))
  let answer: { status: number; body: string } | undefined = { status: 200, body: '{}' }
  await page.route('**/api/**', async (route) => (answer === undefined ? route.continue() : route.fulfill(answer)))
  for (const bad of [
    { status: 200, body: '{}' },
    { status: 500, body: '[]' },
    { status: 200, body: '<h1>no</h1>' },
  ]) {
    answer = bad
    await page.goto(`${server.url}/?list=activity`)
    await page.getByText('The server does not answer. The page tries again.').waitFor()
    await page.goto(`${server.url}/?repo=rsyslog&server=lab`)
    await page.getByText('The server does not answer. The page tries again.').waitFor()
  }
  answer = {
    status: 200,
    body: '[null, 7, {"time": 5}, {"time": "2026-01-01T00:00:00Z", "repo": "rsyslog", "server": "lab"}]',
  }
  await page.goto(`${server.url}/?repo=rsyslog&server=lab`)
  await page.locator('.past .strip svg').waitFor()
  t.equal(await page.locator('.shares').count(), 0, 'no share is made up')
  answer = { status: 500, body: '' }
  await page.reload()
  await page.getByText('The server does not answer').waitFor()
  answer = undefined
  await page.clock.fastForward(20_000)
  await page.locator('.shares').waitFor()
})
