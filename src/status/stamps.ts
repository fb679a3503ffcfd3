import {
  type DriftedFile,
  type FileStampName,
  type SavedStatus,
  type StampName,
  type Status,
  fileStampProperties,
  stampProperties,
  statusSchema,
} from './schema.ts'
import type { Rules } from './rules.ts'
import {
  type Verdict,
  boundariesAfter,
  failingSpan,
  freshSpan,
  isStale,
  isWithin,
  verdictOf,
  verdictWhen,
} from './states.ts'
import { type Clock, formatTime } from './time.ts'

/** A status before it is stamped. The stamps in it are those that a person set, or those of the document to go back to. */
export type Unstamped = SavedStatus

/**
 * What made a change: a snapshot of CI, a person's edit of the file, going back to an older file, a request to remove the
 * target, a request to accept drift, or time alone.
 */
export type Origin = 'snapshot' | 'edit' | 'restore' | 'delete' | 'accept' | 'time'

/** The input of a stamp. */
export interface StampInput {
  readonly status: Unstamped
  /** The entry that the status replaces. */
  readonly before: Status | undefined
  readonly origin: Origin
  readonly clock: Clock
  readonly rules: Rules
  /** The generation that the entry gets if anything else in it changes. */
  readonly generation: number
}

/** The same, with what several stamps are computed from. */
interface Judged extends StampInput {
  readonly verdict: Verdict
}

interface Stamp<Value> {
  /** The value of the stamp. */
  readonly compute: (input: Judged) => Value
  /**
   * When the value in the status will next be wrong, in ms since the epoch; a stamp without it depends on no time. If two
   * servers with different clocks or settings disagree, only one of them may want to change the value: it is the one that
   * says the worse.
   */
  readonly nextChange?: (status: Unstamped, clock: Clock, rules: Rules) => number
  /** True if a person's value counts. It then belongs to the verdict. Other stamps in an edit are ignored. */
  readonly editable: boolean
  /** The change that the history records when the value becomes another; without it the stamp is not in the history. */
  readonly historyChange?: (value: unknown) => HistoryChange | undefined
}

/** The names of changes of stamps in the history. */
export type HistoryChange = 'went_stale' | 'came_back' | 'check_failed' | 'accepted'

const HISTORY_CHANGES: ReadonlyMap<unknown, HistoryChange> = new Map([
  ['failing', 'check_failed'],
  ['accepted', 'accepted'],
] as const)

/** How long a server waits for the clock of another one before it accepts what that one has not, in ms. */
const PEER_GRACE_MS = 10_000

/** Everything that the server derives for a status, one row each. */
export const STAMPS: { readonly [Name in StampName]: Stamp<Status[Name]> } = {
  since: {
    compute: ({ status, before, origin, clock }) => {
      const checkedAt = status.last_check ?? status.failed_check?.since ?? formatTime(clock.now)
      if (before?.since === undefined) return status.since ?? checkedAt
      if (status.since !== undefined && status.since !== before.since) return status.since
      if (before.sync_status === status.sync_status) return before.since
      // A person who changes sync_status seldom thinks of since.
      return origin === 'edit' ? formatTime(clock.now) : checkedAt
    },
    editable: true,
  },
  stale: {
    compute: ({ status, clock }) => isStale(status, clock),
    nextChange: ({ stale, ...status }, clock) => {
      const { now, staleAfter } = clock
      const { from, until } = freshSpan(status, staleAfter)
      if (stale === true) return now < from ? from : Infinity
      return isStale(status, clock) ? now : until + 1
    },
    editable: false,
    historyChange: (stale) => (stale === true ? 'went_stale' : 'came_back'),
  },
  generation: { compute: ({ generation }) => generation, editable: false },
  state: {
    compute: ({ verdict }) => verdict.state,
    nextChange: nextVerdict,
    editable: false,
    historyChange: (state) => HISTORY_CHANGES.get(state),
  },
  // These two change with the state only: `nextVerdict` sees them too.
  accepted_until: { compute: ({ verdict: { accepted } }) => accepted && formatTime(accepted.until), editable: false },
  accepted_reason: { compute: ({ verdict: { accepted } }) => accepted?.rule.reason, editable: false },
}

/**
 * When the state of a status, or until when it is accepted, will next be wrong. Time alone never begins a failing state,
 * staleness is a stamp of its own, and what another server has not accepted is accepted later: so two servers agree.
 */
function nextVerdict(status: Unstamped, { now, staleAfter }: Clock, rules: Rules): number {
  const { state, stale } = status
  const failing = failingSpan(status, staleAfter)
  const about = rules.about(status)
  const mayFail = state === 'failing' || state === 'accepted'
  const verdictAt = (time: number): Verdict => {
    const isFailing = mayFail && isWithin(failing, time)
    return verdictWhen(status, { isFailing, isStale: stale === true, now: time }, about)
  }
  const present = verdictAt(now)
  if (isOther(present, status)) return present.state === 'accepted' ? now + PEER_GRACE_MS : now
  const end = failing.until + 1
  const ends = mayFail && end > now ? [end] : []
  const times = [...ends, ...boundariesAfter(now, about)].toSorted((one, other) => one - other)
  return times.find((time) => isOther(verdictAt(time), status)) ?? Infinity
}

