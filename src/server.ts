import type { Logger } from 'pino'
import { TokensFile } from './access/tokens-file.ts'
import { createApp } from './http/app.ts'
import { DEFAULT_LIMITS, type Limits, Listener } from './http/listener.ts'
import { Metrics } from './http/metrics.ts'
import { createLog } from './log.ts'
import type { Settings } from './settings.ts'
import { Store } from './store/store.ts'
import { version } from './version.ts'

/** How long connections may take to end when the server stops, in ms. */
const STOP_GRACE_MS = 5000

export interface RunningServer {
  /** Where it answers, such as `http://127.0.0.1:8080`. */
  readonly url: string
  /** Stops accepting, commits and answers what waits, closes. Takes less than 10 seconds. */
  stop(): Promise<void>
}

/** What only tests change. */
export interface StartOptions {
  /** Time limits of connections. */
  readonly limits?: Partial<Limits>
}

/**
 * Starts the server: loads the document, then listens.
 *
 * @throws {StoreError} when the data directory cannot be used; {TokensFileError} when the tokens cannot; the system's error when the address cannot
 */
export async function start(
  settings: Settings,
  log: Logger = createLog(settings.logLevel),
  { limits = {} }: StartOptions = {},
): Promise<RunningServer> {
  const { dataDir: directory, staleAfter, historyRetention, tokensFile, protectReads, trustProxy } = settings
  const tokens = tokensFile === undefined ? undefined : await TokensFile.open(tokensFile, log)
  const metrics = new Metrics(version)
  const store = await Store.start({ directory, staleAfter, historyRetention, events: metrics, log })
  const app = createApp({ store, metrics, access: { tokens, protectReads }, trustProxy, log, version })
  const listener = new Listener(app.listener, metrics, { ...DEFAULT_LIMITS, ...limits })
  let url: string
  try {
    url = await listener.listen(settings.port, settings.host)
  } catch (error) {
    tokens?.stop()
    await store.stop()
    throw error
  }
  const { generation, entries } = store.published.document
  log.info({ version, settings, url, generation, targets: entries.length, volume: store.volume }, 'started')
  if (tokens === undefined && !isLoopback(url)) {
    const detail = 'anyone who can reach this address may post and remove; set TOKENS_FILE to restrict that'
    log.warn({ url, detail }, 'no access control')
  }
  return {
    url,
    async stop() {
      await listener.stop(STOP_GRACE_MS)
      await store.stop()
      tokens?.stop()
      log.info({ generation: store.published.document.generation }, 'stopped')
    },
  }
}

function isLoopback(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === '[::1]' || hostname.startsWith('127.')
}
