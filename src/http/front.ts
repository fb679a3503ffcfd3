import type { RequestListener } from 'node:http'
import type { CommitLoop } from '../store/commit-loop.ts'
import { ANY_ORIGIN_HEADERS, JSON_HEADERS, SECURITY_HEADERS } from './headers.ts'
import type { Metrics } from './metrics.ts'
import { publishedFile } from './published-file.ts'

const PATH = '/status.json'

/**
 * Answers what is asked for most, the document, ahead of Express, which would take most of the time. All else, and the
 * document where reads are protected, is the app's.
 */
export function front(
  app: RequestListener,
  { store, metrics }: { store: Pick<CommitLoop, 'published'>; metrics: Pick<Metrics, 'countAnswer'> },
): RequestListener {
  const headers = { ...SECURITY_HEADERS, ...ANY_ORIGIN_HEADERS, ...JSON_HEADERS }
  const document = publishedFile(() => store.published, headers)
  return (req, res) => {
    const { method, url = '' } = req
    if ((method !== 'GET' && method !== 'HEAD') || !(url === PATH || url.startsWith(`${PATH}?`))) {
      app(req, res)
      return
    }
    metrics.countAnswer(res, PATH)
    document(req, res)
  }
}
