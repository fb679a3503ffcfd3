import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { readDocument } from './status/saved-document.ts'
import { lineOf } from './status/json.ts'

/** The name of standard input. */
const STDIN = '-'

/**
 * Checks a file as the server does when it is saved as status.json.
 *
 * @param path `-` is standard input
 * @returns a line `file:line:column pointer: message` for each fault; empty if the file is valid
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
