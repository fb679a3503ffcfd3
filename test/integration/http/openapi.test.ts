import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { Validator } from '@seriousme/openapi-schema-validator'
import t from 'tap'
import { checked, posting } from '../../support/api.ts'
import { type Ask, ask, post } from '../../support/http.ts'
import { type OpenapiDocument, conformance } from '../../support/openapi.ts'
import { fileOf, serve } from '../../support/server.ts'
import { DRIFTED, snapshotOf } from '../../support/snapshots.ts'
import { ADMIN, CI, bearer, guarded } from '../../support/tokens.ts'
import { pino } from 'pino'
import { createApp } from '../../../src/http/app.ts'
import { Metrics } from '../../../src/http/metrics.ts'
import { Store } from '../../../src/store/store.ts'
import { directory } from '../../support/directory.ts'

t.test('schemas: what is served is what the server does', async (t) => {
  const server = await serve(t)
  const http = await checked(t, server)
  t.match(await new Validator().validate((await http('/openapi.json')).text), { valid: true })
  const schema = await http('/status.schema.json')
  t.equal(schema.text, readFileSync(join(server.dataDir, 'status.schema.json'), 'utf8'))
  t.match(fileOf(server), { $schema: './status.schema.json' })
  await post(server.url, DRIFTED)
  const editor = new Ajv({ strict: true }).compile(schema.json as object)
  for (const path of ['/api/history', '/api/history?from=0&limit=1', '/metrics', '/', '/badge', '/badge?repo=rsyslog'])
    t.equal((await http(path)).status, 200)
  t.equal((await http('/api/history?limit=none')).status, 422)
  t.ok(editor(fileOf(server)), 'an editor finds nothing wrong with the file')
  t.notOk(editor({ ...fileOf(server), statuses: [{ ...DRIFTED, sync_status: 'synced' }] }), 'and finds what is wrong')
  t.match((await http('/healthz')).json, { status: 'alive' })
  t.match((await http('/readyz')).json, { ready: true, generation: 2, problems: [], volume: { limits: [] } })
})

t.test('every name in the OpenAPI document has a description, every operation a tag and examples', async (t) => {
  const server = await serve(t)
  const document = (await ask(`${server.url}/openapi.json`)).json as Document
  t.same(undescribed(document.components.schemas, '/components/schemas'), [])
  const tags = new Set(document.tags.map(({ name, description }) => description && name))
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const name = `${method} ${path}`
      const { operationId, summary, description, parameters = [], requestBody, responses } = operation
      t.match({ operationId, summary, description }, { operationId: /./, summary: /./, description: /./ }, name)
      t.ok(
        operation.tags.every((tag) => tags.has(tag)),
        `${name}: tags`,
      )
      for (const parameter of parameters) t.match(parameter, { name: /./, description: /./, schema: {} }, name)
      const contents = [requestBody, ...Object.values(responses)].flatMap((body) => Object.entries(body?.content ?? {}))
      for (const [type, content] of contents.filter(([, { schema }]) => JSON.stringify(schema).includes('$ref')))
        t.ok(content.example ?? content.examples, `${name}: an example of ${type}`)
      for (const [status, response] of Object.entries(responses)) {
        t.type(response.description, 'string', `${name} ${status}`)
        for (const each of Object.values(response.headers ?? {})) t.match(each, { description: /./, schema: {} })
        for (const link of Object.values(response.links ?? {})) t.match(link, { operationId: /./, description: /./ })
      }
    }
  }
  t.same(Object.keys(document.paths['/api/status']?.['post']?.responses['201']?.links ?? {}), [
    'target',
    'history',
    'remove',
  ])
})

t.test('every example of an answer or a request is as its schema says', async (t) => {
  const server = await serve(t)
  const { components, paths } = (await ask(`${server.url}/openapi.json`)).json as Document
  const ajv = new Ajv2020({ strict: true, validateFormats: false })
  ajv.addVocabulary(['components'])
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { requestBody, responses }] of Object.entries(operations)) {
      for (const body of [requestBody, ...Object.values(responses)]) {
        const { schema, example, examples = {} } = body?.content?.['application/json'] ?? {}
        if (schema === undefined) continue
        const check = ajv.compile({ ...schema, components })
        const values = Object.values(examples).map(({ value }) => value)
        for (const value of example === undefined ? values : [example])
          t.ok(check(value), `${method} ${path}: ${ajv.errorsText(check.errors)}`)
      }
    }
  }
})

