import type { Test } from 'tap'
import { type Answer, type Ask, ask } from './http.ts'
import { type OpenapiDocument, conformance } from './openapi.ts'
import type { Server } from './server.ts'

/** Asks, and holds the answer against the OpenAPI document. */
export type Checked = (path: string, options?: Ask) => Promise<Answer>

export async function checked(t: Test, server: Server): Promise<Checked> {
  const document = (await ask(`${server.url}/openapi.json`)).json as OpenapiDocument
  const faults = conformance(document)
  return async (path, options = {}) => {
    const answer = await ask(server.url + path, options)
    t.same(
      faults(options.method ?? 'GET', server.url + path, answer),
      [],
      `${options.method ?? 'GET'} ${path} is as described`,
    )
    return answer
  }
}

export const json = { 'Content-Type': 'application/json' }

export function posting(value: unknown): Ask {
  return { method: 'POST', headers: json, body: JSON.stringify(value) }
}
