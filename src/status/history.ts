import type { FromSchema } from 'json-schema-to-ts'
import type { Actor, StatusDocument } from './document.ts'
import type { Period } from './periods.ts'
import type { Target } from './target.ts'
import type { Cause, EndedRule, Restoration } from './draft.ts'
import {
  type AcceptedRule,
  STATES,
  type State,
  type Status,
  fileProperties,
  statusSchema,
  targetProperties,
  time,
} from './schema.ts'
import { stampChanges } from './stamps.ts'
import { freshSpan } from './states.ts'
import { formatTime, timeOf } from './time.ts'
import { validator } from './validation.ts'

/** The kinds of changes of a target. */
const CHANGES = [
  'first_seen',
  'status_changed',
  'files_changed',
  'went_stale',
  'came_back',
  'check_failed',
  'accepted',
  'state_changed',
  'removed',
] as const
/** The cause of a change. `recovery`: the change was committed, and a crash kept its row from being written. */
const CAUSES = ['snapshot', 'edit', 'restore', 'delete', 'accept', 'time', 'recovery'] as const

/** A row of the history: the state of a target from a time on. */
export const historyRowSchema = {
  title: 'HistoryRow',
  description: 'The state of a target, starting at a time.',
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
    time: { ...time, description: 'The start of this state.' },
    ...targetProperties,
    state: {
      enum: [...STATES, null],
      description: 'null: the target was removed. Missing in rows of version 0.1.',
    },
    since: {
      ...time,
      description:
        'The start of this state, if the server found it later: the time at which the last check became too old.',
    },
    sync_status: {
      enum: ['SYNCED', 'OUT_OF_SYNC', null],
      description: 'null: the target was never checked, or was removed.',
    },
    drift_count: { type: 'integer', minimum: 0, description: 'Number of differences.' },
    files: { type: 'array', items: fileProperties.name, description: 'The names of the differences.' },
    stale: { type: 'boolean', description: 'True if the last check was too old.' },
    generation: {
      type: 'integer',
      minimum: 0,
      description: 'The generation of the document in which this state began.',
    },
    changes: {
      type: 'array',
      items: { type: 'string', enum: CHANGES },
      description: 'The changes; empty in a row that gives the state at the start of the range.',
    },
    cause: {
      type: 'string',
      enum: CAUSES,
      description: 'The cause of the change. recovery: the server found it at a start or after a fault.',
    },
    commit: statusSchema.properties.commit,
    pipeline_url: {
      ...statusSchema.properties.pipeline_url,
      description: 'The page of the CI run of the check; in the state failing, of the failed check.',
    },
    token: { type: 'string', description: 'The name of the token that posted or removed it.' },
    address: { type: 'string', description: "The client's address." },
  },
} as const

export type HistoryRow = FromSchema<typeof historyRowSchema>

/** The newest row of a target, as far as the next one is compared with it. */
export type NewestRow = Pick<
  HistoryRow,
  'time' | 'repo' | 'server' | 'sync_status' | 'files' | 'stale' | 'generation'
> & {
  readonly state?: HistoryRow['state'] | undefined
}

/** True if the target was removed. */
export function isRemoval({ sync_status: status, state }: Pick<NewestRow, 'sync_status' | 'state'>): boolean {
  return status === null && (state ?? null) === null
}

const isHistoryRow = validator<HistoryRow>(historyRowSchema)

/** Parses a line of the history; `undefined` if it is not a row. */
export function readRow(line: string): HistoryRow | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isHistoryRow(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** A line of the history that is not about one target: an older document was restored. */
export interface RestoredLine {
  readonly time: string
  readonly event: 'restored'
  readonly generation: number
  /** The older document, as far as it said what it was. */
  readonly restored: { readonly generation?: number; readonly updated_at?: string }
  /** Number of targets that came back. */
  readonly returned: number
  /** Number of targets that became different. */
  readonly changed: number
}

/** The line that going back to an older document adds to the history. */
function restoredLine({ updatedAt, generation }: StatusDocument, restoration: Restoration): RestoredLine {
  const { from, returned, changed } = restoration
  return {
    time: updatedAt,
    event: 'restored',
    generation,
    restored: {
      ...(from.generation === undefined ? {} : { generation: from.generation }),
      ...(from.updatedAt === undefined ? {} : { updated_at: from.updatedAt }),
    },
    returned: returned.length,
    changed: changed.length,
  }
}

/** A line of the history about a rule of `accepted` that covers nothing any more. */
export interface EndedLine extends Actor {
  readonly time: string
  readonly event: 'acceptance_ended'
  readonly generation: number
  /** The rule, as it was written. */
  readonly rule: AcceptedRule
}

/** A line of the history that speaks of no single target. */
export type EventLine = RestoredLine | EndedLine

/** The lines that a commit adds to the history beside the rows of its targets. */
export function eventLines(
  document: StatusDocument,
  { restorations, ended }: { readonly restorations: readonly Restoration[]; readonly ended: readonly EndedRule[] },
): EventLine[] {
  const { updatedAt, generation } = document
  return [
    ...restorations.map((each) => restoredLine(document, each)),
    ...ended.map(({ rule, by }) => ({ time: updatedAt, event: 'acceptance_ended', generation, rule, ...by }) as const),
  ]
}

const EVENT = /^\{"time":"([^"\\]+)","event":"/

