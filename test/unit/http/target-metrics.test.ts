import t from 'tap'
import { targetMetrics } from '../../../src/http/target-metrics.ts'
import { EMPTY_DOCUMENT } from '../../../src/status/document.ts'
import { posted } from '../../support/documents.ts'
import { snapshotOf } from '../../support/snapshots.ts'

/** The most lines of one metric that are made at once: 6 of each of 250 targets, and two at its head. */
const LINES_MAX = 1502

for (const targets of [0, 1, 249, 250, 251, 1000]) {
  t.test(`the metrics of ${targets} targets come in chunks, each metric with its head, and none is lost`, async (t) => {
    const snapshots = Array.from({ length: targets }, (_, index) =>
      snapshotOf({ server: `server-${index}` }, [], '2026-04-21T10:32:15Z'),
    )
    const chunks = [...targetMetrics(posted(EMPTY_DOCUMENT, ...snapshots).document)]
    const lines = chunks.join('').split('\n')
    t.equal(lines.pop(), '', 'the last line is whole')
    for (const chunk of chunks) t.ok(chunk.split('\n').length - 1 <= LINES_MAX)
    const series = lines.filter((line) => !line.startsWith('#'))
    t.equal(new Set(series).size, series.length)
    t.equal(series.filter((line) => line.startsWith('gitops_sync_status{')).length, targets)
    t.equal(series.filter((line) => line.startsWith('gitops_target_state{')).length, 6 * targets)
    t.equal(lines.filter((line) => line.startsWith('# TYPE ')).length, 10)
    t.equal(lines.filter((line) => line.startsWith('# HELP ')).length, 10)
  })
}
