import type { ServerResponse } from 'node:http'

/** A browser must not run, frame or guess the type of an answer. The page has a policy of its own. */
export const SECURITY_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
} as const

/** Pages of any origin may read what needs no token. Never sent with answers to writes. */
export const ANY_ORIGIN_HEADERS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'ETag',
} as const

/** JSON that caches may store and have to revalidate for every use. */
export const JSON_HEADERS = { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-cache' } as const

export function setHeaders(res: ServerResponse, headers: Readonly<Record<string, string | readonly string[]>>): void {
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
}
