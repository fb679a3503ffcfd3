import type { RequestHandler } from 'express'
import type { FromSchema } from 'json-schema-to-ts'
import type { Fault } from '../status/json.ts'
import { parseTime } from '../status/time.ts'
import { validator } from '../status/validation.ts'
import type { Store } from '../store/store.ts'
import { readTargetFilter, targetFilterProperties } from '../views/filter.ts'
import { JSON_HEADERS } from './headers.ts'
import { Problem } from './problems.ts'

export const LIMIT_DEFAULT = 10_000
export const LIMIT_MAX = 100_000
/** The end of the year 9999, the last that ISO 8601 writes with four digits. */
export const TIME_MAX_MS = 253_402_300_799_999
/** Rows differ in size: one names up to 10,000 files. */
const BYTES_MAX = 64 * 1024 * 1024

/** `?repo=&server=&from=&to=&limit=` */
export const historyQuerySchema = {
  type: 'object',
  properties: {
    ...targetFilterProperties,
    from: {
      type: 'string',
      description: 'ISO 8601 with a zone, or milliseconds since 1970. Empty: the beginning of the history.',
    },
    to: { type: 'string', description: 'ISO 8601 with a zone, or milliseconds since 1970. Empty: now.' },
    limit: {
      type: 'string',
      description: `Number of changes, ${LIMIT_MAX} at most, by default ${LIMIT_DEFAULT}. If there are more, the newest.`,
    },
  },
  additionalProperties: false,
} as const

type HistoryQuery = FromSchema<typeof historyQuerySchema>

const isHistoryQuery = validator<HistoryQuery>(historyQuerySchema)

/** Lists changes, oldest first. Before them, with the time `from`, it lists the state of each target at that time. */
export function listHistory(store: Pick<Store, 'history'>): RequestHandler {
  return async (req, res) => {
    const { query } = req
    if (!isHistoryQuery(query)) throw refusal(isHistoryQuery.faults(''))
    const filter = readTargetFilter(query)
    if (!filter.ok) throw refusal(filter.faults)
    const rows = await store.history({ ...readRange(query), bytes: BYTES_MAX, matches: filter.value })
    res.set(JSON_HEADERS)
    res.send(`[${rows.length === 0 ? '' : '\n'}${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`)
  }
}

function readRange({ from = '', to = '', limit = '' }: HistoryQuery): { from: number; to: number; limit: number } {
  const faults: Fault[] = []
  const time = (name: string, text: string, fallback: number): number => {
    if (text === '') return fallback
    const ms = /^\d{1,15}$/.test(text) ? Number(text) : parseTime(text)
    if (ms !== undefined && ms <= TIME_MAX_MS) return ms
    const detail = 'must be an ISO 8601 time with a zone, such as 2026-04-21T10:32:15Z, or milliseconds since 1970'
    faults.push({ pointer: `/${name}`, detail })
    return fallback
  }
  const range = { from: time('from', from, 0), to: time('to', to, Infinity) }
  // A time before 1970 is before every row.
  if (from !== '' && range.from > range.to) faults.push({ pointer: '/from', detail: 'must not be after to' })
  const rows = limit === '' ? LIMIT_DEFAULT : /^\d{1,7}$/.test(limit) ? Number(limit) : Number.NaN
  if (!(rows >= 1 && rows <= LIMIT_MAX)) {
    faults.push({ pointer: '/limit', detail: `must be a whole number from 1 to ${LIMIT_MAX}` })
  }
  if (faults.length > 0) throw refusal(faults)
  return { ...range, limit: rows }
}

function refusal(faults: readonly Fault[]): Problem {
  return new Problem('invalid-query', 'the parameters are repo, server, from, to and limit', { faults })
}
