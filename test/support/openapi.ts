import { Ajv2020 } from 'ajv/dist/2020.js'
import type { Answer } from './http.ts'

interface Operation {
  readonly responses: Record<
    string,
    { headers?: Record<string, { required?: boolean }>; content?: Record<string, { schema: object }> }
  >
}

export interface OpenapiDocument {
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: object
}

/**
 * Makes a check of real answers against the server's own OpenAPI document: the status is described, the media type
 * is, the body has the described shape, described headers are there. Returns what is wrong.
 */
export function conformance(document: OpenapiDocument): (method: string, url: string, answer: Answer) => string[] {
  const ajv = new Ajv2020({ strict: true, validateFormats: false })
  ajv.addVocabulary(['components'])
  const checks = new Map<object, ReturnType<typeof ajv.compile>>()

  return (method, url, answer) => {
    const { pathname } = new URL(url)
    const operation = document.paths[pathname]?.[method.toLowerCase() === 'head' ? 'get' : method.toLowerCase()]
    // What no operation describes can only be refused.
    if (operation === undefined) return answer.status >= 400 ? [] : [`${method} ${pathname} is not described`]
    const response =
      operation.responses[answer.status] ?? (answer.status >= 400 ? operation.responses['default'] : undefined)
    if (response === undefined) return [`${method} ${pathname} ${answer.status} is not described`]

    const faults = Object.entries(response.headers ?? {})
      .filter(([name, { required }]) => required === true && answer.headers[name.toLowerCase()] === undefined)
      .map(([name]) => `${method} ${pathname} ${answer.status} has no ${name}`)
    if (answer.body.length === 0 || answer.headers['content-encoding'] !== undefined) return faults
    const type = answer.headers['content-type']?.split(';')[0] ?? 'no type'
    const content = response.content?.[type]
    if (content === undefined) return [...faults, `${method} ${pathname} ${answer.status} is not described as ${type}`]
    const check = checks.get(content.schema) ?? ajv.compile({ ...content.schema, components: document.components })
    checks.set(content.schema, check)
    return check(type.endsWith('json') ? answer.json : answer.text)
      ? faults
      : [...faults, `${method} ${pathname}: ${ajv.errorsText(check.errors)}`]
  }
}
