import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import proxyAddr from 'proxy-addr'

/** The header with the id of a request, which proxies set and answers repeat. */
export const REQUEST_ID_HEADER = 'X-Request-Id'
const REQUEST_ID = /^[\w.:-]{1,100}$/

const requestIds = new WeakMap<IncomingMessage, string>()

/** The path of a request, not decoded and without the query. */
export function pathOf({ url = '/' }: IncomingMessage): string {
  const end = url.indexOf('?')
  return end === -1 ? url : url.slice(0, end)
}

/**
 * The id of a request, in its log lines and its answer: that of `X-Request-Id`, if it has letters, digits and `_ . : -`
 * only, and at most 100 of them; else a new one.
 */
export function requestIdOf(req: IncomingMessage): string {
  const known = requestIds.get(req)
  if (known !== undefined) return known
  const given = req.headers['x-request-id']
  const id = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID()
  requestIds.set(req, id)
  return id
}

/** Reports whether a request only reads. */
export function isRead({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD'
}

/**
 * Returns a function that finds the address of a client.
 *
 * @param trustProxy the proxies whose `X-Forwarded-For` is trusted: their number, or their addresses, networks and the
 * names that proxy-addr has for some of those; `undefined`: none
 */
export function clientAddress(
  trustProxy: number | readonly string[] | undefined,
): (req: IncomingMessage) => string | undefined {
  const trust =
    typeof trustProxy === 'object'
      ? proxyAddr.compile([...trustProxy])
      : (_address: string, hop: number) => hop < (trustProxy ?? 0)
  // Once the socket is closed there is no address, whatever the types say.
  return (req): string | undefined => proxyAddr(req, trust)
}
