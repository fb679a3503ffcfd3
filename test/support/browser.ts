import { accessSync } from 'node:fs'
import { type Browser, chromium, firefox } from 'playwright-core'

/** The browsers that the page is tested in: Debian's, or whichever the environment names. */
export const BROWSERS = {
  chromium: { name: 'Chromium', package: 'chromium', path: process.env['CHROMIUM'] ?? '/usr/bin/chromium' },
  firefox: { name: 'Firefox', package: 'firefox-esr', path: process.env['FIREFOX'] ?? '/usr/bin/firefox-esr' },
} as const
export type BrowserKind = keyof typeof BROWSERS

/** What a test of the page needs of a browser. */
export type TestedBrowser = Pick<Browser, 'newContext' | 'close'>

/** A browser without a window; undefined where there is none. */
export async function launch(kind: BrowserKind): Promise<TestedBrowser | undefined> {
  return kind === 'chromium' ? launchBrowser() : launchFirefox()
}

/** A headless Chromium; undefined where there is none. */
export async function launchBrowser(): Promise<Browser | undefined> {
  if (!isThere(BROWSERS.chromium.path)) return undefined
  // Its sandbox does not run as root, and the pages are our own.
  return chromium.launch({ executablePath: BROWSERS.chromium.path, args: ['--no-sandbox'] })
}

/**
 * A headless Firefox as it is distributed, driven by WebDriver BiDi; undefined where there is none. It cannot emulate what a
 * person prefers. A context with other preferences has a Firefox of its own, whose settings they are; `page.emulateMedia()`
 * fails.
 */
async function launchFirefox(): Promise<TestedBrowser | undefined> {
  if (!isThere(BROWSERS.firefox.path)) return undefined
  const launched = new Map<string, Promise<Browser>>()
  return {
    async newContext({ colorScheme, forcedColors, reducedMotion, ...others } = {}) {
      const settings = {
        'layout.css.prefers-color-scheme.content-override': colorScheme === 'dark' ? 0 : 1,
        'browser.display.document_color_use': forcedColors === 'active' ? 2 : 1,
        'ui.prefersReducedMotion': reducedMotion === 'reduce' ? 1 : 0,
      }
      const key = JSON.stringify(settings)
      const browser = launched.get(key) ?? launchWith(settings)
      launched.set(key, browser)
      return (await browser).newContext({ ...others, colorScheme: null })
    },
    async close() {
      await Promise.all([...launched.values()].map(async (browser) => (await browser).close()))
    },
  }
}

async function launchWith(firefoxUserPrefs: Record<string, number>): Promise<Browser> {
  const browser = await firefox.launch({
    channel: 'moz-firefox',
    executablePath: BROWSERS.firefox.path,
    firefoxUserPrefs,
  })
  // Playwright begins each context with a command that Firefox lacks: to emulate no colour scheme.
  const { _connection: connection } = browser as unknown as Internals
  const { _browserSession: session } = connection.toImpl(browser)
  const send = session.send.bind(session)
  session.send = async (method, parameters) =>
    method === 'emulation.setMediaFeaturesOverride' ? {} : send(method, parameters)
  return browser
}

/** What Playwright does not publish. */
interface Internals {
  readonly _connection: {
    toImpl(browser: Browser): { _browserSession: { send(method: string, parameters: object): Promise<object> } }
  }
}

function isThere(program: string): boolean {
  try {
    accessSync(program)
    return true
  } catch {
    return false
  }
}