function isOther({ state, accepted }: Verdict, status: Unstamped): boolean {
  return (
    state !== status.state ||
    (accepted === undefined ? undefined : formatTime(accepted.until)) !== status.accepted_until
  )
}

type SavedFile = SavedStatus['files'][number]

interface FileStamp<Value> {
  readonly compute: (file: SavedFile, before: DriftedFile | undefined, status: Unstamped) => Value
}

/** Everything that the server derives for a drifted file, one row each. `before` is the file in the entry before. */
const FILE_STAMPS: { readonly [Name in FileStampName]: FileStamp<DriftedFile[Name]> } = {
  // A status with files has a last check.
  since: { compute: (file, before, { last_check: lastCheck }) => file.since ?? before?.since ?? lastCheck ?? '' },
}

const ROWS = Object.entries(STAMPS)
const FILE_ROWS = Object.entries(FILE_STAMPS)
export const STAMP_NAMES: ReadonlySet<string> = new Set(Object.keys(stampProperties))
const SERVER_PROPERTIES: ReadonlySet<string> = new Set([...STAMP_NAMES, 'failed_check'])
const FILE_STAMP_NAMES: ReadonlySet<string> = new Set(Object.keys(fileStampProperties))
/** The properties that come first, in their order. */
const FIRST: ReadonlySet<string> = new Set([...statusSchema.required, ...STAMP_NAMES])

/** The names of the stamps that a person may set. */
export const EDITABLE_STAMPS: readonly string[] = ROWS.flatMap(([name, { editable }]) => (editable ? name : []))

const NOT_EDITABLE: ReadonlySet<string> = new Set([...STAMP_NAMES].filter((name) => !EDITABLE_STAMPS.includes(name)))

/** Stamps a status and puts its properties in the order of the file: the schema's, then the others as they came. */
export function stamped(input: StampInput): Status {
  const { before, origin } = input
  // A person cannot set the other stamps. A document to go back to has them from a server.
  const status = origin === 'restore' ? input.status : omit(input.status, NOT_EDITABLE)
  const filesBefore = new Map(before?.files.map((file) => [file.name, file]))
  const values = new Map<string, unknown>(Object.entries(status))
  values.set(
    'files',
    status.files.map((file) => stampedFile(file, filesBefore.get(file.name), status)),
  )
  const judged = { ...input, status, verdict: verdictOf(status, input.clock, input.rules) }
  for (const [name, { compute }] of ROWS) values.set(name, compute(judged))
  return arranged(values)
}

/** Drops what only the server makes from what was posted: stamps, and its account of failed checks. */
export function withoutStamps<T extends Record<string, unknown>>(status: T): T {
  return omit(status, SERVER_PROPERTIES)
}

/** Drops the stamps of a posted file. */
export function withoutFileStamps<T extends Record<string, unknown>>(file: T): T {
  return omit(file, FILE_STAMP_NAMES)
}

/** The time at which a stamp of the status next becomes wrong, in ms since the epoch; `Infinity` if none does. */
export function nextChangeOf(status: Status, clock: Clock, rules: Rules): number {
  return Math.min(...ROWS.map(([, { nextChange }]) => nextChange?.(status, clock, rules) ?? Infinity))
}

/**
 * True if a stamp should have another value by now: time has passed while no server ran, or the status was committed by
 * a version that did not know the stamp.
 */
export function isOutdated(status: Status, clock: Clock, rules: Rules): boolean {
  const input = { status, before: undefined, origin: 'time', clock, rules, generation: status.generation } as const
  const judged: Judged = { ...input, verdict: verdictOf(status, clock, rules) }
  const values: Readonly<Record<string, unknown>> = status
  return ROWS.some(([name, { compute, nextChange }]) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined
    return (nextChange !== undefined || value === undefined) && compute(judged) !== value
  })
}

/** The changes for the history: the stamps that differ between two rows of a target. */
export function stampChanges(
  last: Readonly<Record<string, unknown>>,
  next: Readonly<Record<string, unknown>>,
): HistoryChange[] {
  return ROWS.flatMap(([name, { historyChange }]) => {
    const value = next[name]
    return value === last[name] ? [] : (historyChange?.(value) ?? [])
  })
}

function stampedFile(file: SavedFile, before: DriftedFile | undefined, status: Unstamped): DriftedFile {
  const stamps = FILE_ROWS.map(([name, { compute }]) => [name, compute(file, before, status)] as const)
  const { name, ...others } = withoutFileStamps(file)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a file with a value for every row of the table
  return { name, ...Object.fromEntries(stamps), ...others } as DriftedFile
}

/** Puts the properties in the order of the file. */
function arranged(values: ReadonlyMap<string, unknown>): Status {
  const properties: [string, unknown][] = []
  const add = (name: string): void => {
    const value = values.get(name)
    if (value !== undefined) properties.push([name, value])
  }
  for (const name of FIRST) add(name)
  for (const name of values.keys()) if (!FIRST.has(name)) add(name)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a saved status with a value for every row of the table is a status
  return Object.fromEntries(properties) as Status
}

function omit<T extends Record<string, unknown>>(value: T, names: ReadonlySet<string>): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- stamps are optional in everything that others write
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.has(name))) as T
}
