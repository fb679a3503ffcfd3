import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import compression from 'compression'
import express, { type Express, type RequestHandler } from 'express'
import type { Access } from './access.ts'
import { ANY_ORIGIN_HEADERS, SECURITY_HEADERS, setHeaders } from './headers.ts'
import type { Metrics } from './metrics.ts'
import { Problem } from './problems.ts'
import { originForm } from './request-target.ts'
import { REQUEST_ID_HEADER, isRead, pathOf, requestIdOf } from './request.ts'

/** Answers a request. An error that it throws, or rejects with, is answered as a problem. */
export type Handler = (req: IncomingMessage, res: ServerResponse) => Promise<void> | undefined

/** A path and its handlers; other methods are answered with 405. */
export interface ExpressRoute {
  readonly path: string
  /** Pages of any origin may read it. A path with writes does not say so in answer to a preflight request. */
  readonly anyOrigin?: true
  /** GET and HEAD. */
  readonly get: RequestHandler
  readonly post?: readonly RequestHandler[]
  readonly delete?: RequestHandler
}

/** A path that is answered without Express, which would take most of the time. Pages of any origin may read it. */
export interface FastRoute {
  readonly path: string
  /** GET and HEAD. It sends the common headers itself, and counts its answers. */
  readonly fast: Handler
}

export type Route = ExpressRoute | FastRoute

export interface RouterOptions {
  readonly access: Pick<Access, 'admits' | 'refuse'>
  readonly metrics: Pick<Metrics, 'countAnswer'>
  readonly answerError: (error: unknown, req: IncomingMessage, res: ServerResponse) => void
}

/**
 * Routes requests. Everything that all routes share, with and without Express, is done here, ahead of both: parsing the
 * target, access, security headers, counting, and answering errors.
 */
export function createRouter(routes: readonly Route[], options: RouterOptions): RequestListener {
  const { access, metrics, answerError } = options
  const fastPaths = new Map<string, Handler>()
  const app = createExpress()
  for (const route of routes) {
    if ('fast' in route) fastPaths.set(route.path, fastPath(route, begin))
    else mount(app, route)
  }
  app.use(((req) => {
    throw new Problem('not-found', `${req.path} does not exist; see /openapi.json`)
  }) satisfies RequestHandler)
  // Express recognizes an error handler by its four parameters.
  app.use((error: unknown, req: IncomingMessage, res: ServerResponse, _next: unknown) => answerError(error, req, res))

  function begin(req: IncomingMessage, res: ServerResponse, path?: string): void {
    setHeaders(res, SECURITY_HEADERS)
    res.setHeader(REQUEST_ID_HEADER, requestIdOf(req))
    res.once('finish', () => metrics.countAnswer(path ?? expressRouteOf(req), res.statusCode))
  }

  const dispatch: Handler = (req, res) => {
    req.url = originForm(req.url ?? '')
    const path = pathOf(req)
    if (!access.admits(req, path)) {
      begin(req, res)
      return access.refuse(req)
    }
    const fast = fastPaths.get(path)
    if (fast !== undefined) return fast(req, res)
    begin(req, res)
    app(req, res)
    return undefined
  }

  return (req, res) => {
    try {
      dispatch(req, res)?.catch((error: unknown) => answerError(error, req, res))
    } catch (error) {
      answerError(error, req, res)
    }
  }
}

/** Sets the common headers, and counts the answer when it is sent. `path` is that of the route, by default Express's. */
type Begin = (req: IncomingMessage, res: ServerResponse, path?: string) => void

function createExpress(): Express {
  const app = express()
  app.disable('x-powered-by')
  app.set('case sensitive routing', true)
  app.set('strict routing', true)
  app.set('query parser', parseQuery)
  // An answer that has an encoding is left as it is.
  // The fastest level: that of the library takes up to five times as long for a tenth less.
  const compress = compression({ level: 1 })
  // An answer to anything else is small, and compression's hooks take a fifth of the time of a post.
  app.use((req, res, next) => (isRead(req) ? compress(req, res, next) : next()))
  return app
}

/**
 * Keeps every parameter: the usual parser drops those after the thousandth, and DELETE would then remove more.
 *
 * @param text without a query, Express passes `null`; `URLSearchParams` makes a parameter `null` of that since Node 24
 */
function parseQuery(text: string | null | undefined): Record<string, string | string[]> {
  const query = new URLSearchParams(text ?? '')
  const names = [...new Set(query.keys())]
  return Object.fromEntries(
    names.map((name) => {
      const values = query.getAll(name)
      return [name, values.length === 1 ? (values[0] ?? '') : values]
    }),
  )
}

function mount(app: Express, { path, anyOrigin: readable, get, post, delete: remove }: ExpressRoute): void {
  const route = app.route(path)
  const writes = [...(post === undefined ? [] : ['POST']), ...(remove === undefined ? [] : ['DELETE'])]
  if (readable && writes.length === 0) route.all(anyOrigin)
  else if (readable) route.get(anyOrigin)
  route.get(get)
  if (post !== undefined) route.post(...post)
  if (remove !== undefined) route.delete(remove)
  route.all(onlyAllow('GET', 'HEAD', ...writes))
}

function fastPath({ path, fast }: FastRoute, begin: Begin): Handler {
  const otherMethods = onlyAllow('GET', 'HEAD')
  const fail = (error: unknown, req: IncomingMessage, res: ServerResponse): never => {
    if (!res.headersSent) begin(req, res, path)
    throw error
  }
  return (req, res) => {
    if (!isRead(req)) {
      begin(req, res, path)
      setAnyOrigin(res)
      return otherMethods(req, res)
    }
    try {
      return fast(req, res)?.catch((error: unknown) => fail(error, req, res))
    } catch (error) {
      return fail(error, req, res)
    }
  }
}

const anyOrigin: RequestHandler = (_req, res, next) => {
  setAnyOrigin(res)
  next()
}

function setAnyOrigin(res: ServerResponse): void {
  setHeaders(res, ANY_ORIGIN_HEADERS)
  // Lets pages make conditional requests.
  res.setHeader('Access-Control-Allow-Headers', 'If-None-Match')
}

/** Answers OPTIONS, and refuses all other methods. */
function onlyAllow(...allowed: readonly string[]): Handler {
  const allow = [...allowed, 'OPTIONS'].join(', ')
  return (req, res) => {
    if (req.method !== 'OPTIONS') {
      throw new Problem('method-not-allowed', `${req.method} is not one of ${allow}`, { headers: { Allow: allow } })
    }
    res.writeHead(204, { Allow: allow }).end()
    return undefined
  }
}

/** The path of the route, not of the request: each value becomes a series of its own. */
function expressRouteOf(req: IncomingMessage): string {
  const route: unknown = 'route' in req ? req.route : undefined
  const path: unknown = typeof route === 'object' && route !== null && 'path' in route ? route.path : undefined
  return typeof path === 'string' ? path : 'none'
}
