import express, { type Express, type RequestHandler } from 'express'
import type { Logger } from 'pino'
import { savedDocumentSchema } from '../status/schema.ts'
import type { Store } from '../store/store.ts'
import { Access, type AccessOptions } from './access.ts'
import { badge } from './badge.ts'
import { ANY_ORIGIN_HEADERS, JSON_HEADERS, SECURITY_HEADERS } from './headers.ts'
import { alive, ready } from './health.ts'
import { listHistory } from './history.ts'
import { ingest } from './ingest.ts'
import type { Metrics } from './metrics.ts'
import { openapi } from './openapi.ts'
import { answerErrors, notFound, onlyAllow } from './problems.ts'
import { publishedFile } from './published-file.ts'
import { statusPage } from './status-page.ts'
import { listTargets, removeTargets } from './targets.ts'

export interface AppOptions {
  readonly store: Pick<Store, 'submit' | 'published' | 'health' | 'history'>
  readonly metrics: Metrics
  readonly access: AccessOptions
  /** Which proxies' word on the address of a client counts: so many before this server, or these. */
  readonly trustProxy?: number | readonly string[] | undefined
  readonly log: Logger
  readonly version: string
}

/** The routes. The app does not listen yet. */
export function createApp({ store, metrics, access: accessOptions, trustProxy, log, version }: AppOptions): Express {
  const app = express()
  const access = new Access(accessOptions)
  if (trustProxy !== undefined) app.set('trust proxy', trustProxy)
  app.disable('x-powered-by')
  app.set('case sensitive routing', true)
  app.set('strict routing', true)
  app.set('query parser', parseQuery)
  app.use(secure)
  app.use(metrics.countRequests)
  app.use(access.guard)

  const read = onlyAllow('GET', 'HEAD')
  app
    .route('/status.json')
    .all(anyOrigin)
    .get(publishedFile(() => store.published, JSON_HEADERS))
    .all(read)
  app
    .route('/api/status')
    .get(anyOrigin, listTargets(store))
    .post(ingest(store, metrics, access, log))
    .delete(removeTargets(store, access, log))
    .all(onlyAllow('GET', 'HEAD', 'POST', 'DELETE'))
  app.route('/api/history').all(anyOrigin).get(listHistory(store)).all(read)
  app.route('/status.schema.json').all(anyOrigin).get(constant(savedDocumentSchema)).all(read)
  app
    .route('/openapi.json')
    .all(anyOrigin)
    .get(constant(openapi(version)))
    .all(read)
  app.route('/healthz').get(alive).all(read)
  app.route('/readyz').get(ready(store, access)).all(read)
  const page = statusPage()
  app.route('/').get(page.index).all(read)
  app.route('/assets/:name').get(page.asset).all(read)
  app.route('/badge').get(badge(store)).all(read)
  app.route('/metrics').get(metrics.expose(store)).all(read)

  app.use(notFound)
  app.use(answerErrors(log, (code) => metrics.refused(code)))
  return app
}

/** Every parameter counts: the usual parser drops those after the thousandth, and DELETE would then take more away. */
function parseQuery(text: string | null | undefined): Record<string, string | string[]> {
  // A request without a query has null here, which URLSearchParams reads as the text "null" from Node 24 on.
  const query = new URLSearchParams(text ?? '')
  const names = [...new Set(query.keys())]
  return Object.fromEntries(
    names.map((name) => {
      const values = query.getAll(name)
      return [name, values.length === 1 ? (values[0] ?? '') : values]
    }),
  )
}

const secure: RequestHandler = (_req, res, next) => {
  res.set(SECURITY_HEADERS)
  next()
}

const anyOrigin: RequestHandler = (_req, res, next) => {
  // With its own tag a page may ask for what is new; a browser asks before whether it may.
  res.set(ANY_ORIGIN_HEADERS).set('Access-Control-Allow-Headers', 'If-None-Match')
  next()
}

function constant(value: object): RequestHandler {
  const body = `${JSON.stringify(value, null, 2)}\n`
  return (_req, res) => {
    res.set(JSON_HEADERS).send(body)
  }
}
