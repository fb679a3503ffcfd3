import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { formatTime } from '../../../../src/status/time.ts'
import { directory } from '../../../support/directory.ts'
import { ask, eventually, matches, post } from '../../../support/http.ts'
import { IN_BROWSER, POLL_MS, iconOf, look, newPage, open, row, staticSite, titled } from '../../../support/page.ts'
import { serve } from '../../../support/server.ts'
import { HOSTILE_NAMES, snapshotOf } from '../../../support/snapshots.ts'

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

t.test(
  'a problem that prevents no write says which it is, also if the page does not know its kind',
  IN_BROWSER,
  async (t) => {
    const { server, page } = await open(t)
    const kinds = ['unavailable', 'history', 'of-a-later-version']
    const problems = kinds.map((kind) => ({ kind, since: '2026-04-21T10:00:00Z', detail: `about ${kind}`, help: '' }))
    await page.route('**/readyz', async (route) => route.fulfill({ json: { ready: true, generation: 1, problems } }))
    await post(server.url, snapshotOf({ server: 'lab' }))
    await look(page)
    await page.getByRole('alert').nth(2).waitFor()
    t.same(await page.getByRole('alert').locator('h2').allInnerTexts(), [
      'Nothing can be written',
      'The history cannot be written',
      'The server reports a problem',
    ])
  },
)

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
  for (const button of await page.locator('.opener').all()) await button.click()
  await eventually(async () => matches(await page.locator('.number').first().innerText(), String(HOSTILE_NAMES.length)))
  const text = await page.locator('.targets').innerText()
  t.match(text, '<script>alert(1)</script>')
  t.match(await page.getByRole('alert').innerText(), /^3 entries cannot be read/, 'and what is no target is counted')
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

t.test('a copy from a cache is as old as it is, whatever one entry says of the future', IN_BROWSER, async (t) => {
  const { root, url } = await staticSite(t)
  const old = formatTime(Date.now() - 3 * 3600 * 1000)
  const status = { ...snapshotOf({ server: 'lab' }, [], old), state: 'synced' }
  const ahead = { ...snapshotOf({ server: 'ahead' }, [], '2099-01-01T00:00:00Z'), state: 'stale', stale: true }
  writeFileSync(join(root, 'status.json'), JSON.stringify({ statuses: [status, ahead] }))
  const page = await newPage(t)
  await page.route('**/status.json', async (route) => {
    const response = await route.fetch()
    const headers = { ...response.headers(), date: new Date(Date.parse(old)).toUTCString(), age: '10800' }
    return route.fulfill({ response, headers })
  })
  await page.goto(url)
  await page.getByRole('alert').filter({ hasText: 'Nothing newer than 3 h' }).waitFor()
  t.match(await page.locator('footer').innerText(), /newest check 3 h ago/)
})
