/** Already a path, perhaps with a query. `\s` has no-break spaces, which Node lets through. */
const ORIGIN_FORM = /^\/[^#\s]*$/

/**
 * Returns a request target as a path and a query, the form that clients send to a server. They send an absolute URL to a
 * proxy, and RFC 9112 requires a server to accept one. `*`, which names no resource, becomes a path that no route has.
 *
 * Express passes any other form to `url.parse()`, which is deprecated.
 */
export function originForm(target: string): string {
  if (ORIGIN_FORM.test(target)) return target
  const [path = ''] = target.replace(/^https?:\/\/[^/?#]*/i, '').split('#')
  return (path.startsWith('/') ? path : `/${path}`).replace(/\s/g, encodeURIComponent)
}
