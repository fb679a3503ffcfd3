import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Browser, Page } from 'playwright-core'
import type { Snapshot } from '../src/status/schema.ts'
import type { Running } from './contenders.ts'
import { CATEGORIES, type MainThread, mainThread } from './main-thread.ts'
import { sum } from './numbers.ts'
import { serverOf, statusOf } from './page-documents.ts'

/** Each key changes the rows. */
const KEYS = ['7', '7', '0', 'Backspace', 'Backspace', 'Backspace']
const UPDATES = 3

/** What `page-probe.js` adds to the page. */
declare const probe: {
  readonly largestPaint: number
  readonly layoutShift: number
  readonly awaitUpdate: (name: string) => void
}

/** Times in ms. */
export interface Load {
  /** From the navigation to the end of the frame with the first rows. */
  readonly rows: number
  /** The same from the arrival of the whole document. */
  readonly rowsOfDocument: number
  /** From each key to the end of the frame in which every row matches the filter. */
  readonly keys: readonly number[]
  readonly updates: readonly MainThread[]
  /** The JavaScript heap after the updates and a garbage collection, in MiB. */
  readonly heap: number
}

/** Loads the page, types, and updates some targets a few times. `updateOf`: by the number of the update. */
export async function measureLoad(
  browser: Browser,
  server: Running,
  updateOf: (number: number) => readonly Snapshot[],
): Promise<Load> {
  const page = await open(browser, server)
  const [rows = Number.NaN] = await measured(page, 'rows')
  const arrival = await page.evaluate(() => {
    const document = performance.getEntriesByType('resource').find(({ name }) => name.endsWith('/status.json'))
    return document instanceof PerformanceResourceTiming ? document.responseEnd : Number.NaN
  })
  await page.locator('input[type=search]').focus()
  for (const [index, key] of KEYS.entries()) {
    await page.keyboard.press(key)
    await measured(page, 'key', index + 1)
  }
  const keys = await measured(page, 'key', KEYS.length)
  const updates: MainThread[] = []
  for (let number = 0; number < UPDATES; number += 1) {
    await browser.startTracing(page, { categories: CATEGORIES })
    await update(page, server, updateOf(number))
    updates.push(mainThread(String(await browser.stopTracing()), 'update'))
  }
  const heap = await heapOf(page)
  await page.close()
  return { rows, rowsOfDocument: rows - arrival, keys, updates, heap }
}

/** How a page comes to stand. */
export interface Steadiness {
  /** When the largest element was painted, in ms since the navigation: LCP. */
  readonly largestPaint: number
  /** The sum of all layout shifts over the load, the arrival of the strips, and an update. CLS is never more. */
  readonly layoutShift: number
}

export async function measureSteadiness(
  browser: Browser,
  server: Running,
  updated: readonly Snapshot[],
): Promise<Steadiness> {
  const page = await open(browser, server)
  // The strips are asked for when the rows are there.
  await page.waitForLoadState('networkidle')
  await update(page, server, updated)
  await page.waitForLoadState('networkidle')
  const { largestPaint, layoutShift } = await page.evaluate(() => probe)
  await page.close()
  return { largestPaint, layoutShift }
}

/** The bytes of the page's scripts after gzip -9. */
export async function scriptBytes({ url }: Running): Promise<number> {
  const index = await (await fetch(url)).text()
  const names = [...index.matchAll(/<script[^>]+src="([^"]+)"/g)].map(([, name = '']) => name)
  const scripts = await Promise.all(names.map(async (name) => (await fetch(new URL(name, url))).arrayBuffer()))
  return sum(scripts.map((script) => gzipSync(script, { level: 9 }).length))
}

/** The page, with its first rows. */
async function open(browser: Browser, { url }: Running): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 } })
  await page.addInitScript({ path: join(import.meta.dirname, 'page-probe.js') })
  await page.goto(url)
  await measured(page, 'rows')
  return page
}

/** Waits for so many measures of a name. Their durations, in ms. */
async function measured(page: Page, name: string, number = 1): Promise<number[]> {
  const wanted = { name, number }
  await page.waitForFunction((all) => performance.getEntriesByName(all.name).length >= all.number, wanted)
  return page.evaluate((all) => performance.getEntriesByName(all).map(({ duration }) => duration), name)
}

/** Posts statuses, and that the target of the first row is back in sync; waits until the page shows it. */
async function update(page: Page, { url }: Running, statuses: readonly Snapshot[]): Promise<void> {
  const text = (await page.locator('.row').first().textContent()) ?? ''
  const first = Number(/server-(\d+)/.exec(text)?.[1])
  const others = statuses.filter(({ server }) => server !== serverOf(first))
  await page.evaluate((name) => probe.awaitUpdate(name), serverOf(first))
  const response = await fetch(`${url}/api/status`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify([statusOf(first), ...others]),
  })
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  // The page polls when it gets the focus, else within five seconds.
  await page.evaluate(() => window.dispatchEvent(new Event('focus')))
  await measured(page, 'update')
}

async function heapOf(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page)
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  return usedSize / 2 ** 20
}
