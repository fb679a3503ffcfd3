import type { FromSchema } from 'json-schema-to-ts'
import type { Matcher } from '../status/glob.ts'
import type { Fault, Outcome } from '../status/json.ts'
import { LABEL_NAME, STATES, type Status } from '../status/schema.ts'
import type { Target } from '../status/target.ts'
import { validator } from '../status/validation.ts'
import { ALTERNATIVES_MAX, WILDCARDS_MAX, namesMatcher } from './names.ts'

/** The longest value of a parameter, in characters. With its headers, a request has at most 16 KiB before the body. */
export const VALUE_LENGTH_MAX = 15_000
/** The largest number of conditions on labels. */
export const CONDITIONS_MAX = 64

const values = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] } as const

const PATTERNS = `names, or patterns as in a shell: * for any characters, ? for one, {a,b} for alternatives. May be repeated: one must match. Empty: all. At most ${ALTERNATIVES_MAX} alternatives, ${WILDCARDS_MAX} of them with * or ?, and ${VALUE_LENGTH_MAX} characters.`

/** `?repo=&server=`: globs. */
export const targetFilterProperties = {
  repo: { ...values, description: `The repositories: ${PATTERNS}` },
  server: { ...values, description: `The servers: ${PATTERNS}` },
} as const

/** `?repo=&server=&state=&label=`, each of which may be repeated. */
export const filterSchema = {
  type: 'object',
  properties: {
    ...targetFilterProperties,
    state: {
      ...values,
      description: `The states, separated by commas or repeated: ${STATES.join(', ')}. One must be the state. Empty: all.`,
    },
    label: {
      ...values,
      description: `Conditions on labels as in Kubernetes, separated by commas or repeated: env=prod, env!=prod (also without the label), env (any value). All must hold. Empty: all. At most ${CONDITIONS_MAX} conditions.`,
    },
  },
  additionalProperties: false,
} as const

type Query = FromSchema<typeof filterSchema>
type Values = Query['repo']

/** One condition on a label. A value has no comma: it separates conditions. */
export const CONDITION_PATTERN = `${LABEL_NAME}((!=|==?)[^,]*)?`
const CONDITION = new RegExp(`^(?<name>${LABEL_NAME})((?<operator>!=|==?)(?<value>[^,]*))?$`)

/** The properties that a filter uses. */
export type Filterable = Target & Pick<Status, 'state'> & { readonly labels?: Readonly<Record<string, string>> }

/** Reports whether a status matches. */
export type Filter = (status: Filterable) => boolean

const isQuery = validator<Query>(filterSchema)

/** Reads the parameters of a filter. A status matches if all of them do; one that is missing or empty matches all. */
export function readFilter(query: unknown): Outcome<Filter> {
  if (!isQuery(query)) return { ok: false, faults: isQuery.faults('') }
  const target = readTargetFilter(query)
  const faults = target.ok ? [] : [...target.faults]
  const states = readStates(query.state, faults)
  const conditions = readConditions(query.label, faults)
  if (!target.ok || faults.length > 0) return { ok: false, faults }
  const matchesState = (state: string): boolean => states.size === 0 || states.has(state)
  return {
    ok: true,
    value: (status) =>
      matchesState(status.state) &&
      target.value(status) &&
      conditions.every((holds) => holds(status.labels ?? NO_LABELS)),
  }
}

/** Reads the parameters `repo` and `server`. */
export function readTargetFilter({
  repo,
  server,
}: Pick<Query, 'repo' | 'server'>): Outcome<(target: Target) => boolean> {
  const faults: Fault[] = []
  const matchesRepo = readNames('/repo', repo, faults)
  const matchesServer = readNames('/server', server, faults)
  if (faults.length > 0) return { ok: false, faults }
  return { ok: true, value: (target) => matchesRepo(target.repo) && matchesServer(target.server) }
}

function readNames(pointer: string, parameter: Values, faults: Fault[]): Matcher {
  const patterns = given(pointer, parameter, faults)
  const names = namesMatcher(patterns)
  if ('matches' in names) return patterns.length === 0 ? () => true : names.matches
  faults.push({ pointer, detail: names.fault })
  return () => false
}

function readStates(parameter: Values, faults: Fault[]): ReadonlySet<string> {
  const states = separated('/state', parameter, faults)
  const known: readonly string[] = STATES
  if (!states.every((state) => known.includes(state))) {
    faults.push({
      pointer: '/state',
      detail: `must be one of ${STATES.join(', ')}, or several of them, separated by commas`,
    })
  }
  return new Set(states)
}

type Labels = Readonly<Record<string, string>>

const NO_LABELS: Labels = {}

function readConditions(parameter: Values, faults: Fault[]): ((labels: Labels) => boolean)[] {
  const conditions = separated('/label', parameter, faults)
  if (conditions.length > CONDITIONS_MAX) {
    faults.push({ pointer: '/label', detail: `must be at most ${CONDITIONS_MAX} conditions` })
    return []
  }
  return conditions.flatMap((condition) => {
    const { name, operator, value } = CONDITION.exec(condition)?.groups ?? {}
    if (name === undefined) {
      faults.push({
        pointer: '/label',
        detail: 'must be conditions such as env=prod, env!=prod or env, separated by commas',
      })
      return []
    }
    // A label may be called `constructor`.
    const labelOf = (labels: Labels): string | undefined => (Object.hasOwn(labels, name) ? labels[name] : undefined)
    if (operator === undefined) return (labels: Labels) => labelOf(labels) !== undefined
    return (labels: Labels) => (labelOf(labels) === value) === (operator !== '!=')
  })
}

/** The values of a parameter that are not empty. */
function given(pointer: string, parameter: Values, faults: Fault[]): string[] {
  const all = [parameter ?? []].flat().filter((value) => value !== '')
  if (all.every(({ length }) => length <= VALUE_LENGTH_MAX)) return all
  faults.push({ pointer, detail: `must have at most ${VALUE_LENGTH_MAX} characters` })
  return []
}

/** What a parameter lists with commas. An empty item is none, as an empty value is. */
function separated(pointer: string, parameter: Values, faults: Fault[]): string[] {
  return given(pointer, parameter, faults)
    .flatMap((value) => value.split(','))
    .filter((item) => item !== '')
}
