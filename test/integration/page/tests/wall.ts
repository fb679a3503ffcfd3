import t from 'tap'
import { eventually, matches, post } from '../../../support/http.ts'
import { IN_BROWSER, look, open, violations } from '../../../support/page.ts'
import { serve } from '../../../support/server.ts'
import { snapshotOf } from '../../../support/snapshots.ts'
import { EACH_STATE, minutesAgo, ruleOf, withHead } from '../../../support/targets.ts'

/** The number of targets that `.rest` counts: `+12 more: …`. */
function numberIn(text: string): number {
  return Number((/\+([\d,]+) more/.exec(text)?.[1] ?? '0').replace(',', ''))
}

t.test('the wall always fits, and counts what it does not show', IN_BROWSER, async (t) => {
  const { server, page } = await open(t, undefined, {}, '?kiosk')
  await page.getByText('No target yet').waitFor()
  let posted = 0
  for (const total of [3, 80, 1500]) {
    const more = Array.from({ length: total - posted }, (_, index) => {
      const number = posted + index
      return snapshotOf({ server: `server-${number}` }, number % 2 === 0 ? ['x'] : [], minutesAgo(number === 0 ? 1 : 5))
    })
    await post(server.url, more)
    posted = total
    await look(page)
    for (const [width, height] of [
      [1920, 1080],
      [1280, 720],
      [800, 600],
    ] as const) {
      await page.setViewportSize({ width, height })
      await eventually(async () => {
        const tiles = await page.locator('.tile').count()
        const rest = page.locator('.rest')
        const text = (await rest.count()) === 0 ? '' : await rest.innerText()
        matches(tiles + numberIn(text), total)
        const space = await page.evaluate(() => {
          const [wall, last] = [document.querySelector('.wall'), document.querySelector('.tiles')?.lastElementChild]
          return {
            scrolls: document.documentElement.scrollHeight > innerHeight,
            isCut: (last?.getBoundingClientRect().bottom ?? 0) > (wall?.getBoundingClientRect().bottom ?? 0) + 1,
          }
        })
        matches(space, { scrolls: false, isCut: false })
      })
      t.match(await page.locator('.tile b').first().innerText(), 'server-0', `${total} at ${width}: the newest first`)
    }
  }
  t.match(await page.locator('.rest').innerText(), /out of sync\s+750 in sync/, 'what is hidden does not look better')
})

t.test('the wall keeps the filter and the colours, and has a way out', IN_BROWSER, async (t) => {
  const server = await serve(t, withHead(t, { accepted: [ruleOf({ server: 'accepted' })] }))
  await post(server.url, EACH_STATE)
  const { page } = await open(t, server, {}, '?q=f&theme=dark')
  await page.getByRole('link', { name: 'Wall view' }).click()
  await page.locator('.tile').first().waitFor()
  t.equal(new URL(page.url()).search, '?q=f&kiosk&theme=dark')
  t.same((await page.locator('.tile b').allInnerTexts()).toSorted(), ['drifted', 'failing'])
  const ground = async (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  t.equal(await ground(), 'rgb(16, 20, 24)', 'dark, although the system is not')
  t.same(await violations(page), [])
  await page.getByRole('link', { name: 'Leave the wall view' }).click()
  await page.locator('.controls').waitFor()
  t.equal(new URL(page.url()).search, '?q=f&theme=dark')
  await page.getByLabel('Colours').selectOption('light')
  await eventually(async () => matches(await ground(), 'rgb(245, 246, 248)'))
  await page.goto(`${server.url}/?kiosk`)
  await page.locator('.tile').nth(5).waitFor()
  const words = await page.locator('.tile .visually-hidden').allInnerTexts()
  t.equal(new Set(words).size, 6, 'each state in words')
  t.same(await violations(page), [])
})
