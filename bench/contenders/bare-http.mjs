// The platform's limit: node:http that answers the same bytes, and nothing else. bare-http.mjs PORT FILE
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const [port, file] = process.argv.slice(2)
const body = readFileSync(file)
const headers = [
  'Content-Type',
  'application/json; charset=utf-8',
  'ETag',
  '"bare"',
  'Content-Length',
  String(body.length),
]
createServer((req, res) => {
  if (req.headers['if-none-match'] === '"bare"') res.writeHead(304, ['ETag', '"bare"']).end()
  else res.writeHead(200, headers).end(body)
}).listen(Number(port), '127.0.0.1')
