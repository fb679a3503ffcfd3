import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RequestHandler } from 'express'
import { type ServedFile, publishedFile } from './published-file.ts'

/** The output of `npm run build`; the same path from `src/http` and from `dist/http`. */
const DIRECTORY = fileURLToPath(new URL('../../dist/page', import.meta.url))

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
}

/** The page loads its own files and asks its own server. It must not be framed, and has no forms. */
const PAGE_POLICY = [
  "default-src 'none'",
  ...['script-src', 'style-src', 'img-src', 'connect-src'].map((directive) => `${directive} 'self'`),
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

/** The built status page: its HTML, and its assets, whose names change with their content. */
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
      const handler = assets.get(String(req.params['name'])) ?? nextRoute
      return handler(req, res, next)
    },
  }
}

const nextRoute: RequestHandler = (_req, _res, next) => next('route')

/** Serves a file as it was when the server started. */
function serve(path: string, headers: Record<string, string>): RequestHandler {
  const bytes = readFileSync(path)
  const file: ServedFile = {
    bytes,
    digest: createHash('sha256').update(bytes).digest('base64url').slice(0, 22),
    modifiedAt: statSync(path).mtimeMs,
  }
  return publishedFile(() => file, { 'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream', ...headers })
}
