import t from 'tap'
import { formatTime, parseTime, timeOf } from '../../../src/status/time.ts'

t.test('times are read in every form that names its zone, and kept in one', async (t) => {
  const good: Record<string, string> = {
    '2026-04-21T10:32:15Z': '2026-04-21T10:32:15Z',
    '2026-04-21t10:32:15z': '2026-04-21T10:32:15Z',
    '2026-04-21T10:32:15.999Z': '2026-04-21T10:32:15Z',
    '2026-04-21T10:32:15,5Z': '2026-04-21T10:32:15Z',
    '2026-04-21T12:32:15+02:00': '2026-04-21T10:32:15Z',
    '2026-04-21T12:32:15+0200': '2026-04-21T10:32:15Z',
    '2026-04-21T12:32:15+02': '2026-04-21T10:32:15Z',
    '2026-04-20T20:02:15-14:30': '2026-04-21T10:32:15Z',
    '2026-04-21T10:32Z': '2026-04-21T10:32:00Z',
    '2026-01-01T00:30:00+01:00': '2025-12-31T23:30:00Z',
    '2024-02-29T00:00:00Z': '2024-02-29T00:00:00Z',
    '2016-12-31T23:59:60Z': '2017-01-01T00:00:00Z',
    '0099-01-01T00:00:00Z': '0099-01-01T00:00:00Z',
  }
  for (const [posted, kept] of Object.entries(good)) {
    t.equal(formatTime(parseTime(posted) ?? Number.NaN), kept, posted)
    t.equal(timeOf(posted), parseTime(posted), posted)
  }
  const bad = [
    '',
    '2026-04-21',
    '2026-04-21T10:32:15',
    '2026-04-21 10:32:15Z',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-04-21T24:00:00Z',
    '2026-04-21T10:60:00Z',
    '2026-04-21T10:32:61Z',
    '2026-04-21T10:32:15+24:00',
    '2026-04-21T10:32:15+02:60',
    '0000-01-01T00:00:00+01:00',
    '9999-12-31T23:59:59-01:00',
    ' 2026-04-21T10:32:15Z',
    '2026-04-21T10:32:15Z\n',
    '1776767535',
  ]
  for (const text of bad) {
    t.equal(parseTime(text), undefined, JSON.stringify(text))
    t.ok(Number.isNaN(timeOf(text)), JSON.stringify(text))
  }
})
