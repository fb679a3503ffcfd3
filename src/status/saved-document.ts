import { keyOf } from './target.ts'
import {
  type Fault,
  type LocatedFault,
  type Outcome,
  decode,
  duplicateFaults,
  limitFaults,
  locate,
  parseText,
  pointTo,
} from './json.ts'
import { expectedNameFaults, savedNameFaults } from './names.ts'
import { savedRuleFaults } from './rules.ts'
import {
  PATTERN_MESSAGES,
  type SavedDocument,
  type SavedStatus,
  TARGETS_MAX,
  savedDocumentSchema,
  statusSchema,
} from './schema.ts'
import { contradictions } from './snapshot.ts'
import { toUtc } from './time.ts'
import { validator } from './validation.ts'

const STATUS_TIMES = timesIn(statusSchema.properties)
const FILE_TIMES = timesIn(statusSchema.properties.files.items.properties)

const isSavedDocument = validator<SavedDocument>(savedDocumentSchema, PATTERN_MESSAGES)

/**
 * Parses `status.json` as any program may have saved it. Times of the entries come back as UTC, whole seconds.
 *
 * @param now milliseconds since the epoch
 */
export function readDocument(bytes: Uint8Array, now: number): Outcome<SavedDocument, LocatedFault> {
  const text = decode(bytes)
  return text.ok ? readText(text.value, now) : text
}

/** The same for a text. */
export function readText(text: string, now: number): Outcome<SavedDocument, LocatedFault> {
  const json = parseText(text)
  if (!json.ok) return json
  const { value } = json
  const limits = limitFaults(value, TARGETS_MAX)
  if (limits.length > 0) return { ok: false, faults: locate(text, limits) }
  if (!isSavedDocument(value)) return { ok: false, faults: locate(text, isSavedDocument.faults('')) }
  const faults = documentFaults(value, now)
  if (faults.length > 0) return { ok: false, faults: locate(text, faults) }
  const duplicates = duplicateFaults(text, value)
  if (duplicates.length > 0) return { ok: false, faults: duplicates }
  const { updated_at: updatedAt } = value
  const times = updatedAt === undefined ? {} : { updated_at: toUtc(updatedAt) }
  return { ok: true, value: { ...value, ...times, statuses: value.statuses.map(withUtcTimes) } }
}

/** Faults that the schema does not find: names that cannot be kept, entries that contradict themselves or each other. */
function documentFaults(value: SavedDocument, now: number): Fault[] {
  const faults = headFaults(value, now)
  const seen = new Map<string, string>()
  for (const [index, status] of value.statuses.entries()) {
    const pointer = pointTo('/statuses', index)
    faults.push(...savedNameFaults(status, pointer), ...contradictions(status, pointer))
    const other = seen.get(keyOf(status))
    if (other !== undefined) faults.push({ pointer, detail: `must not have the same repo and server as ${other}` })
    seen.set(keyOf(status), other ?? pointer)
  }
  return faults
}

function headFaults({ accepted = [], expected = [] }: SavedDocument, now: number): Fault[] {
  const ofRules = accepted.flatMap((rule, index) => savedRuleFaults(rule, pointTo('/accepted', index), now))
  const ofExpected = expected.flatMap((block, index) => expectedNameFaults(block, pointTo('/expected', index)))
  return [...ofRules, ...ofExpected]
}

function withUtcTimes(status: SavedStatus): SavedStatus {
  return { ...utc(status, STATUS_TIMES), files: status.files.map((file) => utc(file, FILE_TIMES)) }
}

function utc<T extends Record<string, unknown>>(value: T, names: readonly string[]): T {
  const times = names.flatMap((name) => {
    const time = Object.hasOwn(value, name) ? value[name] : undefined
    return typeof time === 'string' ? [[name, toUtc(time)] as const] : []
  })
  return { ...value, ...Object.fromEntries(times) }
}

function timesIn(properties: Readonly<Record<string, object>>): string[] {
  return Object.entries(properties).flatMap(([name, schema]) =>
    'format' in schema && schema.format === 'date-time' ? name : [],
  )
}
