/* Measures the status page in a browser, with 10,000 targets: npm run bench:page */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { Browser } from 'playwright-core'
import { start } from '../src/server.ts'
import { launchBrowser } from '../test/support/browser.ts'
import { settingsFor } from '../test/support/server.ts'
import { snapshotOf } from '../test/support/snapshots.ts'

const TARGETS = 10_000
const LOADS = 7
const TYPED = 'server-077'

/** Each in ms. */
interface Load {
  /** From the arrival of the document to the frame with the first rows. */
  readonly rows: number
  /** From each key to the frame that shows what it changed. */
  readonly keys: readonly number[]
}

async function measure(browser: Browser, url: string): Promise<Load> {
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 } })
  await page.addInitScript(() => {
    const observer = new MutationObserver(() => {
      if (document.querySelector('.row') === null) return
      observer.disconnect()
      requestAnimationFrame(() => setTimeout(() => performance.mark('rows')))
    })
    observer.observe(document, { childList: true, subtree: true })
    document.addEventListener(
      'keydown',
      (event) => requestAnimationFrame(() => setTimeout(() => performance.measure('key', { start: event.timeStamp }))),
      true,
    )
  })
  await page.goto(url)
  await page.waitForFunction(() => performance.getEntriesByName('rows').length > 0)
  await page.locator('input[type=search]').focus()
  for (const [index, key] of TYPED.split('').entries()) {
    await page.keyboard.press(key)
    await page.waitForFunction((keys) => performance.getEntriesByName('key').length > keys, index)
  }
  const load = await page.evaluate(() => {
    const document = performance.getEntriesByType('resource').find(({ name }) => name.endsWith('/status.json'))
    const arrived = document instanceof PerformanceResourceTiming ? document.responseEnd : Number.NaN
    const rows = performance.getEntriesByName('rows')[0]?.startTime ?? Number.NaN
    return { rows: rows - arrived, keys: performance.getEntriesByName('key').map(({ duration }) => duration) }
  })
  await page.close()
  return load
}

function summary(numbers: readonly number[]): string {
  const sorted = numbers.toSorted((a, b) => a - b)
  const at = (part: number): string => `${(sorted[Math.floor((sorted.length - 1) * part)] ?? 0).toFixed(0)} ms`
  return `median ${at(0.5)}, worst ${at(1)} of ${sorted.length}`
}

const browser = await launchBrowser()
if (browser === undefined) throw new Error('Chromium is missing: apt-get install chromium, or name it in CHROMIUM')
const dataDir = mkdtempSync(join(tmpdir(), 'bench-page-'))
const statuses = Array.from({ length: TARGETS }, (_, index) =>
  snapshotOf({ server: `server-${String(index).padStart(5, '0')}` }, index % 50 === 0 ? ['rsyslog.conf'] : []),
)
writeFileSync(join(dataDir, 'status.json'), JSON.stringify({ statuses }))
const server = await start(settingsFor(dataDir), pino({ level: 'silent' }))
const loads: Load[] = []
for (let load = 0; load < LOADS; load += 1) loads.push(await measure(browser, `${server.url}/`))
await server.stop()
await browser.close()
rmSync(dataDir, { recursive: true })

process.stdout.write(`The status page with ${TARGETS.toLocaleString('en')} targets
  first rows after the document's arrival: ${summary(loads.map(({ rows }) => rows))}
  a key in the filter until it is seen:    ${summary(loads.flatMap(({ keys }) => keys))}
`)
