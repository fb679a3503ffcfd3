import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { Validator } from '@seriousme/openapi-schema-validator'
import t from 'tap'
import { checked } from '../../support/api.ts'
import { ask, post } from '../../support/http.ts'
import { fileOf, serve } from '../../support/server.ts'
import { DRIFTED } from '../../support/snapshots.ts'
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
  const editor = new Ajv({ strict: false, validateFormats: false }).compile(schema.json as object)
  for (const path of ['/api/history', '/api/history?from=0&limit=1', '/metrics', '/', '/badge', '/badge?repo=rsyslog'])
    t.equal((await http(path)).status, 200)
  t.equal((await http('/api/history?limit=none')).status, 422)
  t.ok(editor(fileOf(server)), 'an editor finds nothing wrong with the file')
  t.notOk(editor({ ...fileOf(server), statuses: [{ ...DRIFTED, sync_status: 'synced' }] }), 'and finds what is wrong')
  t.match((await http('/healthz')).json, { status: 'alive' })
  t.match((await http('/readyz')).json, { ready: true, generation: 2, problems: [], volume: { limits: [] } })
})

t.test('every route that there is stands in the OpenAPI document', async (t) => {
  const log = pino({ level: 'silent' })
  const metrics = new Metrics('0')
  const options = { directory: directory(t), staleAfter: 600, historyRetention: 90, events: metrics, log }
  const store = await Store.start(options)
  t.teardown(async () => store.stop())
  const { paths: routes } = createApp({ store, metrics, access: { protectReads: false }, log, version: '0' })
  const server = await serve(t)
  const { paths } = (await ask(`${server.url}/openapi.json`)).json as { paths: object }
  t.same(
    routes.filter((path) => path !== '/assets/:name').toSorted((a, b) => a.localeCompare(b)),
    Object.keys(paths).toSorted((a, b) => a.localeCompare(b)),
  )
})
