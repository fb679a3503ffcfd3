import { match } from 'tcompare'
import { type IncomingHttpHeaders, type RequestOptions, request as send } from 'node:http'
import { connect } from 'node:net'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
  /** The body as JSON; reading it throws where it is none. */
  readonly json: unknown
}

export interface Ask extends Pick<RequestOptions, 'method' | 'agent' | 'timeout' | 'path'> {
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

/** Sends one request as it is: nothing is added, decoded or followed. */
export async function ask(url: string, { body, ...options }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = send(url, { agent: false, ...options }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const bytes = Buffer.concat(chunks)
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: bytes,
          text: bytes.toString(),
          get json(): unknown {
            return JSON.parse(bytes.toString())
          },
        })
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** Posts JSON. */
export async function post(url: string, value: unknown, options: Ask = {}): Promise<Answer> {
  const headers = { 'Content-Type': 'application/json', ...options.headers }
  return ask(`${url}/api/status`, { ...options, method: 'POST', headers, body: JSON.stringify(value) })
}

/** Sends bytes as they are and returns all that comes back until the server closes. */
export async function raw({ url }: { readonly url: string }, bytes: string | Buffer): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    socket.on('data', (chunk) => (received += String(chunk)))
    socket.on('close', () => resolve(received))
    socket.on('error', (error) => (received === '' ? reject(error) : resolve(received)))
  })
}

/** Throws where a value does not match a pattern, as `t.match` would fail; made for `eventually`. */
export function matches(actual: unknown, pattern: unknown): void {
  const { match: matched, diff } = match(actual, pattern)
  if (!matched) throw new Error(diff)
}

/**
 * Throws if two texts differ, and says where. `deepStrictEqual` describes how they differ: for large ones, that takes half
 * a minute on Node 24.
 */
export function sameBytes(actual: Buffer, expected: Buffer): void {
  if (actual.equals(expected)) return
  let at = 0
  while (at < actual.length && actual[at] === expected[at]) at += 1
  const excerpt = (bytes: Buffer): string => JSON.stringify(bytes.subarray(Math.max(0, at - 20), at + 40).toString())
  throw new Error(`differ at byte ${at}: ${excerpt(actual)}, expected ${excerpt(expected)}`)
}

/** Waits until a check holds, and returns what it returned; fails after the deadline with the check's last error. */
export async function eventually<T>(check: () => T | Promise<T>, deadlineMs = 10_000): Promise<T> {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => {
        setTimeout(resolve, 10)
      })
    }
  }
}
