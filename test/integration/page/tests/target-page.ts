import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t from 'tap'
import { directory } from '../../../support/directory.ts'
import { ask, eventually, matches, post } from '../../../support/http.ts'
import { IN_BROWSER, look, open, row, servers, staticSite, newPage, violations } from '../../../support/page.ts'
import { fileOf, serve } from '../../../support/server.ts'
import { snapshotOf } from '../../../support/snapshots.ts'
import {
  differing,
  failedCheckOf,
  minutesAgo,
  ruleOf,
  stateAgo,
  withHead,
  withHistory,
} from '../../../support/targets.ts'
import { ADMIN, bearer, writeTokens } from '../../../support/tokens.ts'
import { writeFileSync } from 'node:fs'

const execute = promisify(execFile)
const LINKS = { '*': { commit: 'https://git.example.net/{repo}/commit/{commit}' } }

/** The text of a part of the page of a target, in one line. */
async function section(page: Page, selector: string): Promise<string> {
  return (await page.locator(`.target-page ${selector}`).first().innerText()).replaceAll(/\s+/g, ' ')
}

t.test('a target has a page of its own, and Back returns to the list as it was', IN_BROWSER, async (t) => {
  const { server, page } = await open(t)
  await post(server.url, [
    ...Array.from({ length: 40 }, (_, index) => snapshotOf({ server: `db-${100 + index}` }, ['x'], minutesAgo(3))),
    snapshotOf({ server: 'web-1' }),
  ])
  await look(page)
  await row(page, 'db-100').waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('db-')
  await eventually(async () => matches((await servers(page)).length, 40))
  await row(page, 'db-135').getByRole('button').click()
  await row(page, 'db-135').locator('.details').waitFor()
  const link = row(page, 'db-136').getByRole('link', { name: 'db-136', exact: true })
  await link.scrollIntoViewIfNeeded()
  const top = await page.evaluate(() => window.scrollY)
  t.ok(top > 500, `at ${top} pixels`)
  await link.click()
  await page.getByRole('heading', { name: 'db-136' }).waitFor()
  t.equal(new URL(page.url()).search, '?repo=rsyslog&server=db-136')
  await eventually(async () => matches(await page.evaluate(() => window.scrollY), 0))
  t.match(await page.evaluate(() => document.activeElement?.textContent), /^db-136/, 'a screen reader is there')

  await page.goBack()
  await row(page, 'db-135').locator('.details').waitFor()
  t.equal(new URL(page.url()).search, '?q=db-')
  t.equal((await servers(page)).length, 40)
  await eventually(async () => {
    const now = await page.evaluate(() => window.scrollY)
    matches(Math.abs(now - top) < 3, true)
  })
  await page.goForward()
  await page.getByRole('heading', { name: 'db-136' }).waitFor()
  await page.getByRole('link', { name: 'Back' }).click()
  await eventually(async () => matches((await servers(page)).length, 40))
  t.equal(new URL(page.url()).search, '?q=db-')

  const other = await newPage(t)
  await other.goto(`${server.url}/?repo=rsyslog&server=web-1`)
  await other.getByRole('heading', { name: 'web-1' }).waitFor()
  t.match(await section(other, '> .now'), /^In sync in sync for < 1 min \(since .+\), last check just now$/)
})

t.test('the page of a target says all that is known of it', IN_BROWSER, async (t) => {
  const status = {
    ...differing('lab', [
      { name: 'a.conf', diff: '@@ -1 +1 @@\n-old\n+new\n' },
      { name: 'b.conf', diff: '-x\n+y\n' },
    ]),
    note: 'ticket 123',
    labels: { env: 'prod' },
    commit: 'f3a9c1d27be0f3a9c1d2',
    branch: 'main',
  }
  const server = await serve(
    t,
    withHistory(t, { links: LINKS, statuses: [status] }, [
      stateAgo(20, 'synced', { changes: ['first_seen'] }),
      stateAgo(10, 'failing', { cause: 'time' }),
      stateAgo(5, 'synced', { cause: 'edit' }),
      stateAgo(1, 'drifted', {
        files: ['a.conf', 'b.conf'],
        drift_count: 2,
        token: 'ci-rsyslog',
        commit: 'f3a9c1d27be0f3a9c1d2',
        pipeline_url: 'https://ci.example.net/7',
      }),
    ]),
  )
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page } = await open(t, server, { colorScheme }, '?repo=rsyslog&server=lab')
    await page.locator('.past .strip svg').waitFor()
    t.match(await section(page, '> .now'), /^Out of sync drifted for < 1 min \(since .+\), last check just now$/)
    t.match(await section(page, '> .note'), 'ticket 123')
    t.match(
      await section(page, 'dl'),
      /Last check .+ Commit f3a9c1d27be0f3a9c1d2 ?, in a new tab Branch main Labels env=prod/,
    )
    t.equal(await page.locator('.diff pre:visible').count(), 2, 'every difference is open')
    t.match(await section(page, '.past .quiet'), /^No history before \d+ \w+ 2\d\d\d, \d\d:\d\d\.$/)
    t.match(
      await section(page, '.shares'),
      /^1[56]\.\d+ % of the time in sync, 8[23]\.\d+ % unknown, 1\.\d+ % out of sync, 0 % accepted\.$/,
      'of 90 days: 15 in sync, 70 not known, 5 failing',
    )
    t.ok((await page.locator('.past .axis text').count()) > 4, 'an axis')
    const log = await page.locator('.changes tbody tr').allInnerTexts()
    t.match(
      log.map((line) => line.replaceAll(/\s+/g, ' ')),
      [
        /Out of sync a\.conf, b\.conf check, token ci-rsyslog, pipeline.* f3a9c1d27b/,
        /In sync edit/,
        /Check failing time passed/,
        /In sync first seen check/,
      ],
      'the newest first',
    )
    t.equal(
      await page.locator('.changes code').first().locator('..').getAttribute('href'),
      'https://git.example.net/rsyslog/commit/f3a9c1d27be0f3a9c1d2',
    )
    t.same(await violations(page), [], colorScheme)
  }
})

