import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { formatTime } from '../../../../src/status/time.ts'
import { eventually, matches } from '../../../support/http.ts'
import {
  IN_BROWSER,
  announced,
  iconOf,
  look,
  newPage,
  row,
  servers,
  staticSite,
  textOf,
  titled,
  told,
} from '../../../support/page.ts'
import { snapshotOf } from '../../../support/snapshots.ts'
import { DAY, minutesAgo } from '../../../support/targets.ts'

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
    await titled(page, /^\(\?\) outdated copy/)
    await eventually(async () => matches(await iconOf(page), /lost/))
    const failingAt = (at: string): object => ({ state: 'failing', failed_check: { since: at, at, reason } })
    copy(Date.now() - DAY, failingAt(minutesAgo(1)))
    await look(page)
    await banner.waitFor({ state: 'detached' })
    await titled(page, /^\(1\) check failing/)
    await row(page, 'lab').getByRole('button').click()
    t.match(await textOf(row(page, 'lab').locator('.details')), '1,000 characters more in')
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
  t.match(await textOf(row(page, 'drifted')), /^Out of sync[^]*drifted for/)
  t.equal(await row(page, 'drifted').locator('.reason').count(), 0)
  t.match(await textOf(row(page, 'stale')), /^Stale[^]*last check: out of sync/)
  t.match(await textOf(row(page, 'failing')), /^Check failing[^]*no route[^]*last check: in sync/)
  t.match(await textOf(row(page, 'later')), /^Accepted[^]*ticket 123/)
  await announced(page, /targets have changed/)
})

function minutesAhead(minutes: number): string {
  return minutesAgo(-minutes)
}
