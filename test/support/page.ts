import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { cpSync, existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { BrowserContextOptions, Locator, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { BROWSERS, type BrowserKind, type TestedBrowser, launch } from './browser.ts'
import { directory } from './directory.ts'
import { eventually, matches } from './http.ts'
import { isTested, needs } from './machine.ts'
import { type Server, serve } from './server.ts'

/** The page as `npm run build` makes it. */
export const BUILT = resolve(import.meta.dirname, '../..', 'dist', 'page')
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** How often the page asks for news, in ms. */
export const POLL_MS = 5000

let browser: TestedBrowser | undefined
/** The options of a test in the browser. */
export let IN_BROWSER: { skip?: string } = { skip: 'no browser was chosen' }

/** The options of a test of what only Chromium lets a program do. */
export let IN_CHROMIUM: { skip?: string } = IN_BROWSER

/** Chooses the browser in which all tests of a file run. */
export async function testIn(kind: BrowserKind): Promise<void> {
  browser = isTested(kind) ? undefined : await launch(kind)
  t.teardown(async () => browser?.close())
  const { name, package: debian } = BROWSERS[kind]
  IN_BROWSER = needs({ there: browser !== undefined, what: `${name} (Debian: ${debian})`, program: kind })
  IN_CHROMIUM = kind === 'chromium' ? IN_BROWSER : { skip: 'tested in Chromium' }
}

export interface PageOptions extends BrowserContextOptions {
  /** The test moves the page's clock, which otherwise moves as usual: `page.clock.fastForward()`. */
  readonly ownClock?: boolean
}

export async function newPage(t: Test, { ownClock = false, ...options }: PageOptions = {}): Promise<Page> {
  if (browser === undefined) throw new Error('there is no browser')
  const context = await browser.newContext({
    viewport: { width: 1200, height: 900 },
    ...options,
  })
  t.teardown(async () => context.close())
  if (ownClock) await context.clock.install()
  const page = await context.newPage()
  page.on('pageerror', (error) => t.fail(`the page threw: ${error.message}`))
  page.on('console', (message) => {
    if (/Content Security Policy|Trusted/.test(message.text())) t.fail(message.text())
  })
  return page
}

/** The page of a server. */
export async function open(
  t: Test,
  server?: Server,
  options: PageOptions = {},
  query = '',
): Promise<{ server: Server; page: Page }> {
  const from = server ?? (await serve(t))
  const page = await newPage(t, options)
  await page.goto(`${from.url}/${query}`)
  return { server: from, page }
}

/** The built page below a path of another web server, beside whatever is put there. */
export async function staticSite(t: Test): Promise<{ readonly root: string; readonly url: string }> {
  const root = directory(t)
  cpSync(BUILT, root, { recursive: true })
  const served = createServer((request, response) => {
    // The page's own clock counts.
    response.sendDate = false
    const path = join(root, (request.url ?? '').replace(/^\/some\/prefix\//, '').replace(/\?.*$/, '') || 'index.html')
    if (!request.url?.startsWith('/some/prefix/') || !existsSync(path))
      return response.writeHead(404).end('<h1>nothing</h1>')
    const type = { js: 'text/javascript', css: 'text/css', html: 'text/html' }[path.replace(/.*\./, '')] ?? ''
    return response.writeHead(200, type === '' ? {} : { 'Content-Type': type }).end(readFileSync(path))
  })
  await new Promise<void>((listening) => {
    served.listen(0, '127.0.0.1', listening)
  })
  t.teardown(() => served.close())
  const address = served.address()
  const port = typeof address === 'object' ? address?.port : undefined
  return { root, url: `http://127.0.0.1:${port}/some/prefix/` }
}

/** Somebody comes back to the page: it asks at once. */
export async function look(page: Page): Promise<void> {
  await page.evaluate(() => window.dispatchEvent(new Event('focus')))
}

/** Lets in the changes that wait while somebody reads. */
export async function showNews(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Show \d+ changes?$/ }).click()
}

export function row(page: Page, server: string): Locator {
  return page.locator('.row').filter({ has: page.locator('.server').getByText(server, { exact: true }) })
}

/** The names in all rows, also in those that the browser has not laid out. */
export async function servers(page: Page): Promise<string[]> {
  return page.locator('.row .server').allTextContents()
}

/** The text of a part of the list. It is empty until the browser has laid out the row. */
export async function textOf(part: Locator): Promise<string> {
  return eventually(async () => {
    const text = await part.innerText()
    if (text === '') throw new Error('has no text yet')
    return text
  })
}

/** The texts of parts of the list, each as in `textOf`. */
export async function textsOf(parts: Locator): Promise<string[]> {
  return eventually(async () => {
    const texts = await parts.allInnerTexts()
    if (texts.length === 0 || texts.includes('')) throw new Error(`not all have a text yet: ${JSON.stringify(texts)}`)
    return texts
  })
}

/** Waits for an announcement to a screen reader: like the title and the icon, it follows the drawing of a change. */
export async function announced(page: Page, text: RegExp): Promise<void> {
  await eventually(async () => matches(await page.locator('p[role=status]').innerText(), text))
}

export async function iconOf(page: Page): Promise<string | null> {
  return page.locator('link[rel=icon]').getAttribute('href')
}

/** Waits for a title. */
export async function titled(page: Page, title: RegExp): Promise<void> {
  await eventually(async () => matches(await page.title(), title))
}

/** The counts at the top, by the word of the state. */
export async function told(page: Page): Promise<Record<string, string>> {
  const counts = await page.locator('.summary .count').allInnerTexts()
  return Object.fromEntries(
    counts.map((text) =>
      text
        .split('\n')
        .map((line) => line.trim())
        .toReversed(),
    ),
  )
}

/** What axe-core finds wrong by WCAG 2.2 AA and its own best practices. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run: (options: object) => Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
    }
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
    const found = await axe.run({ runOnly: tags })
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
  })
}
