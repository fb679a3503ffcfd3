import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import compression from 'compression'
import express from 'express'
import t, { type Test } from 'tap'
import { sendChunks } from '../../../src/http/chunks.ts'
import { ask, eventually, raw } from '../../support/http.ts'

/** More chunks than the buffers of two sockets take, 128 MB before and 64 MB after compression. */
const MANY = 4000
const CHUNK = Buffer.from(randomBytes(16 * 1024).toString('hex'))

interface Sending {
  readonly url: string
  /** The number of chunks that have been made. */
  readonly made: () => number
  /** The number of requests whose chunks have come to an end. */
  readonly ended: () => number
}

/** Sends chunks at `/`, compressed if the client takes that, and nothing at `/never`. */
async function sending(t: Test, chunks: () => Iterable<Buffer>): Promise<Sending> {
  let made = 0
  let ended = 0
  function* counted(): Generator<Buffer> {
    for (const chunk of chunks()) {
      made += 1
      yield chunk
    }
  }
  const app = express()
  app.use(compression({ level: 1 }))
  app.get('/', async (req, res) => {
    res.type('text/plain')
    await sendChunks(req, res, counted())
    ended += 1
  })
  app.get('/never', () => undefined)
  app.get('/other', (_req, res) => {
    res.send('other')
  })
  const server = app.listen(0, '127.0.0.1')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  return { url: `http://127.0.0.1:${port}`, made: () => made, ended: () => ended }
}

function* endless(): Generator<Buffer> {
  for (;;) yield CHUNK
}

/** An answer of which nothing is read yet. */
async function unread(url: string, encoding: string): Promise<IncomingMessage> {
  const sent = request(url, { agent: false, headers: { 'Accept-Encoding': encoding } }).end()
  sent.on('error', () => undefined)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.on('error', () => undefined)
  return response
}

/** The warnings of Node from now on, such as one of too many listeners. */
function warningsIn(t: Test): Error[] {
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => void warnings.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.removeListener('warning', onWarning))
  return warnings
}

/** As many turns of the event loop as it takes to send all chunks to a client that reads at once. */
async function manyTurns(): Promise<void> {
  for (let count = 0; count < MANY; count += 1) await turn()
}

t.test('chunks: one that takes long has a turn of the event loop for itself, and all arrive', async (t) => {
  const loop = { turns: 0, isOver: false }
  const counting = (async () => {
    for (; !loop.isOver; loop.turns += 1) await turn()
  })()
  const at: number[] = []
  function* slow(): Generator<Buffer> {
    for (let index = 0; index < 40; index += 1) {
      at.push(loop.turns)
      for (const began = performance.now(); performance.now() - began < 5;);
      yield index % 2 === 0 ? CHUNK : Buffer.alloc(0)
    }
  }
  const { url, ended } = await sending(t, slow)
  const { body } = await ask(url)
  t.same(body, Buffer.concat(Array.from({ length: 20 }, () => CHUNK)))
  t.equal(ended(), 1)
  t.equal(new Set(at).size, 40)
  loop.isOver = true
  await counting
})

t.test('chunks: small ones are written together', async (t) => {
  const { url } = await sending(t, () => Array.from({ length: 100_000 }, () => Buffer.from('~')))
  const answer = await raw({ url }, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  t.equal(answer.match(/~/g)?.length, 100_000)
  t.ok((answer.match(/^[0-9a-f]+\r$/gm) ?? []).length < 1000)
})

for (const encoding of ['identity', 'gzip']) {
  t.test(`chunks: of ${encoding}, none is made that the client does not take`, async (t) => {
    const warnings = warningsIn(t)
    const { url, made, ended } = await sending(t, endless)
    const response = await unread(url, encoding)
    t.equal(response.headers['content-encoding'] ?? 'identity', encoding)
    await manyTurns()
    const held = made()
    t.ok(held < MANY / 2, `${held} chunks`)
    t.equal((await ask(`${url}/other`)).text, 'other', 'others are answered')
    response.resume()
    await eventually(() => {
      if (made() < held + 100) throw new Error(`${made()} chunks`)
    })
    response.destroy()
    await eventually(() => {
      if (ended() !== 1) throw new Error('goes on without a client')
    })
    t.same(warnings, [])
  })

  t.test(`chunks: of ${encoding}, they end when a client that does not read disconnects`, async (t) => {
    const { url, made, ended } = await sending(t, endless)
    const response = await unread(url, encoding)
    await manyTurns()
    t.equal(ended(), 0)
    response.destroy()
    await eventually(() => {
      if (ended() !== 1) throw new Error('waits for a client that has gone')
    })
    const held = made()
    await manyTurns()
    t.equal(made(), held)
  })
}

t.test('chunks: many answers on one connection leave nothing on it', async (t) => {
  const warnings = warningsIn(t)
  const { url, ended } = await sending(t, () => ['a', '', 'b'].map((text) => Buffer.from(text)))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  for (let count = 1; count <= 20; count += 1) {
    t.equal((await ask(url, { agent })).text, 'ab')
    await eventually(() => {
      if (ended() !== count) throw new Error(`${ended()} have ended`)
    })
  }
  t.same(warnings, [])
})

t.test('chunks: they end when a client disconnects whose earlier request is still unanswered', async (t) => {
  const { url, made, ended } = await sending(t, endless)
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write('GET /never HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await eventually(() => {
    if (made() === 0) throw new Error('not begun')
  })
  t.equal(ended(), 0)
  socket.destroy()
  await eventually(() => {
    if (ended() !== 1) throw new Error('waits for a client that has gone')
  })
})