/** The time of a line about an event, in ms since the epoch; `undefined` if the line is no such line. */
export function readEventTime(line: string): number | undefined {
  const [, at = ''] = EVENT.exec(line) ?? []
  const ms = Date.parse(at)
  return Number.isNaN(ms) ? undefined : ms
}

/** The properties of a row for an index. */
export interface RowHead extends Target {
  /** Of the row, in ms since the epoch. */
  readonly time: number
  /** What began, and when, in ms since the epoch. */
  readonly period: Period
}

const HEAD =
  /^\{"time":"([^"\\]+)","repo":("(?:[^"\\]|\\.)*"),"server":("(?:[^"\\]|\\.)*"),"state":(?:null|"(\w+)")(?:,"since":"([^"\\]+)")?,/

/** The head of a line, in a fifth of the time that the whole row takes. Lines of version 0.1 have no state. */
export function readHead(line: string): RowHead | undefined {
  const [, at = '', repo = '', server = '', state, since = at] = HEAD.exec(line) ?? []
  const [ms, from] = [timeOf(at), timeOf(since)]
  if (Number.isNaN(ms) || Number.isNaN(from)) {
    const row = readRow(line)
    return row && headOf(row)
  }
  return { repo: unquoted(repo), server: unquoted(server), time: ms, period: { from, state: knownState(state) } }
}

/** The head of a row. */
export function headOf(row: HistoryRow): RowHead {
  const { repo, server, since = row.time } = row
  return { repo, server, time: timeOf(row.time), period: { from: timeOf(since), state: stateOf(row) } }
}

/** The state that a row speaks of; null if the target was removed. */
function stateOf(row: HistoryRow): State | null {
  if (row.state !== undefined || isRemoval(row)) return row.state ?? null
  if (row.stale) return 'stale'
  return row.sync_status === 'SYNCED' ? 'synced' : 'drifted'
}

function knownState(text: string | undefined): State | null {
  return STATES.find((state) => state === text) ?? null
}

/** The value of a JSON string. Not a slice of the text, which would keep the whole line in memory. */
function unquoted(text: string): string {
  return String(JSON.parse(text))
}

/**
 * The row that a document adds to the history of a target.
 *
 * @param last the newest row of the target
 * @param status its status in the document; `undefined` if it has none
 * @param cause what made the change; `undefined` if that is not known
 * @param staleAfter in seconds, for a status without its own
 * @returns `undefined` if nothing that the history records has changed
 */
export function nextRow(
  { updatedAt, generation }: StatusDocument,
  target: Target,
  last: NewestRow | undefined,
  status: Status | undefined,
  cause: Cause | undefined,
  staleAfter: number,
): HistoryRow | undefined {
  const staleSince = status?.state === 'stale' ? freshSpan(status, staleAfter).until : undefined
  return following(last, {
    time: updatedAt,
    repo: target.repo,
    server: target.server,
    state: status?.state ?? null,
    ...(staleSince === undefined || staleSince >= timeOf(updatedAt) ? {} : { since: formatTime(staleSince) }),
    sync_status: status?.sync_status ?? null,
    drift_count: status?.drift_count ?? 0,
    files: status?.files.map(({ name }) => name) ?? [],
    stale: status?.stale ?? false,
    generation,
    changes: [],
    cause: cause?.origin ?? 'recovery',
    ...(status === undefined ? {} : checkOf(status)),
    ...cause?.by,
  })
}

/**
 * A row as the next one of its target: with what has changed since the newest one.
 *
 * @returns `undefined` if nothing that the history records has changed
 */
export function following(last: NewestRow | undefined, row: HistoryRow): HistoryRow | undefined {
  const changes = changesBetween(last === undefined || isRemoval(last) ? undefined : last, row)
  return changes.length === 0 ? undefined : { ...row, changes }
}

/** What was checked against and where, as far as the entry says so. A change of these alone makes no row. */
function checkOf({ state, commit, pipeline_url: checked, failed_check: failed }: Status): Partial<HistoryRow> {
  // The run that made the last good check says nothing of why the newest one failed.
  const pipelineUrl = state === 'failing' ? failed?.pipeline_url : checked
  return {
    ...(commit === undefined ? {} : { commit }),
    ...(pipelineUrl === undefined ? {} : { pipeline_url: pipelineUrl }),
  }
}

function changesBetween(last: NewestRow | undefined, row: HistoryRow): HistoryRow['changes'] {
  if (last === undefined) return isRemoval(row) ? [] : ['first_seen']
  if (isRemoval(row)) return ['removed']
  const changes: HistoryRow['changes'] = []
  if (last.sync_status !== row.sync_status) changes.push('status_changed')
  else if (!haveSameFiles(last, row)) changes.push('files_changed')
  changes.push(...stampChanges(last, row))
  const isOther = changes.length === 0 && last.state !== undefined && last.state !== row.state
  return isOther ? ['state_changed'] : changes
}

function haveSameFiles(last: NewestRow, { files }: HistoryRow): boolean {
  if (last.files.length !== files.length) return false
  const names = new Set(last.files)
  return files.every((name) => names.has(name))
}
