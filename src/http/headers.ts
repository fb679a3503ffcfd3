import type { ServerResponse } from 'node:http'

/** Nothing that this server sends is to be run, framed or guessed at by a browser. */
export const SECURITY_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
} as const

/** What is open to every reader is open to every page; writing is not. */
export const ANY_ORIGIN_HEADERS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'ETag',
} as const

/** JSON that may be kept, and is asked for again each time. */
export const JSON_HEADERS = { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-cache' } as const

export function setHeaders(res: ServerResponse, headers: Readonly<Record<string, string | readonly string[]>>): void {
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
}
