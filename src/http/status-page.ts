import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RequestHandler } from 'express'
import { type Bytes, publishedFile } from './published-file.ts'

/** Where `npm run build` puts the page; the same from `src/http` and from `dist/http`. */
const DIRECTORY = fileURLToPath(new URL('../../dist/page', import.meta.url))

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
}

/** The page runs its own script and asks its own server; it has to be framed by nobody, and sends no form. */
const PAGE_POLICY = [
  "default-src 'none'",
  ...['script-src', 'style-src', 'img-src', 'connect-src'].map((directive) => `${directive} 'self'`),
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

/** The built status page: its HTML, and what it loads, by names that change with every byte. */
export function statusPage(): { index: RequestHandler; asset: RequestHandler } {
  const index = serve(join(DIRECTORY, 'index.html'), {
    'Cache-Control': 'no-cache',
    'Content-Security-Policy': PAGE_POLICY,
    'Referrer-Policy': 'no-referrer',
  })
  const directory = join(DIRECTORY, 'assets')
  const immutable = { 'Cache-Control': 'public, max-age=31536000, immutable' }
  const assets = new Map(readdirSync(directory).map((name) => [name, serve(join(directory, name), immutable)]))
  return {
    index,
    asset: (req, res, next) => {
      const handler = assets.get(String(req.params['name'])) ?? passOn
      return handler(req, res, next)
    },
  }
}

const passOn: RequestHandler = (_req, _res, next) => next('route')

/** Serves a file as it was when the server started: nothing else in its directory can be asked for. */
function serve(path: string, headers: Record<string, string>): RequestHandler {
  const bytes = readFileSync(path)
  const file: Bytes = {
    bytes,
    digest: createHash('sha256').update(bytes).digest('base64url').slice(0, 22),
    modifiedAt: statSync(path).mtimeMs,
  }
  return publishedFile(() => file, { 'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream', ...headers })
}
