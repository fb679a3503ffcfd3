import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { lineOf } from './status/json.ts'
import { readDocument } from './status/saved-document.ts'
import type { SavedDocument } from './status/schema.ts'

/** The name of standard input. */
export const STDIN = '-'

/** A document, or a line `file:line:column pointer: message` for each fault. */
export type Checked =
  { readonly ok: true; readonly value: SavedDocument } | { readonly ok: false; readonly faults: readonly string[] }

/**
 * Reads a file as the server does when it is saved as status.json.
 *
 * @param path `-` is standard input
 */
export async function readChecked(path: string): Promise<Checked> {
  let bytes: Buffer
  try {
    bytes = path === STDIN ? await buffer(process.stdin) : await readFile(path)
  } catch (error) {
    return { ok: false, faults: [`${path}: cannot be read: ${error instanceof Error ? error.message : String(error)}`] }
  }
  const outcome = readDocument(bytes, Date.now())
  if (outcome.ok) return outcome
  const name = path === STDIN ? '<stdin>' : path
  return { ok: false, faults: outcome.faults.map((fault) => lineOf(name, fault, '(document)')) }
}
