import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { type Fault, pointTo } from './json.ts'
import type { Steps } from '../steps.ts'
import { timeOf } from './time.ts'

const FORMATS: Record<string, { holds: (text: string) => boolean; expected: string }> = {
  'date-time': {
    holds: (text) => !Number.isNaN(timeOf(text)),
    expected: 'must be an ISO 8601 time with a zone, such as 2026-04-21T10:32:15Z',
  },
  uri: { holds: (text) => URL.canParse(text), expected: 'must be an absolute URL' },
}

const ajv = new Ajv({
  allErrors: true,
  verbose: true,
  strict: true,
  formats: Object.fromEntries(Object.entries(FORMATS).map(([name, { holds }]) => [name, holds])),
})

/** Reports whether a value has the shape `T` of a schema. After `false`, `faults` returns all of its faults. */
export interface Validator<T> {
  (value: unknown): value is T
  faults(pointer: string): Fault[]
}

const schemas: (() => unknown)[] = []

/**
 * Compiles the checks that have not been used yet, and yields after each: that of a whole document takes 0.1 s. For a server
 * with nothing else to do.
 */
export function* compileSchemas(): Steps<void> {
  for (const compile of schemas) {
    compile()
    yield
  }
}

/**
 * The check of one JSON Schema.
 *
 * @param messages what a fault says if a text does not match a pattern, by pattern
 */
export function validator<T>(schema: object, messages: Readonly<Record<string, string>> = {}): Validator<T> {
  // Compiled when it is first used: a command needs few of them, and each takes some milliseconds.
  let compiled: ValidateFunction<T> | undefined
  const holds = (): ValidateFunction<T> => (compiled ??= ajv.compile<T>(schema))
  schemas.push(holds)
  return Object.assign((value: unknown): value is T => holds()(value), {
    faults: (pointer: string) => (holds().errors ?? []).map((error) => faultOf(error, pointer, messages)),
  })
}

function faultOf(error: ErrorObject, root: string, messages: Readonly<Record<string, string>>): Fault {
  const pointer = root + error.instancePath
  const { message = 'is not valid' } = error
  switch (error.keyword) {
    case 'required':
      return { pointer: pointTo(pointer, param(error, 'missingProperty')), detail: 'must be present' }
    case 'additionalProperties':
      return { pointer: pointTo(pointer, param(error, 'additionalProperty')), detail: 'is not known' }
    case 'type':
      return { pointer, detail: `${message}, not ${typeName(error.data)}` }
    case 'enum':
      return { pointer, detail: `must be one of ${allowedValues(error).join(', ')}` }
    case 'format':
      return { pointer, detail: FORMATS[param(error, 'format')]?.expected ?? message }
    case 'pattern':
      return { pointer, detail: messages[param(error, 'pattern')] ?? message }
    case 'minLength':
      return { pointer, detail: 'must not be empty' }
    default:
      return { pointer, detail: message }
  }
}

function allowedValues({ params }: ErrorObject): string[] {
  const values: unknown = params['allowedValues']
  return Array.isArray(values) ? values.map(String) : []
}

function param(error: ErrorObject, name: string): string {
  return String(error.params[name])
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}
