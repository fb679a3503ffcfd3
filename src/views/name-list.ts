import type { FromSchema } from 'json-schema-to-ts'
import type { Status } from '../status/schema.ts'
import type { At } from './ages.ts'

/** The kinds of names that can be listed. */
export const NAME_KINDS = ['repo', 'server', 'label'] as const

/** A name that a dashboard offers for choice. */
export const nameRowSchema = {
  title: 'NameRow',
  description: 'A name to choose; the first is *, for all.',
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string', description: 'A repository, a server, or a label such as env=prod.' } },
  additionalProperties: false,
} as const

export type NameRow = FromSchema<typeof nameRowSchema>

/**
 * The names of some targets, sorted, each once. Never empty: Grafana takes an empty answer for an error.
 *
 * @param kind one of NAME_KINDS
 */
export function nameRows(statuses: readonly Status[], kind: string, limit: number): At<NameRow[]> {
  const names = new Set(statuses.flatMap((status) => namesOf(status, kind)))
  const rows = ['*', ...[...names].toSorted().slice(0, limit)].map((name) => ({ name }))
  return () => rows
}

function namesOf(status: Status, kind: string): string[] {
  if (kind === 'repo') return [status.repo]
  if (kind === 'server') return [status.server]
  return Object.entries(status.labels ?? {}).map(([name, value]) => `${name}=${value}`)
}
