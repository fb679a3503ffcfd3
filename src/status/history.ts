import type { FromSchema } from 'json-schema-to-ts'
import {
  type Actor,
  type Entry,
  type StatusDocument,
  type Target,
  compareTargets,
  keyOf,
  sharedRuns,
} from './document.ts'
import { type Status, fileProperties, targetProperties, time } from './schema.ts'
import { timeOf } from './snapshot.ts'
import { validator } from './validation.ts'

/** What can happen to a target. */
const CHANGES = ['first_seen', 'status_changed', 'files_changed', 'went_stale', 'came_back', 'removed'] as const
/** What made it happen; `time` alone makes stale, `recovery` found a change that was committed but not written down. */
const CAUSES = ['snapshot', 'edit', 'delete', 'time', 'recovery'] as const

/** A line of the history: how a target stood from a moment on. */
export const historyRowSchema = {
  title: 'HistoryRow',
  type: 'object',
  required: [
    'time',
    'repo',
    'server',
    'sync_status',
    'drift_count',
    'files',
    'stale',
    'generation',
    'changes',
    'cause',
  ],
  properties: {
    time: { ...time, description: 'From when on the target stood so.' },
    ...targetProperties,
    sync_status: { enum: ['SYNCED', 'OUT_OF_SYNC', null], description: 'null: the target was removed.' },
    drift_count: { type: 'integer', minimum: 0 },
    files: { type: 'array', items: fileProperties.name, description: 'The names of the files that drifted.' },
    stale: { type: 'boolean' },
    generation: { type: 'integer', minimum: 0, description: 'The generation of the document that first said so.' },
    changes: {
      type: 'array',
      items: { type: 'string', enum: CHANGES },
      description: 'What was different from before; empty where a row only says what was in force at the beginning.',
    },
    cause: { type: 'string', enum: CAUSES },
    token: { type: 'string', description: 'The name of the token that posted or removed it.' },
    address: { type: 'string', description: 'Where the request came from.' },
  },
} as const

export type HistoryRow = FromSchema<typeof historyRowSchema>

const isHistoryRow = validator<HistoryRow>(historyRowSchema)

/** Reads a line of the history; `undefined` where it is none. */
export function readRow(line: string): HistoryRow | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isHistoryRow(value) ? value : undefined
  } catch {
    return undefined
  }
}

const HEAD = /^\{"time":"([^"\\]+)","repo":("(?:[^"\\]|\\.)*"),"server":("(?:[^"\\]|\\.)*"),/

/** Which target a line speaks of, and when, in ms since the epoch: all that an index needs, in a fifth of the time. */
export function readHead(line: string): (Target & { readonly time: number }) | undefined {
  const [, at = '', repo = '', server = ''] = HEAD.exec(line) ?? []
  const ms = Date.parse(at)
  if (Number.isNaN(ms)) {
    const row = readRow(line)
    return row && { repo: row.repo, server: row.server, time: timeOf(row.time) }
  }
  return { repo: unquoted(repo), server: unquoted(server), time: ms }
}

function unquoted(text: string): string {
  return text.includes('\\') ? String(JSON.parse(text)) : text.slice(1, -1)
}

/** The targets whose entries differ between two documents, sorted. */
export function changedTargets(before: readonly Entry[], after: readonly Entry[]): Target[] {
  const changed = new Map<string, Target>()
  const add = (entries: readonly Entry[]): void => {
    for (const { status } of entries) changed.set(keyOf(status), status)
  }
  let [old, next] = [0, 0]
  for (const { from, to, length } of sharedRuns(before, after)) {
    add(before.slice(old, from))
    add(after.slice(next, to))
    old = from + length
    next = to + length
  }
  add(before.slice(old))
  add(after.slice(next))
  return [...changed.values()].toSorted(compareTargets)
}

/**
 * What a document adds to the history of a target.
 *
 * @param last the newest row of the target
 * @param entry its entry in the document
 * @param own whether this server has just made this document of the one before
 * @returns nothing where the target stands as it stood
 */
export function nextRow(
  document: StatusDocument,
  target: Target,
  last: HistoryRow | undefined,
  entry: Entry | undefined,
  own: boolean,
): HistoryRow | undefined {
  const status = entry?.status
  const changes = changesBetween(last?.sync_status === null ? undefined : last, status)
  if (changes.length === 0) return undefined
  return {
    time: document.updatedAt,
    repo: target.repo,
    server: target.server,
    sync_status: status?.sync_status ?? null,
    drift_count: status?.drift_count ?? 0,
    files: status?.files.map(({ name }) => name) ?? [],
    stale: status?.stale ?? false,
    generation: document.generation,
    changes,
    ...(own ? causeOf(document, target, entry, changes) : { cause: 'recovery' }),
  }
}

function changesBetween(last: HistoryRow | undefined, status: Status | undefined): HistoryRow['changes'] {
  if (last === undefined) return status === undefined ? [] : ['first_seen']
  if (status === undefined) return ['removed']
  const changes: HistoryRow['changes'] = []
  if (last.sync_status !== status.sync_status) changes.push('status_changed')
  else if (!sameFiles(last, status)) changes.push('files_changed')
  if (last.stale !== status.stale) changes.push(status.stale ? 'went_stale' : 'came_back')
  return changes
}

function sameFiles(last: HistoryRow, { files }: Status): boolean {
  if (last.files.length !== files.length) return false
  const names = new Set(last.files)
  return files.every(({ name }) => names.has(name))
}

function causeOf(
  { generation, removals }: StatusDocument,
  target: Target,
  entry: Entry | undefined,
  changes: HistoryRow['changes'],
): Actor & Pick<HistoryRow, 'cause'> {
  if (entry === undefined) {
    const removal = removals.get(keyOf(target))
    if (removal?.at !== generation) return { cause: 'recovery' }
    return removal.from === undefined ? { cause: 'delete', ...removal.by } : { cause: 'edit' }
  }
  const { postedAt, postedBy, edited } = entry.provenance
  if (postedAt === generation) return { cause: 'snapshot', ...postedBy }
  if ([...(edited?.values() ?? [])].some(({ at }) => at === generation)) return { cause: 'edit' }
  const timely = changes.every((change) => change === 'went_stale' || change === 'came_back')
  return { cause: timely ? 'time' : 'recovery' }
}
