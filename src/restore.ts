import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Logger } from 'pino'
import { readChecked } from './check.ts'
import type { RestoreOptions } from './settings.ts'
import type { StatusDocument } from './status/document.ts'
import { Draft, type Restoration, changesNothing } from './status/draft.ts'
import { restoration } from './status/next.ts'
import { previewOf } from './status/preview.ts'
import { Refusal } from './status/refusal.ts'
import type { SavedDocument } from './status/schema.ts'
import { type CommitEvents, Store, StoreError, codeOf } from './store/store.ts'

/** The result. `unconfirmed`: there was no terminal to ask on. */
export type RestoreOutcome = 'done' | 'failed' | 'unconfirmed'

/** Days: the longest that a server can be set to. Only servers, which know their setting, remove rows of the history. */
const HISTORY_RETENTION = 10 * 365

const NO_EVENTS: CommitEvents = { committed: () => undefined, commitFailed: () => undefined, edited: () => undefined }

const DOCUMENT_FILE = /^status\.(?:json|record-\d+\.jsonl)$/

/** The reason why nothing was restored, for the person who ran the command. */
class RestoreError extends Error {
  override readonly name = 'RestoreError'
}

/**
 * Restores a backup of status.json of any age, whether a server runs on the directory or not: prints the changes, asks,
 * and writes them as a second server would.
 */
export async function restoreFile(options: RestoreOptions, log: Logger): Promise<RestoreOutcome> {
  const backup = await readChecked(options.file)
  if (!backup.ok) {
    print(backup.faults)
    return 'failed'
  }
  try {
    return await restoreInto(options, backup.value, log)
  } catch (error) {
    if (!(error instanceof RestoreError || error instanceof Refusal) || isDefect(error)) throw error
    process.stderr.write(`gitops-status-server: ${error.message}\n`)
    return 'failed'
  }
}

async function restoreInto(
  { file, dataDir, staleAfter, isConfirmed }: RestoreOptions,
  backup: SavedDocument,
  log: Logger,
): Promise<RestoreOutcome> {
  const place = resolve(dataDir)
  await refuseWrongOwner(place)
  const document = await Store.peek({ directory: dataDir, staleAfter, log })
  if (document === undefined) throw noDocument(place)
  const preview = previewOf(restoration(backup)(new Draft(document, { now: Date.now(), staleAfter })))
  if (preview.length === 0) {
    print([`${file} changes nothing: generation ${document.generation} already has its content`])
    return 'done'
  }
  print([...titles(file, backup, place, document), ...preview])
  if (!isConfirmed && !process.stdin.isTTY) {
    process.stderr.write('gitops-status-server: restore: standard input is not a terminal; --yes is required\n')
    return 'unconfirmed'
  }
  if (!isConfirmed && !(await ask('Restore? [y/N] '))) return 'failed'
  print([await commit({ directory: dataDir, staleAfter, log }, backup)])
  return 'done'
}

/** Makes the change in the document as it is by now. Returns what was done. */
async function commit(
  options: { readonly directory: string; readonly staleAfter: number; readonly log: Logger },
  backup: SavedDocument,
): Promise<string> {
  const store = await Store.start({
    ...options,
    historyRetention: HISTORY_RETENTION,
    commitInterval: 0,
    events: NO_EVENTS,
  })
  try {
    const change = restoration(backup)
    const done = await store.submit((draft) => ({ generation: draft.generation, result: change(draft) }))
    return changesNothing(done.result) ? 'nothing is left to restore' : summary(done.generation, done.result)
  } finally {
    await store.stop()
  }
}

function summary(generation: number, { returned, changed }: Restoration): string {
  return `restored in generation ${generation}: ${returned.length} came back, ${changed.length} changed`
}

function titles(file: string, backup: SavedDocument, place: string, document: StatusDocument): string[] {
  const { generation = 'unknown', updated_at: updatedAt = 'an unknown time', statuses } = backup
  const { entries } = document
  return [
    `${file}: generation ${generation} of ${updatedAt}, targets: ${statuses.length}`,
    `${place}: generation ${document.generation} of ${document.updatedAt}, targets: ${entries.length}`,
  ]
}

/** A server must be able to replace what is written. As root, too: the server may be another user. */
async function refuseWrongOwner(place: string): Promise<void> {
  const owner = await ownerOf(place)
  const user = process.geteuid?.()
  if (user !== undefined && owner !== user) {
    throw new RestoreError(`${place}: run the command as user ${owner}, who owns the files, not as user ${user}`)
  }
}

/** The user to whom status.json belongs, or the record if there is none. */
async function ownerOf(place: string): Promise<number> {
  try {
    const [name] = (await readdir(place)).filter((each) => DOCUMENT_FILE.test(each)).toSorted()
    if (name === undefined) throw noDocument(place)
    return (await stat(join(place, name))).uid
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    if (code === 'ENOENT' || code === 'ENOTDIR') throw noDocument(place)
    throw new RestoreError(`${place}: cannot be read: ${error instanceof Error ? error.message : code}`)
  }
}

function noDocument(place: string): RestoreError {
  return new RestoreError(`${place}: there is no status.json; DATA_DIR must be the directory of a server`)
}

function isDefect(error: unknown): boolean {
  return error instanceof StoreError && error.kind === 'internal'
}

/** Asks a person. No answer is a no. The terminal itself edits the line, and stops the program at Ctrl-C. */
async function ask(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false })
  return new Promise((answer) => {
    lines.on('close', () => answer(false))
    lines.question(question, (text) => {
      answer(/^y(es)?$/i.test(text.trim()))
      lines.close()
    })
  })
}

function print(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''))
}
