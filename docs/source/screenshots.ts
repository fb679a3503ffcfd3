/* Takes the pictures of the status page that the README shows, and others to look at: npm run screenshots [directory] */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pino } from 'pino'
import type { BrowserContextOptions } from 'playwright-core'
import { start } from '../../src/server.ts'
import type { State } from '../../src/status/schema.ts'
import { formatTime } from '../../src/status/time.ts'
import { launchBrowser } from '../../test/support/browser.ts'
import { settingsFor } from '../../test/support/server.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const NOW = Date.now()

/** A target with its last days: since how long ago in ms it is in which state. */
interface Story {
  readonly repo: string
  readonly server: string
  readonly past: readonly (readonly [ago: number, files: readonly string[], state?: State])[]
  readonly note?: string
  /** Why its check fails. */
  readonly failed?: string
  readonly labels?: Readonly<Record<string, string>>
}

const COMMIT = 'f3a9c1d27be04c55a1d0a4d1b8c02e7e9d1f6b11'
const RSYSLOG = ['rsyslog.conf', 'rsyslog.d/30-lab.conf']
const STORIES: readonly Story[] = [
  {
    repo: 'rsyslog',
    server: 'rsyslog-lab',
    past: [
      [30 * DAY, []],
      [5 * DAY, ['rsyslog.conf']],
      [4.8 * DAY, []],
      [3 * DAY + 4 * HOUR, RSYSLOG],
    ],
    note: 'ticket 4711: waiting for the new certificate',
    labels: { env: 'lab', owner: 'team-logs' },
  },
  {
    repo: 'nginx',
    server: 'edge-2',
    past: [
      [20 * DAY, []],
      [47 * MINUTE, ['sites-available/shop.conf', 'service nginx']],
    ],
  },
  {
    repo: 'base',
    server: 'web-1',
    past: [
      [15 * DAY, []],
      [25 * MINUTE, [], 'failing'],
    ],
    failed: 'unreachable: ssh: connect to host web-1 port 22: No route to host',
  },
  {
    repo: 'postgres',
    server: 'db-standby',
    past: [
      [12 * DAY, []],
      [2 * HOUR, [], 'stale'],
    ],
  },
  {
    repo: 'base',
    server: 'bastion',
    past: [
      [40 * DAY, []],
      [6 * DAY, ['ssh/sshd_config']],
      [4 * DAY, ['ssh/sshd_config'], 'accepted'],
    ],
  },
  { repo: 'rsyslog', server: 'rsyslog-prod-1', past: [[90 * DAY, []]] },
  {
    repo: 'rsyslog',
    server: 'rsyslog-prod-2',
    past: [
      [90 * DAY, []],
      [2 * DAY, ['rsyslog.conf']],
      [2 * DAY - 20 * MINUTE, []],
    ],
  },
  { repo: 'postgres', server: 'db-primary', past: [[12 * DAY, []]] },
  {
    repo: 'nginx',
    server: 'edge-1',
    past: [
      [6 * DAY, []],
      [3 * DAY, [], 'stale'],
      [2.7 * DAY, []],
    ],
  },
  { repo: 'nginx', server: 'edge-3', past: [[20 * DAY, []]] },
]

/** What people have written at the top of the document. */
const HEAD = {
  accepted: [
    {
      repo: 'base',
      server: 'bastion',
      file: 'ssh/*',
      until: formatTime(NOW + 21 * DAY),
      reason: 'ticket 4702: keys move to the new vault',
      by: 'anna',
    },
  ],
  expected: [{ repo: 'base', servers: ['web-2'] }],
  links: {
    '*': {
      commit: 'https://git.example.net/{repo}/commit/{commit}',
      file: 'https://git.example.net/{repo}/src/{commit}/{file}',
    },
  },
}

const DIFF = `--- before: /etc/rsyslog.conf
+++ after: templates/rsyslog.conf.j2
@@ -4,7 +4,7 @@
 module(load="imuxsock")
 module(load="imklog")

-*.* @@log-old.example.net:514
+*.* @@log.example.net:6514

 $FileOwner root
`

