import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { formatTime } from '../../../../src/status/time.ts'
import { directory } from '../../../support/directory.ts'
import { ask, eventually, matches, post } from '../../../support/http.ts'
import {
  IN_BROWSER,
  IN_CHROMIUM,
  POLL_MS,
  announced,
  iconOf,
  look,
  open,
  row,
  servers,
  textOf,
  textsOf,
  titled,
  told,
  violations,
} from '../../../support/page.ts'
import { serve } from '../../../support/server.ts'
import { snapshotOf } from '../../../support/snapshots.ts'
import { DAY, differing, minutesAgo } from '../../../support/targets.ts'

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
  t.match(await textOf(row(page, 'lab')), /Out of sync[^]*rsyslog.conf, rsyslog.d\/30-lab.conf[^]*drifted for < 1 min/)
  t.match(await textOf(row(page, 'old')), /Stale[^]*no check for 1 d/)
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
  t.same(await textsOf(page.locator('.repo-line bdi')), ['b', 'a'])

  const other = await page.context().newPage()
  await other.goto(page.url())
  await row(other, 'gone').waitFor()
  t.same(await servers(other), ['gone', 'fine'], 'whoever is sent the address sees the same')
  t.equal(await other.getByRole('button', { name: 'Stale' }).getAttribute('aria-pressed'), 'true')
  await other.goto(`${server.url}/?kiosk`)
  await other.locator('.tile').first().waitFor()
  t.equal(await other.locator('.controls, .summary button').count(), 0, 'a wall has no controls')
  await other.getByRole('link', { name: 'Leave the wall view' }).click()
  await other.locator('.controls').waitFor()
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
    t.equal(await page.locator('.targets > li:last-child').getAttribute('aria-posinset'), '10000')
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

t.test('60 targets are printed on three pages', IN_CHROMIUM, async (t) => {
  const { server, page } = await open(t)
  await post(
    server.url,
    Array.from({ length: 60 }, (_, index) => ({
      ...snapshotOf({ server: numbered(index) }, index % 4 === 0 ? ['a.conf', 'b.conf', 'ssh/sshd_config'] : []),
      ...(index % 8 === 0 ? { note: 'ticket 123' } : {}),
    })),
  )
  await look(page)
  await row(page, numbered(59)).waitFor()
  const pdf = (await page.pdf({ format: 'A4' })).toString('latin1')
  const pages = pdf.match(/\/Type\s*\/Page\b/g)?.length ?? 0
  t.ok(pages > 0 && pages <= 3, `${pages} pages`)
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

  await page.getByRole('link', { name: 'Files' }).click()
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
  t.equal(
    decodeURIComponent(new URL(page.url()).search),
    '?q=repo:rsyslog file:only.conf',
    'a line opens the servers on which it differs',
  )

  await page.keyboard.press('Escape')
  await page.getByRole('link', { name: 'Repositories' }).click()
  const repositories = (await lines()).map((cells) =>
    cells.map((cell) => cell.replaceAll(/\s+/g, ' ').trim()).join('|'),
  )
  t.match(repositories, [
    /^rsyslog\|3 targets\|3 out of sync\|\|/,
    /^nginx\|1 target\|1 stale\|\|no reports, last 5 h ago$/,
    /^other\|1 target\|1 in sync\|\|just now$/,
  ])
  t.same(await violations(page), [])
  await page.getByRole('link', { name: 'nginx' }).click()
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

function numbered(index: number): string {
  return `server-${String(index).padStart(5, '0')}`
}
