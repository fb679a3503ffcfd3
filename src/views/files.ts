import type { FromSchema } from 'json-schema-to-ts'
import { type DriftedFile, type Status, fileProperties, targetProperties, time } from '../status/schema.ts'
import { formatTime, timeOf } from '../status/time.ts'
import type { Target } from '../status/target.ts'
import { type At, ageAt, ageProperty } from './ages.ts'

const KINDS = ['file', 'other'] as const
const kind = { type: 'string', enum: KINDS, description: 'other: a difference that is not a file.' } as const

/** A difference of a target as a row of a table. */
export const fileRowSchema = {
  title: 'FileRow',
  description: 'A difference of a target.',
  type: 'object',
  required: ['repo', 'server', 'name', 'kind', 'since', 'since_seconds', 'diff'],
  properties: {
    ...targetProperties,
    name: fileProperties.name,
    kind,
    since: { ...time, description: 'The time since which it differs.' },
    since_seconds: ageProperty('The age of since.'),
    diff: { type: ['string', 'null'], description: 'The difference as text, if the reporter sent it.' },
  },
  additionalProperties: false,
} as const

export type FileRow = FromSchema<typeof fileRowSchema>

/** A name that differs on some servers as a row of a table. */
export const fileSumSchema = {
  title: 'FileSum',
  description: 'A file or another difference, with the number of servers that have it.',
  type: 'object',
  required: ['repo', 'name', 'kind', 'servers', 'since', 'since_seconds'],
  properties: {
    repo: targetProperties.repo,
    name: fileProperties.name,
    kind,
    servers: { type: 'integer', minimum: 1, description: 'Number of servers on which it differs.' },
    since: { ...time, description: 'The earliest time since which it differs on one of them.' },
    since_seconds: ageProperty('The age of since.'),
  },
  additionalProperties: false,
} as const

export type FileSum = FromSchema<typeof fileSumSchema>

/** The differences of some targets, in the order of the document. */
export function fileRows(statuses: readonly Status[], limit: number): At<FileRow[]> {
  const shown: { readonly target: Target; readonly file: DriftedFile }[] = []
  for (const target of statuses) {
    if (shown.length >= limit) break
    for (const file of target.files.slice(0, limit - shown.length)) shown.push({ target, file })
  }
  return (now) =>
    shown.map(({ target: { repo, server }, file: { name, kind: known = 'file', since, diff = null } }) => {
      return { repo, server, name, kind: known, since, since_seconds: ageAt(now, timeOf(since)), diff }
    })
}

/** The differences by repository and name: those of the most servers first, and of these the oldest. */
export function fileSums(statuses: readonly Status[], limit: number): At<FileSum[]> {
  const sums = new Map<string, { repo: string; name: string; kind: 'file' | 'other'; servers: number; since: number }>()
  for (const { repo, files } of statuses) {
    for (const { name, kind: known = 'file', since } of files) {
      const at = timeOf(since)
      const key = JSON.stringify([repo, name])
      const sum = sums.get(key)
      if (sum === undefined) sums.set(key, { repo, name, kind: known, servers: 1, since: at })
      else {
        sum.servers += 1
        sum.since = Math.min(sum.since, at)
      }
    }
  }
  const shown = [...sums.values()]
    .toSorted((one, other) => other.servers - one.servers || one.since - other.since)
    .slice(0, limit)
  return (now) => shown.map((sum) => ({ ...sum, since: formatTime(sum.since), since_seconds: ageAt(now, sum.since) }))
}
