import type { RequestListener } from 'node:http'
import type { RequestHandler } from 'express'
import type { Logger } from 'pino'
import { publishedFileSchema, publishedText } from '../status/contract.ts'
import type { Store } from '../store/store.ts'
import { Access, type AccessOptions } from './access.ts'
import { addAccepted, endAccepted, listAccepted } from './accepted.ts'
import { badge } from './badge.ts'
import { ANY_ORIGIN_HEADERS, JSON_HEADERS, SECURITY_HEADERS } from './headers.ts'
import { alive, ready } from './health.ts'
import { ingest } from './ingest.ts'
import type { Metrics } from './metrics.ts'
import { openapi } from './openapi.ts'
import { errorAnswerer } from './problems.ts'
import { publishedFile } from './published-file.ts'
import { clientAddress } from './request.ts'
import { type Handler, type Route, createRouter } from './router.ts'
import { statusPage } from './status-page.ts'
import { showSummary } from './summary.ts'
import { listTargets, removeTargets } from './targets.ts'
import { VIEWS, showView } from './views.ts'

export interface AppOptions {
  readonly store: Pick<Store, 'submit' | 'published' | 'health' | 'history' | 'periods' | 'volume'>
  /** In seconds, for a status without its own. */
  readonly staleAfter: number
  /** Refuses snapshots that have differences as text; false by default. */
  readonly refuseDiffs?: boolean
  readonly metrics: Metrics
  readonly access: AccessOptions
  /** See `clientAddress`. */
  readonly trustProxy?: number | readonly string[] | undefined
  readonly log: Logger
  readonly version: string
}

/** The application, without a server that listens. */
export interface App {
  readonly listener: RequestListener
  /** The paths of all routes. */
  readonly paths: readonly string[]
}

export function createApp({
  store,
  staleAfter,
  refuseDiffs = false,
  metrics,
  access: accessOptions,
  trustProxy,
  log,
  version,
}: AppOptions): App {
  const access = new Access(accessOptions, clientAddress(trustProxy))
  const page = statusPage()
  const routes: readonly Route[] = [
    { path: '/status.json', fast: statusFile(store, metrics) },
    {
      path: '/api/status',
      anyOrigin: true,
      get: listTargets(store),
      post: ingest({ store, metrics, access, refuseDiffs, log }),
      delete: removeTargets(store, access, log),
    },
    {
      path: '/api/accepted',
      anyOrigin: true,
      get: listAccepted(store),
      post: addAccepted(store, access, log),
      delete: endAccepted(store, access, log),
    },
    { path: '/api/summary', anyOrigin: true, get: showSummary(store) },
    ...VIEWS.map((view) => ({ path: view.path, anyOrigin: true as const, get: showView(view, store, staleAfter) })),
    { path: '/status.schema.json', anyOrigin: true, get: constant(publishedFileSchema) },
    { path: '/openapi.json', anyOrigin: true, get: constant(openapi(version)) },
    { path: '/healthz', get: alive },
    { path: '/readyz', get: ready(store, access) },
    { path: '/', get: page.index },
    { path: '/assets/:name', get: page.asset },
    { path: '/badge', get: badge(store) },
    { path: '/metrics', get: metrics.expose(store) },
  ]
  const answerError = errorAnswerer({
    log,
    refused: (code) => metrics.refused(code),
    actorOf: (req) => access.actorOf(req),
  })
  return {
    listener: createRouter(routes, { access, metrics, answerError }),
    paths: routes.map(({ path }) => path),
  }
}

/** Serves the document, byte for byte the file. */
function statusFile(store: Pick<Store, 'published'>, metrics: Pick<Metrics, 'countAnswer'>): Handler {
  const headers = { ...SECURITY_HEADERS, ...ANY_ORIGIN_HEADERS, ...JSON_HEADERS }
  return publishedFile(
    () => store.published,
    headers,
    (status) => metrics.countAnswer('/status.json', status),
  )
}

function constant(value: object): RequestHandler {
  const body = publishedText(value)
  return (_req, res) => {
    res.set(JSON_HEADERS).send(body)
  }
}
