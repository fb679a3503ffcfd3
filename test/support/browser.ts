import { accessSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** Debian's, or whichever is named. */
const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium'

/** A headless Chromium; undefined where there is none. */
export async function launchBrowser(): Promise<Browser | undefined> {
  try {
    accessSync(CHROMIUM)
  } catch {
    return undefined
  }
  // Its sandbox does not run as root, and the pages are our own.
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
}