t.test('a failing and an accepted target say why on their pages', IN_BROWSER, async (t) => {
  const server = await serve(t, withHead(t, { accepted: [ruleOf({ server: 'ok', reason: 'ticket 7' })] }))
  await post(server.url, [
    snapshotOf({ server: 'ok' }, ['x'], minutesAgo(3)),
    snapshotOf({ server: 'bad' }, [], minutesAgo(5)),
    failedCheckOf({ server: 'bad' }, 'line 1\nline 2'),
  ])
  const { page } = await open(t, server, {}, '?repo=rsyslog&server=bad')
  await page.locator('.changes').waitFor()
  t.match(
    await section(page, '.details'),
    /The check failed at .+: line 1 line 2 Failed pipeline of bad ?, in a new tab The last check said in sync/,
  )
  t.match(await section(page, '.changes'), /Check failing first seen check, pipeline/)
  t.equal(
    await page.getByRole('link', { name: 'Failed pipeline' }).getAttribute('href'),
    'https://ci.example.net/failed',
  )
  t.same(await violations(page), [], 'failing')
  await page.goto(`${server.url}/?repo=rsyslog&server=ok`)
  await page.locator('.changes').waitFor()
  t.match(await section(page, '.details'), /Accepted until .+: ticket 7/)
  t.same(await violations(page), [], 'accepted')
})

t.test('the page of a target that was removed, or is not known', IN_BROWSER, async (t) => {
  const { server, page } = await open(t, undefined, {}, '?repo=rsyslog&server=lab')
  await page.getByText('This target does not exist').waitFor()
  await page.getByText('No history for this time').waitFor()
  await post(server.url, snapshotOf({ server: 'lab' }))
  await ask(`${server.url}/api/status?repo=rsyslog&server=lab`, { method: 'DELETE' })
  await page.reload()
  await page.locator('.changes').waitFor()
  t.match(await section(page, '.changes tbody'), /Removed removed by a request .*In sync first seen/)
})

t.test('commands do what they say, whatever the names are', IN_BROWSER, async (t) => {
  const tokens = join(directory(t), 'tokens.json')
  writeTokens(tokens, [ADMIN])
  const server = await serve(t, undefined, { tokensFile: tokens })
  const target = { repo: `it's "$(touch bad)" \`id\``, server: 'ü {a,b} \\ ; & %41' }
  const posted = await ask(`${server.url}/api/status`, {
    method: 'POST',
    headers: { ...bearer(ADMIN), 'Content-Type': 'application/json' },
    body: JSON.stringify(snapshotOf(target, ['x'])),
  })
  t.equal(posted.status, 201)
  const { page } = await open(t, server, {}, `?${new URLSearchParams(target).toString().replaceAll('+', '%20')}`)
  await page.locator('.changes').waitFor()
  t.match(await page.locator('.changes tbody tr').count(), 1, 'its own history')
  const cwd = directory(t)
  const run = async (title: string): Promise<string> => {
    const command = await page.getByRole('region', { name: title }).innerText()
    const env = { ...process.env, GITOPS_TOKEN: ADMIN.secret }
    return (await execute('bash', ['-c', `${command} --silent`], { cwd, env })).stdout
  }
  t.match(JSON.parse(await run('Accept the drift for a week')), { result: 'added' })
  await eventually(() => matches(fileOf(server).statuses, [{ ...target, state: 'accepted' }]))
  t.match(await run('Remove the target'), /removed/)
  await eventually(() => matches(fileOf(server).statuses, []))

  const check = await page.getByRole('region', { name: 'Check again' }).innerText()
  writeFileSync(join(cwd, 'update-gitops-status.sh'), '#!/bin/sh\nprintf "%s\\0" "$@"\n', { mode: 0o755 })
  const { stdout } = await execute('bash', ['-c', check], { cwd })
  t.same(stdout.split('\0').slice(0, -1), [
    '--url',
    `${server.url}/api/status`,
    '--repo',
    target.repo,
    '--',
    `--limit=${target.server}`,
  ])
})

t.test('beside a static copy the page of a target says that its history is not there', IN_BROWSER, async (t) => {
  const { root, url } = await staticSite(t)
  const status = { ...snapshotOf({ server: 'lab' }, ['x']), state: 'drifted' }
  writeFileSync(join(root, 'status.json'), JSON.stringify({ statuses: [status] }))
  const page = await newPage(t)
  await page.goto(`${url}?repo=rsyslog&server=lab`)
  await page.getByText('No history: this page reads a copy').waitFor()
  t.match(await section(page, '> .now'), /^Out of sync/)
  await page.getByRole('link', { name: 'All targets' }).click()
  await row(page, 'lab').waitFor()
  t.equal(new URL(page.url()).pathname, '/some/prefix/', 'below its path')
  await page.getByRole('link', { name: 'Activity' }).click()
  await page.getByText('No history: this page reads a copy').waitFor()
})