function statusOf({ repo, server, past, note, failed, labels }: Story): object {
  const [ago, files, state] = past.at(-1) ?? [0, []]
  const isOld = state === 'stale' || state === 'failing'
  const since = formatTime(NOW - (isOld || state === 'accepted' ? (past.at(-2)?.[0] ?? 0) : ago))
  const pipeline = 'https://ci.example.net/repos/12/pipeline/318'
  const failedCheck = {
    since: formatTime(NOW - ago),
    at: formatTime(NOW - MINUTE),
    reason: failed,
    pipeline_url: pipeline,
  }
  return {
    repo,
    server,
    sync_status: files.length === 0 ? 'SYNCED' : 'OUT_OF_SYNC',
    drift_count: files.length,
    files: files.map((name, index) => ({
      name,
      since,
      ...(name.includes(' ') ? { kind: 'other' } : {}),
      ...(index === 0 ? { diff: DIFF } : {}),
    })),
    last_check: formatTime(NOW - (isOld ? ago + 10 * MINUTE : MINUTE)),
    since,
    ...(note === undefined ? {} : { note }),
    ...(labels === undefined ? {} : { labels }),
    ...(failed === undefined ? {} : { failed_check: failedCheck }),
    commit: COMMIT,
    branch: 'master',
    pipeline_url: pipeline,
  }
}

function historyOf({ repo, server, past }: Story): { time: string }[] {
  return past.map(([ago, files, state]) => ({
    time: formatTime(NOW - ago),
    repo,
    server,
    state: state ?? (files.length === 0 ? 'synced' : 'drifted'),
    sync_status: files.length === 0 ? 'SYNCED' : 'OUT_OF_SYNC',
    drift_count: files.length,
    files,
    stale: state === 'stale',
    generation: 1,
    changes: ['status_changed'],
    cause: state === 'stale' ? 'time' : 'snapshot',
    token: state === 'stale' ? undefined : `ci-${repo}`,
    commit: COMMIT,
  }))
}

/** Ten thousand targets, some of which have drifted. */
function many(): Story[] {
  return Array.from({ length: 10_000 }, (_, index) => ({
    repo: ['rsyslog', 'nginx', 'postgres', 'base'][index % 4] ?? '',
    server: `server-${String(index).padStart(5, '0')}`,
    past:
      index % 97 === 0
        ? [[9 * DAY, []] as const, [(index % 5000) * MINUTE, RSYSLOG] as const]
        : [[9 * DAY, []] as const],
  }))
}

const directory = resolve(process.argv[2] ?? join(import.meta.dirname, '..'))
mkdirSync(directory, { recursive: true })
const browser = await launchBrowser()
if (browser === undefined) throw new Error('Chromium is missing: apt-get install chromium, or name it in CHROMIUM')

/** Takes a picture of a server with these targets. */
async function take(
  name: string,
  stories: readonly Story[],
  {
    query = '',
    open,
    full = true,
    waitFor = stories.length > 0 ? '.strip svg' : '.empty',
    ...context
  }: BrowserContextOptions & { query?: string; open?: string; full?: boolean; waitFor?: string } = {},
): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'screenshots-'))
  if (stories.length > 0) {
    writeFileSync(join(dataDir, 'status.json'), JSON.stringify({ ...HEAD, statuses: stories.map(statusOf) }))
    const rows = stories.flatMap(historyOf).toSorted((a, b) => (a.time < b.time ? -1 : 1))
    writeFileSync(join(dataDir, 'history.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  }
  const server = await start(settingsFor(dataDir), pino({ level: 'silent' }))
  const page = await browser?.newPage({ viewport: { width: 1200, height: 800 }, deviceScaleFactor: 2, ...context })
  await page?.goto(`${server.url}/${query}`)
  await page?.waitForSelector(waitFor)
  if (open !== undefined) {
    await page?.getByRole('button', { name: open }).click()
    await page?.locator('.diff').first().waitFor()
    await page?.mouse.move(0, 0)
  }
  await page?.screenshot({ path: join(directory, `${name}.png`), fullPage: full })
  await page?.close()
  await server.stop()
  rmSync(dataDir, { recursive: true })
}

// The list renders what is visible: all of it, if the window is high enough.
await take('status-page', STORIES, { open: 'rsyslog-lab', viewport: { width: 1200, height: 1600 } })
await take('status-page-dark', STORIES, { colorScheme: 'dark' })
await take('status-page-target', STORIES, { query: '?repo=rsyslog&server=rsyslog-lab', waitFor: '.changes' })
if (process.argv[2] !== undefined) {
  await take('phone', STORIES, { viewport: { width: 390, height: 3000 }, open: 'rsyslog-lab' })
  await take('kiosk', STORIES, {
    viewport: { width: 1920, height: 1080 },
    deviceScaleFactor: 1,
    query: '?kiosk',
    waitFor: '.tile',
  })
  await take('grouped', STORIES, { query: '?group=repo&q=1' })
  await take('empty', [])
  await take('many', many(), { full: false })
}
await browser.close()
