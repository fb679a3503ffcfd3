import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { formatTime } from '../../../../src/status/time.ts'
import { directory } from '../../../support/directory.ts'
import { eventually, matches, post } from '../../../support/http.ts'
import { IN_BROWSER, look, open, row } from '../../../support/page.ts'
import { serve } from '../../../support/server.ts'
import { snapshotOf } from '../../../support/snapshots.ts'
import { DAY, stateAgo, withHistory } from '../../../support/targets.ts'

t.test('the strip of seven days tells each stretch, to the pointer and to a screen reader', IN_BROWSER, async (t) => {
  const dataDir = directory(t)
  const now = Date.now()
  const rows = [
    { ago: 20, sync_status: 'SYNCED', drift_count: 0, files: [], stale: false },
    { ago: 5, sync_status: 'OUT_OF_SYNC', drift_count: 2, files: ['a', 'b'], stale: false },
    { ago: 4, sync_status: 'OUT_OF_SYNC', drift_count: 2, files: ['a', 'b'], stale: true },
    { ago: 3, sync_status: 'SYNCED', drift_count: 0, files: [], stale: false },
  ].map(({ ago, ...row }) => ({
    time: formatTime(now - ago * DAY),
    repo: 'rsyslog',
    server: 'lab',
    ...row,
    generation: 1,
    changes: ['status_changed'],
    cause: 'snapshot',
  }))
  writeFileSync(join(dataDir, 'status.json'), JSON.stringify({ statuses: [snapshotOf({ server: 'lab' })] }))
  writeFileSync(join(dataDir, 'history.jsonl'), rows.map((each) => `${JSON.stringify(each)}\n`).join(''))
  const { server, page } = await open(t, await serve(t, dataDir))
  const strip = row(page, 'lab').getByRole('img', { name: 'Last 7 days' })
  await strip.waitFor()
  t.match(
    (await strip.getAttribute('aria-label'))?.split('; '),
    [
      /^Last 7 days: In sync: .+ – now \(3 d\)$/,
      /^Stale: .+ – .+ \(1 d\)$/,
      /^Out of sync, 2 differences: .+ \(1 d\)$/,
      /^In sync: before .+ \(more than (2 d|1 d 23 h)\)$/,
    ],
    'the newest first, and where the seven days begin is no beginning',
  )
  await eventually(async () => {
    const { x = 0, y = 0, width = 0 } = (await strip.boundingBox()) ?? {}
    await page.mouse.move(0, 0)
    await page.mouse.move(x + width * (2.5 / 7), y + 10)
    matches(await strip.locator('.tip').allInnerTexts(), [/^Out of sync, 2 differences/])
  })
  await page.mouse.move(0, 0)
  await strip.locator('.tip').waitFor({ state: 'detached' })

  await post(server.url, snapshotOf({ server: 'lab' }, ['c']))
  await look(page)
  await eventually(async () =>
    matches(await strip.getAttribute('aria-label'), /^Last 7 days: Out of sync, 1 difference: .+ – now/),
  )
})

t.test('the strip shows failed, missing and accepted checks, and a removal as a gap', IN_BROWSER, async (t) => {
  const dataDir = directory(t)
  const target = { repo: 'rsyslog', server: 'lab', drift_count: 0, files: [], generation: 1, cause: 'snapshot' }
  const rows = [
    { ago: 6, state: 'missing', sync_status: null, stale: true, changes: ['first_seen'] },
    { ago: 5, state: 'failing', sync_status: null, stale: true, changes: ['check_failed', 'state_changed'] },
    { ago: 4, state: null, sync_status: null, stale: false, changes: ['removed'] },
    { ago: 3, state: 'failing', sync_status: 'SYNCED', stale: false, changes: ['first_seen'] },
    { ago: 2.5, state: 'later', sync_status: 'SYNCED', stale: false, changes: ['state_changed'] },
    { ago: 2, state: 'accepted', sync_status: 'OUT_OF_SYNC', stale: false, drift_count: 2, changes: ['accepted'] },
    { ago: 1, state: 'synced', sync_status: 'SYNCED', stale: false, changes: ['state_changed'] },
  ].map(({ ago, ...row }) => ({ time: formatTime(Date.now() - ago * DAY), ...target, ...row }))
  writeFileSync(join(dataDir, 'status.json'), JSON.stringify({ statuses: [snapshotOf({ server: 'lab' })] }))
  const { page } = await open(t, await serve(t, dataDir))
  await page.route('**/api/history?*', async (route) => route.fulfill({ json: rows }))
  await page.reload()
  const strip = row(page, 'lab').getByRole('img', { name: 'Last 7 days' })
  await strip.waitFor()
  t.match((await strip.getAttribute('aria-label'))?.split('; '), [
    /In sync: .+ – now \(1 d\)$/,
    /^Accepted, 2 differences: .+ \(1 d\)$/,
    /^Stale: .+ \(12 h\)$/,
    /^Check failing: .+ \(12 h\)$/,
    'and 2 before',
  ])
  const paths = strip.locator('path:not(.track):not(.chosen)')
  const tops = await paths.evaluateAll((all) =>
    all.map((path) => /^M[\d.]+ (\d+)/.exec(path.getAttribute('d') ?? '')?.[1]).filter((top) => top !== undefined),
  )
  t.equal(new Set(tops).size, 5, `heights: ${tops.join(', ')}`)
  const fills = await paths.evaluateAll((all) => all.map((path) => getComputedStyle(path).fill))
  t.equal(new Set(fills.filter((fill) => fill !== 'rgb(0, 0, 0)')).size, 6, 'colours, none of them the default')
})

t.test('a clock that was set back does not make a target look in sync', IN_BROWSER, async (t) => {
  const statuses = [snapshotOf({ server: 'lab' }, ['x'])]
  const server = await serve(t, withHistory(t, { statuses }, []))
  const { page } = await open(t, server)
  const rows = [
    stateAgo(4, 'drifted', { generation: 1 }),
    stateAgo(1, 'synced', { generation: 2 }),
    stateAgo(2, 'drifted', { generation: 3 }),
  ]
  await page.route('**/api/history?*', async (route) => route.fulfill({ json: rows }))
  await page.reload()
  const strip = row(page, 'lab').getByRole('img', { name: 'Last 7 days' })
  await strip.waitFor()
  t.match(await strip.getAttribute('aria-label'), /^Last 7 days: Out of sync: .+ – now/)
})
