import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Store } from '../store/store.ts'
import { ANY_ORIGIN_HEADERS, JSON_HEADERS, SECURITY_HEADERS } from './headers.ts'
import type { Metrics } from './metrics.ts'
import { publishedFile } from './published-file.ts'

const PATH = '/status.json'

/** Answers a request, or tells that it is not one of its own. */
export type Front = (req: IncomingMessage, res: ServerResponse) => boolean

/** Answers what is asked for most, the document, ahead of Express, which would take most of the time. */
export function frontOf(store: Pick<Store, 'published'>, metrics: Pick<Metrics, 'countAnswer'>): Front {
  const headers = { ...SECURITY_HEADERS, ...ANY_ORIGIN_HEADERS, ...JSON_HEADERS }
  const document = publishedFile(
    () => store.published,
    headers,
    (status) => metrics.countAnswer(PATH, status),
  )
  return (req, res) => {
    const { method, url = '' } = req
    if ((method !== 'GET' && method !== 'HEAD') || !(url === PATH || url.startsWith(`${PATH}?`))) return false
    document(req, res)
    return true
  }
}
