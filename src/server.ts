import { resolve } from 'node:path'
import type { Logger } from 'pino'
import { TokensFile, TokensFileError } from './access/tokens-file.ts'
import { createApp } from './http/app.ts'
import { DEFAULT_LIMITS, type Limits, ListenError, Listener } from './http/listener.ts'
import { Metrics } from './http/metrics.ts'
import { createLog } from './log.ts'
import type { Settings } from './settings.ts'
import { inSlices } from './slices.ts'
import type { Steps } from './steps.ts'
import { compileSchemas } from './status/validation.ts'
import { Store, StoreError, type StoreOptions } from './store/store.ts'
import { version } from './project.ts'

/** The time that open connections have to end when the server stops, in ms. */
const STOP_GRACE_MS = 5000

export interface RunningServer {
  /** The address that it listens on, such as `http://127.0.0.1:8080`. */
  readonly url: string
  /** Reads the tokens file again, and logs the outcome. The server also follows its changes without this. */
  reload(): Promise<void>
  /** Accepts no more connections, commits and answers what waits, and closes. Takes less than 10 seconds. */
  stop(): Promise<void>
}

export interface StartOptions {
  /** Time limits of connections; shorter ones are for tests. */
  readonly limits?: Partial<Limits>
}

/** The server cannot start with these settings on this machine. The message has the fault, its place and the expectation. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

/**
 * Starts the server. Nothing is written to disk unless the tokens can be read and the port is free.
 *
 * @throws {StartError} if the tokens file, the address or the data directory cannot be used
 */
export async function start(
  settings: Settings,
  log: Logger = createLog(settings.logLevel),
  { limits }: StartOptions = {},
): Promise<RunningServer> {
  const {
    dataDir: directory,
    staleAfter,
    historyRetention,
    commitInterval,
    tokensFile,
    protectReads,
    refuseDiffs,
    trustProxy,
  } = settings
  const metrics = new Metrics(version, { by: settings.metricsBy, labels: settings.metricLabels })
  const listener = new Listener(metrics, { ...DEFAULT_LIMITS, ...limits })
  let store: Store | undefined
  try {
    const tokens = tokensFile === undefined ? undefined : await TokensFile.open(tokensFile, log)
    const url = await listener.listen(settings.port, settings.host)
    store = await openStore({ directory, staleAfter, historyRetention, commitInterval, events: metrics, log })
    const access = { tokens, protectReads }
    listener.attach(createApp({ store, staleAfter, refuseDiffs, metrics, access, trustProxy, log, version }).listener)
    tokens?.watch()
    const parts = { listener, store, tokens }
    logStart(log, url, settings, parts)
    void inSlices(prepareAnswers(metrics, store))
    return { url, reload: async () => tokens?.reload(), stop: async () => stop(log, parts) }
  } catch (error) {
    await listener.stop(0)
    await store?.stop()
    throw startErrorOf(error)
  }
}

/** Does what the first scrape, the first post and the first edit would wait for. */
function* prepareAnswers(metrics: Metrics, store: Store): Steps<void> {
  yield* metrics.prepare(store.published.document)
  yield* compileSchemas()
}

interface Parts {
  readonly listener: Listener
  readonly store: Store
  readonly tokens: TokensFile | undefined
}

/** Every request that has been accepted is answered, which may take a commit: the store stops after the listener. */
async function stop(log: Logger, { listener, store, tokens }: Parts): Promise<void> {
  store.hasten()
  await listener.stop(STOP_GRACE_MS)
  await store.stop()
  tokens?.stop()
  log.info({ generation: store.published.document.generation }, 'stopped')
}

function logStart(log: Logger, url: string, settings: Settings, { store, tokens }: Parts): void {
  const { generation, entries } = store.published.document
  const state = { generation, targets: entries.length, volume: store.volume }
  log.info({ version, settings, url, ...(tokens === undefined ? {} : { tokens: tokens.size }), ...state }, 'started')
  if (tokens === undefined && !isLoopback(url)) {
    const detail = 'anyone who can reach this address may post and remove; set TOKENS_FILE to restrict that'
    log.warn({ url, detail }, 'no access control')
  }
}

async function openStore(options: StoreOptions): Promise<Store> {
  try {
    return await Store.start(options)
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    if (error.kind === 'internal') throw error.cause
    const place = resolve(options.directory)
    const expected = 'DATA_DIR must be a directory that this user can write to'
    throw new StartError(`${place}: cannot be used: ${error.message}; ${expected}`, { cause: error })
  }
}

function startErrorOf(error: unknown): unknown {
  const isExpected = error instanceof TokensFileError || error instanceof ListenError
  return isExpected ? new StartError(error.message, { cause: error }) : error
}

function isLoopback(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === '[::1]' || hostname.startsWith('127.')
}
