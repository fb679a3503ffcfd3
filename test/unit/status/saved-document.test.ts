import t from 'tap'
import { readDocument } from '../../../src/status/saved-document.ts'
import { NOW, at } from '../../support/documents.ts'
import { SAVED_NAMES, snapshotOf } from '../../support/snapshots.ts'

t.test('what is wrong is reported with line, column and pointer', async (t) => {
  const cases: [text: string, line: number, column: number, pointer: string, detail: RegExp][] = [
    ['', 1, 1, '', /must be JSON/],
    ['{\n  "statuses": [\n  ],\n}', 4, 1, '', /must be JSON: property name expected/],
    ['{\n  "statuses": [ // none\n  ]\n}', 2, 17, '', /must be JSON: invalid comment token/],
    ['[]', 1, 1, '', /must be object, not array/],
    ['{}', 1, 1, '/statuses', /must be present/],
    ['{"statuses":{}}', 1, 13, '/statuses', /must be array, not object/],
    ['{"statuses":[],"generation":1.5}', 1, 29, '/generation', /must be integer/],
    ['{"statuses":[\n  {"repo":"a"}]}', 2, 3, '/statuses/0/server', /must be present/],
    [
      documentText({ sync_status: 'synced' }),
      1,
      columnOf('"SYNCED"'),
      '/statuses/0/sync_status',
      /one of SYNCED, OUT_OF_SYNC/,
    ],
    [
      documentText({ drift_count: 1 }),
      1,
      columnOf('0,'),
      '/statuses/0/drift_count',
      /must be the length of files, which is 0/,
    ],
    [documentText({ last_check: 'today' }), 1, columnOf('"2026-'), '/statuses/0/last_check', /ISO 8601/],
    [
      documentText({ note: 2 ** 60 }),
      1,
      columnOf('}]}') + ',"note":'.length,
      '/statuses/0/note',
      /digits would be lost/,
    ],
    ['{"statuses":[],"note":1,"note":2}', 1, 25, '/note', /duplicate key/],
    [
      documentText({ server: '\ud800' }),
      1,
      columnOf('"b"'),
      '/statuses/0/server',
      /control characters or halves of a surrogate pair/,
    ],
    [
      documentText({ sync_status: 'OUT_OF_SYNC', drift_count: 1, files: [{ name: 'a\udc00' }] }),
      1,
      columnOf('[]') + '[{"name":'.length + 5,
      '/statuses/0/files/0/name',
      /^must not contain halves of a surrogate pair/,
    ],
  ]
  for (const [text, line, column, pointer, detail] of cases) {
    const outcome = readDocument(Buffer.from(text), NOW)
    t.match(outcome, { ok: false, faults: [{ line, column, pointer, detail }] }, text.slice(0, 80))
  }
  const twice = `{"statuses":[${entryText({})},${entryText({})}]}`
  t.match(readDocument(Buffer.from(twice), NOW), {
    ok: false,
    faults: [{ pointer: '/statuses/1', detail: /same repo and server as \/statuses\/0/ }],
  })
  t.match(readDocument(Buffer.from([0x7b, 0xff, 0x7d]), NOW), { ok: false, faults: [{ detail: 'must be UTF-8 text' }] })
  t.match(readDocument(Buffer.from(`\uFEFF${documentText({})}`), NOW), { ok: true }, 'a byte order mark does no harm')
  t.match(readDocument(Buffer.from('['.repeat(100_000)), NOW), { ok: false }, 'depth does no harm')
  t.match(readDocument(Buffer.from(`{"statuses":[],"x":${'['.repeat(40)}${']'.repeat(40)}}`), NOW), {
    ok: false,
    faults: [{ detail: /nested deeper than 32/ }],
  })
})

t.test('what version 0.1 has taken from CI can be read, though a post may no longer have it', async (t) => {
  for (const name of SAVED_NAMES) {
    const text = documentText({
      repo: name,
      server: name,
      files: [{ name }],
      sync_status: 'OUT_OF_SYNC',
      drift_count: 1,
    })
    t.match(readDocument(Buffer.from(text), NOW), {
      ok: true,
      value: { statuses: [{ repo: name, files: [{ name }] }] },
    })
  }
  const twice = documentText({ files: [{ name: 'a' }, { name: 'a' }], sync_status: 'OUT_OF_SYNC', drift_count: 2 })
  t.match(readDocument(Buffer.from(twice), NOW), { ok: true, value: { statuses: [{ drift_count: 2 }] } })
})

t.test('of very many faults the first hundred are reported, and soon', async (t) => {
  const statuses = Array.from({ length: 20_000 }, (_, index) => ({
    ...snapshotOf({ server: `s${index}` }),
    sync_status: 'DRIFT',
  }))
  const outcome = readDocument(Buffer.from(JSON.stringify({ statuses }, null, 2)), NOW)
  t.equal(outcome.ok ? 0 : outcome.faults.length, 100)
  t.match(outcome, { faults: [{ line: 6 }, { line: 14 }] })
})

function entryText(over: object): string {
  return JSON.stringify({ ...snapshotOf({ repo: 'a', server: 'b' }, [], at('10:32:15')), ...over })
}

function columnOf(part: string): number {
  return documentText({}).indexOf(part) + 1
}

function documentText(over: object): string {
  return `{"statuses":[${entryText(over)}]}`
}

/** Where the faults of a document with this entry are. */
function pointersOf(status: object): string[] {
  const outcome = readDocument(Buffer.from(JSON.stringify({ statuses: [status] })), NOW)
  return outcome.ok ? [] : outcome.faults.map(({ pointer }) => pointer)
}

t.test('a target that was never checked has no verdict at all', async (t) => {
  const never = { repo: 'r', server: 's', sync_status: null, drift_count: 0, files: [], last_check: null }
  t.same(pointersOf(never), [])
  t.same(pointersOf({ ...never, last_check: '2026-04-21T10:32:15Z' }), ['/statuses/0/last_check'])
  t.same(pointersOf({ ...never, sync_status: 'SYNCED' }), ['/statuses/0/sync_status'])
  t.same(pointersOf({ ...never, drift_count: 1, files: [{ name: 'a' }] }), ['/statuses/0/files'])
})
