import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { readDocument } from './status/saved-document.ts'
import { lineOf } from './status/json.ts'

/** Standard input, where a file is named. */
const STDIN = '-'

/**
 * Checks a file as the server would when somebody saves it.
 *
 * @param path the file; `-` is standard input
 * @returns a line `file:line:column pointer: message` for each fault; none where the file is good
 */
export async function check(path: string): Promise<string[]> {
  let bytes: Buffer
  try {
    bytes = path === STDIN ? await buffer(process.stdin) : await readFile(path)
  } catch (error) {
    return [`${path}: cannot be read: ${error instanceof Error ? error.message : String(error)}`]
  }
  const outcome = readDocument(bytes)
  if (outcome.ok) return []
  const name = path === STDIN ? '<stdin>' : path
  return outcome.faults.map((fault) => lineOf(name, fault, '(document)'))
}
