import t from 'tap'
import { formatTime } from '../../../../src/status/time.ts'
import { eventually, matches, post } from '../../../support/http.ts'
import { IN_BROWSER, announced, look, open, row, servers, textOf } from '../../../support/page.ts'
import { serve } from '../../../support/server.ts'
import { snapshotOf } from '../../../support/snapshots.ts'
import { DAY, differing, other, withHead } from '../../../support/targets.ts'

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
    t.match(await textOf(details), /a\.conf[^]*drifted just now[^]*b\.conf[^]*f3a9c1d27be0[^]*master/)
    const first = details.locator('pre').first()
    t.match(await first.innerText(), '+new    <img src=x onerror=alert(1)>')
    t.equal(await first.locator('.added').count(), 1)
    t.equal(await first.locator('.removed').count(), 1)
    const second = details.locator('pre').nth(1)
    t.equal(await second.locator('.line').count(), 400)
    await details.getByRole('button', { name: 'Show 600 more lines' }).click()
    await eventually(async () => matches(await second.locator('.line').count(), 1000))
    await details.locator('summary').first().click()
    await eventually(async () => matches(await details.locator('.diff').count(), 1))
    const pipeline = row(page, 'lab').locator('.check a')
    t.equal(await pipeline.getAttribute('href'), 'https://ci.example.net/318')
    t.equal(await pipeline.getAttribute('rel'), 'noopener noreferrer')
  },
)

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
  t.match(await textOf(row(page, 'two').locator('.since')), /^a.conf, service <b>rsyslog\s+drifted/)
  t.match(await textOf(row(page, 'many').locator('.since')), /^a, b, c\s+drifted/)
  t.match(await textOf(row(page, 'long').locator('.since')), /^a.conf, service x{51}…, b.conf\s+drifted/)
  t.match(await textOf(row(page, 'old').locator('.since')), /last check: out of sync, package nginx$/)
  await row(page, 'two').getByRole('button').click()
  const details = row(page, 'two').locator('.details')
  t.same(await details.locator('.file code').allInnerTexts(), ['a.conf'])
  t.same(await details.locator('.file .other').allInnerTexts(), ['service <b>rsyslog'])
  t.same(await details.locator('.files').getByRole('link').allInnerTexts(), ['a.conf\n, in a new tab'])
  await row(page, 'countless').getByRole('button').click()
  t.match(await textOf(row(page, 'countless').locator('.details')), 'And 1 file, z more, in status.json.')
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
    const all = await (await detailsOf(name)).locator('.files a, dl a').all()
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
    t.equal(await row(page, 'lab').locator('.files a, dl a').count(), 0, JSON.stringify(bad))
    t.equal(await row(page, 'lab').locator('.details code').count(), 3)
  }
  await page.unrouteAll({ behavior: 'wait' })
})
