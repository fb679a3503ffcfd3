/*
 * The platform's limit: node:http, and nothing else. bare-http.mjs PORT FILE [URL]
 * Sends the very answers of a URL, headers and all; or, without one, the file with three headers.
 */
import { readFileSync } from 'node:fs'
import { createServer, get } from 'node:http'

/** Those that node:http adds by itself. */
const OWN = new Set(['date', 'connection', 'keep-alive', 'transfer-encoding'])

const [port, file, url] = process.argv.slice(2)
const body = readFileSync(file)
const type = ['Content-Type', 'application/json; charset=utf-8']
const size = ['Content-Length', String(body.length)]
const bare = { etag: '"bare"', sent: ['ETag', '"bare"', ...type, ...size] }
const { etag, sent: found } = url === undefined ? bare : await answerTo({})
const notModified = url === undefined ? ['ETag', etag] : (await answerTo({ 'If-None-Match': etag })).sent

createServer((req, res) => {
  if (req.headers['if-none-match'] === etag) res.writeHead(304, notModified).end()
  else res.writeHead(200, found).end(body)
}).listen(Number(port), '127.0.0.1')

/** The ETag, and what is sent: names and values in turn. */
async function answerTo(asked) {
  const { headers, rawHeaders } = await new Promise((resolve, reject) => {
    get(url, { headers: asked }, (response) => resolve(response.resume())).on('error', reject)
  })
  const sent = rawHeaders.filter((_, index) => !OWN.has(rawHeaders[index - (index % 2)].toLowerCase()))
  return { etag: headers.etag, sent }
}
