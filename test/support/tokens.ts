import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type Token, makeToken } from '../../src/access/tokens.ts'
import { formatTime } from '../../src/status/time.ts'
import { directory } from './directory.ts'
import { eventually, matches } from './http.ts'
import { type Server, serve } from './server.ts'

/** Tokens for the tests: their secrets, and what goes into the file. */
export const CI = made('ci', { write: [{ repo: 'rsyslog' }, { repo: 'infra/*', server: 'web-?' }] })
export const ADMIN = made('admin', { write: [{}], delete: [{}], accept: [{}], read: true })
export const GRAFANA = made('grafana', { write: [], read: true })
export const OLD = made('old', { write: [{}], expires: formatTime(Date.now() - 1000) })

export function made(name: string, rights: Partial<Token>): { secret: string; token: Token } {
  const { secret, token } = makeToken(name)
  return { secret, token: { ...token, ...rights } }
}

export function textOf(...tokens: readonly { token: Token }[]): string {
  return JSON.stringify({ tokens: tokens.map(({ token }) => token) }, null, 2)
}

export function writeTokens(path: string, tokens: readonly { token: Token }[]): void {
  writeFileSync(`${path}.new`, textOf(...tokens))
  renameSync(`${path}.new`, path)
}

export function bearer({ secret }: { secret: string }): Record<string, string> {
  return { Authorization: `Bearer ${secret}` }
}

export function basic({ secret }: { secret: string }): Record<string, string> {
  return { Authorization: `Basic ${Buffer.from(`anybody:${secret}`).toString('base64')}` }
}

/** Waits until the file of the tokens has been taken over so many times. */
export async function reloaded({ lines }: Server, times: number): Promise<void> {
  await eventually(() => matches(lines.filter(({ msg }) => msg === 'tokens reloaded').length, times))
}

/** A server with the tokens above. */
export async function guarded(t: Test, protectReads = false): Promise<Server & { tokensFile: string }> {
  const tokensFile = join(directory(t), 'tokens.json')
  writeTokens(tokensFile, [CI, ADMIN, GRAFANA, OLD])
  return { ...(await serve(t, directory(t), { tokensFile, protectReads })), tokensFile }
}
