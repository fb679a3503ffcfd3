import t from 'tap'
import type { Piece } from '../../../src/http/kept-gzip.ts'
import { TargetMetrics } from '../../../src/http/target-metrics.ts'
import { EMPTY_DOCUMENT, type StatusDocument } from '../../../src/status/document.ts'
import type { Snapshot } from '../../../src/status/schema.ts'
import { posted } from '../../support/documents.ts'
import { snapshotOf } from '../../support/snapshots.ts'

/** The most lines that a piece has: 6 of each of 400 targets. */
const LINES_MAX = 2400

/** Snapshots of servers from `server-0000` on. */
function snapshots(count: number, commit = 'first'): Snapshot[] {
  return Array.from({ length: count }, (_, index) => {
    const server = `server-${String(index).padStart(4, '0')}`
    return { ...snapshotOf({ server }, [], '2026-04-21T10:32:15Z'), commit }
  })
}

function documentOf(count: number): StatusDocument {
  return posted(EMPTY_DOCUMENT, ...snapshots(count)).document
}

for (const targets of [0, 1, 399, 400, 401, 1000]) {
  t.test(`the metrics of ${targets} targets come in pieces, each metric with its head, and none is lost`, async (t) => {
    const texts = [...new TargetMetrics().pieces(documentOf(targets))].map(({ text }) => text())
    const lines = texts.join('').split('\n')
    t.equal(lines.pop(), '', 'the last line is whole')
    for (const text of texts) t.ok(text.split('\n').length - 1 <= LINES_MAX)
    const series = lines.filter((line) => !line.startsWith('#'))
    t.equal(new Set(series).size, series.length)
    t.equal(series.filter((line) => line.startsWith('gitops_sync_status{')).length, targets)
    t.equal(series.filter((line) => line.startsWith('gitops_target_state{')).length, 6 * targets)
    t.equal(lines.filter((line) => line.startsWith('# TYPE ')).length, 10)
    t.equal(lines.filter((line) => line.startsWith('# HELP ')).length, 10)
  })
}

/** The first line of each piece whose subject or values are not those of the piece at its place. */
function changed(before: readonly Piece[], after: readonly Piece[]): (string | undefined)[] {
  const differs = ({ subject, values }: Piece, index: number): boolean => {
    const other = before[index]
    return other === undefined || other.subject !== subject || JSON.stringify(other.values) !== JSON.stringify(values)
  }
  return after.filter(differs).map(({ text }) => text().split('\n')[0])
}

t.test('the pieces of targets that did not change keep their subject and values', async (t) => {
  const metrics = new TargetMetrics()
  const before = documentOf(1000)
  const first = [...metrics.pieces(before)]
  t.same(changed(first, [...metrics.pieces(before)]), [])

  const [, ...others] = snapshots(1000)
  const [one] = snapshots(1, 'second')
  const commit = posted(before, ...(one === undefined ? [] : [{ ...one, last_check: '2026-04-21T10:32:16Z' }])).document
  const labels = 'repo="rsyslog",server="server-0000"'
  const second = [...metrics.pieces(commit)]
  t.same(changed(first, second), [
    `gitops_last_check_timestamp_seconds{${labels}} 1776767536`,
    `gitops_target_info{${labels},commit="second"} 1`,
  ])

  const without = posted(EMPTY_DOCUMENT, ...others).document
  const pieces = [...metrics.pieces(without)]
  t.equal(pieces.length, first.length)
  t.ok(
    changed(second, pieces).includes('gitops_stale{repo="rsyslog",server="server-0001"} 0'),
    'other names, same values',
  )
})