t.test('what a refusal says in headers is described', async (t) => {
  const server = await guarded(t, true)
  const document = (await ask(`${server.url}/openapi.json`, { headers: bearer(ADMIN) })).json as OpenapiDocument
  const faults = conformance(document)
  const refused = async (status: number, header: string, path: string, options: Ask = {}): Promise<void> => {
    const method = options.method ?? 'GET'
    const answer = await ask(server.url + path, options)
    const described = document.paths[path]?.[method.toLowerCase()]?.responses
    t.equal(answer.status, status)
    t.ok(answer.headers[header.toLowerCase()], `${method} ${path} ${status} has ${header}`)
    t.ok((described?.[status] ?? described?.['default'])?.headers?.[header], 'which is described')
    t.same(faults(method, server.url + path, answer), [])
  }
  await refused(401, 'WWW-Authenticate', '/status.json')
  await refused(401, 'WWW-Authenticate', '/api/status', posting(DRIFTED))
  await refused(403, 'WWW-Authenticate', '/api/status', { headers: bearer(CI) })
  const { headers: type, ...foreign } = posting(snapshotOf({ repo: 'foreign' }))
  await refused(403, 'WWW-Authenticate', '/api/status', { ...foreign, headers: { ...type, ...bearer(CI) } })
  for (let count = 0; count < 30; count += 1) await ask(`${server.url}/status.json`)
  await refused(429, 'Retry-After', '/status.json')
  await refused(429, 'Retry-After', '/api/status', posting(DRIFTED))
  const other = await ask(`${server.url}/badge`, { method: 'PUT', headers: bearer(ADMIN) })
  t.match(other, { status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } })
  t.ok(document.paths['/badge']?.['get']?.responses['default']?.headers?.['Allow'])
})

t.test('every route that there is stands in the OpenAPI document', async (t) => {
  const log = pino({ level: 'silent' })
  const metrics = new Metrics('0')
  const store = await Store.start({
    directory: directory(t),
    staleAfter: 600,
    historyRetention: 90,
    commitInterval: 0,
    events: metrics,
    log,
  })
  t.teardown(async () => store.stop())
  const { paths: routes } = createApp({
    store,
    staleAfter: 600,
    metrics,
    access: { protectReads: false },
    log,
    version: '0',
  })
  const server = await serve(t)
  const { paths } = (await ask(`${server.url}/openapi.json`)).json as { paths: object }
  t.same(
    routes.filter((path) => path !== '/assets/:name').toSorted((a, b) => a.localeCompare(b)),
    Object.keys(paths).toSorted((a, b) => a.localeCompare(b)),
  )
})

interface Content {
  readonly schema: object
  readonly example?: unknown
  readonly examples?: Record<string, { value: unknown }>
}

interface Body {
  readonly description: string
  readonly content?: Record<string, Content>
  readonly headers?: Record<string, object>
  readonly links?: Record<string, object>
}

interface Document {
  readonly tags: { name: string; description: string }[]
  readonly components: { readonly schemas: object }
  readonly paths: Record<
    string,
    Record<
      string,
      {
        operationId: string
        summary: string
        description: string
        tags: string[]
        parameters?: object[]
        requestBody?: Body
        responses: Record<string, Body>
      }
    >
  >
}

/** The schemas, their properties and the objects in their arrays that have no description. */
function undescribed(schemas: object, pointer: string): string[] {
  return Object.entries(schemas).flatMap(([name, schema]: [string, Record<string, unknown>]) => {
    const at = `${pointer}/${name}`
    const { description, properties = {}, items } = schema
    const inItems = (items as { type?: string } | undefined)?.type === 'object' ? { items } : {}
    return [
      ...(typeof description === 'string' ? [] : [at]),
      ...undescribed(properties as object, at),
      ...undescribed(inItems, at),
    ]
  })
}
