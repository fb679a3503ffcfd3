import t from 'tap'
import { eventually, matches, post } from '../../../support/http.ts'
import { IN_BROWSER, look, open, row, servers, showNews, textOf, textsOf, told } from '../../../support/page.ts'
import { snapshotOf } from '../../../support/snapshots.ts'
import { differing, minutesAgo } from '../../../support/targets.ts'

t.test('rows do not move under somebody who reads; what is new waits', IN_BROWSER, async (t) => {
  const { server, page } = await open(t)
  await post(
    server.url,
    ['a', 'b', 'c', 'd'].map((name, index) =>
      differing(name, [{ name: 'x', diff: '-a\n+b\n' }], { last_check: minutesAgo(9 - index) }),
    ),
  )
  await look(page)
  await row(page, 'c').getByRole('button').click()
  await row(page, 'c').locator('.diff').waitFor()
  const place = async (): Promise<number | undefined> => (await row(page, 'c').locator('.diff').boundingBox())?.y
  const before = await place()

  await post(server.url, [snapshotOf({ server: 'a' }), snapshotOf({ server: 'b' }), snapshotOf({ server: 'e' }, ['y'])])
  await look(page)
  await page.getByRole('button', { name: 'Show 3 changes' }).waitFor()
  t.equal(await place(), before, 'nothing moves')
  t.same(await servers(page), ['a', 'b', 'c', 'd'])
  t.match(await textOf(row(page, 'a')), /Out of sync\s+is now in sync/, 'but nothing looks as it no longer is')
  t.match(await told(page), { 'Out of sync': '3', 'In sync': '2' }, 'the counts are of now')
  t.match(await page.locator('.verdict').innerText(), /3 targets are out of sync/)
  await post(server.url, snapshotOf({ server: 'd' }, ['x'], minutesAgo(0)))
  await showNews(page)
  await eventually(async () => matches(await servers(page), ['c', 'd', 'e', 'a', 'b']))
  await row(page, 'c').locator('.diff').waitFor()
  t.equal(await page.locator('.waiting button').count(), 0)

  await row(page, 'c').locator('.opener').click()
  await post(server.url, snapshotOf({ server: 'c' }))
  await look(page)
  await eventually(async () => matches(await servers(page), ['d', 'e', 'a', 'b', 'c']))
  t.equal(await page.locator('.waiting button').count(), 0, 'nobody reads: it is shown at once')
})

t.test('selecting text holds the list, and does not open the row', IN_BROWSER, async (t) => {
  const { server, page } = await open(t)
  await post(server.url, [snapshotOf({ server: 'server-a' }, ['some.conf']), snapshotOf({ server: 'b' })])
  await look(page)
  for (const [part, text] of [
    ['.server', 'server-a'],
    ['.since b', 'some.conf'],
  ] as const) {
    const { x = 0, y = 0, width = 0, height = 0 } = (await row(page, 'server-a').locator(part).boundingBox()) ?? {}
    await page.mouse.move(x + 1, y + height / 2)
    await page.mouse.down()
    await page.mouse.move(x + width / 2, y + height / 2)
    await page.mouse.move(x + width, y + height / 2)
    await page.mouse.up()
    await eventually(async () => matches(await page.evaluate(() => String(document.getSelection())), text))
    t.equal(await page.locator('.details, .target-page').count(), 0, text)
  }
  await post(server.url, snapshotOf({ server: 'b' }, ['other.conf'], minutesAgo(5)))
  await post(server.url, snapshotOf({ server: 'b' }, ['other.conf']))
  await look(page)
  await page.getByRole('button', { name: 'Show 1 change' }).waitFor()
  await page.evaluate(() => document.getSelection()?.removeAllRanges())
  await row(page, 'b').locator('.state').getByText('Out of sync').waitFor()
  await row(page, 'server-a').locator('.since').click()
  await row(page, 'server-a').locator('.details').waitFor()
})

t.test(
  'the search of the browser finds each of 1,000 targets, and what the filter found is marked',
  IN_BROWSER,
  async (t) => {
    const { server, page } = await open(t)
    await post(
      server.url,
      Array.from({ length: 1000 }, (_, index) =>
        snapshotOf({ server: `server-${1000 + index}` }, ['sshd_config', 'b', 'c', 'd', 'zz_sshd']),
      ),
    )
    await look(page)
    await row(page, 'server-1999').waitFor()
    t.equal(await page.locator('.row').count(), 1000)
    await page.keyboard.press('/')
    await page.keyboard.type('ZZ 1234')
    await eventually(async () => matches(await servers(page), ['server-1234']))
    t.same(await textsOf(page.locator('mark')), ['1234', 'zz'], 'in any case, and among the names in the row')
    t.match(await textOf(row(page, 'server-1234').locator('.since')), /^zz_sshd, sshd_config, b and 2 more/)
  },
)

t.test('a banner above the list does not move what is read', IN_BROWSER, async (t) => {
  const { server, page } = await open(t)
  await post(
    server.url,
    ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map((name) => differing(name, [{ name: 'x', diff: '-a\n+b\n' }])),
  )
  await look(page)
  await row(page, 'c').getByRole('button').click()
  await row(page, 'c').locator('.diff').waitFor()
  t.equal(await page.evaluate(() => window.scrollY), 0)
  const place = async (): Promise<number> => (await row(page, 'c').locator('.diff').boundingBox())?.y ?? Number.NaN
  const before = await place()
  // Layouts have fractions of pixels, scrolling has not.
  const isThere = async (): Promise<void> => matches(Math.abs((await place()) - before) < 1, true)
  await page.route('**/*', async (route) => route.abort())
  await look(page)
  await page.getByRole('alert').waitFor()
  await eventually(isThere)
  await page.unrouteAll({ behavior: 'wait' })
  await look(page)
  await page.getByRole('alert').waitFor({ state: 'detached' })
  await eventually(isThere)
})
