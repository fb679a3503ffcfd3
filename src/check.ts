import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { type LocatedFault, lineOf, locate } from './status/json.ts'
import { readDocument } from './status/saved-document.ts'
import type { SavedDocument } from './status/schema.ts'
import { warningsIn } from './views/warnings.ts'

/** The name of standard input. */
export const STDIN = '-'

/**
 * A document, with a line `file:line:column pointer: warning: message` for each warning; or a line `file:line:column
 * pointer: message` for each fault.
 */
export type Checked =
  | { readonly ok: true; readonly value: SavedDocument; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly faults: readonly string[] }

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
  const now = Date.now()
  const outcome = readDocument(bytes, now)
  const name = path === STDIN ? '<stdin>' : path
  const print = (fault: LocatedFault): string => lineOf(name, fault, '(document)')
  if (!outcome.ok) return { ok: false, faults: outcome.faults.map(print) }
  const warnings = warningsIn(outcome.value, now).map(({ pointer, detail }) => ({
    pointer,
    detail: `warning: ${detail}`,
  }))
  return { ok: true, value: outcome.value, warnings: locate(bytes.toString(), warnings).map(print) }
}
