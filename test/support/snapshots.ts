import fc from 'fast-check'
import type { Snapshot } from '../../src/status/schema.ts'
import { formatTime } from '../../src/status/time.ts'

/** The drift snapshot that the README posts. */
export const DRIFTED = {
  repo: 'rsyslog',
  server: 'rsyslog-lab',
  sync_status: 'OUT_OF_SYNC',
  drift_count: 2,
  files: [{ name: 'rsyslog.conf' }, { name: 'rsyslog.d/30-lab.conf' }],
  last_check: '2026-04-21T10:32:15Z',
} as const satisfies Readonly<Record<keyof Snapshot, unknown>>

/** The same target, in sync. */
export const SYNCED = { ...DRIFTED, sync_status: 'SYNCED', drift_count: 0, files: [] } as const

/** A snapshot of a target, drifted in these files. */
export function snapshotOf(
  target: { repo?: string; server?: string },
  files: readonly string[] = [],
  lastCheck: string = formatTime(Date.now()),
): Snapshot {
  return {
    repo: target.repo ?? 'rsyslog',
    server: target.server ?? 'rsyslog-lab',
    sync_status: files.length === 0 ? 'SYNCED' : 'OUT_OF_SYNC',
    drift_count: files.length,
    files: files.map((name) => ({ name })),
    last_check: lastCheck,
  }
}

/** Names that have broken other programs and may be posted. */
export const HOSTILE_NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'a/b',
  '../../etc/passwd',
  'a  b',
  '~0~1',
  '"quoted"',
  '<script>alert(1)</script>',
  'ᚠᛇᚻ 🦀 é e\u0301',
  'x'.repeat(253),
  '🦀'.repeat(253),
  '-',
  '0',
  'null',
]

/** Names that the file may have, since version 0.1 took them, but no post. */
export const SAVED_NAMES = [
  ' ',
  ' a',
  'a\u00A0',
  'a\u2800',
  '\u202Egnp.exe',
  'zero\u200Bwidth',
  'a\uFE0F',
  'a\u{E0041}',
]

const NOT_A_NAME = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|^[\p{Zs}\u2800]|[\p{Zs}\u2800]$/u

/** Any name that a post may have, the hostile ones often. */
export const anyName = fc.oneof(
  fc.constantFrom(...HOSTILE_NAMES, 'rsyslog', 'nginx'),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter((name) => !NOT_A_NAME.test(name)),
)

const anyTime = fc.integer({ min: 1_600_000_000, max: 1_700_000_000 }).map((seconds) => formatTime(seconds * 1000))

/** Properties that no contract knows. */
const anyExtras = fc.dictionary(
  fc.constantFrom('note', '__proto__', 'constructor', 'environment', '7'),
  fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)),
  { noNullPrototype: false },
)

/** Any valid snapshot of a few targets. */
export const anySnapshot: fc.Arbitrary<Snapshot> = fc
  .record({
    repo: fc.oneof({ weight: 3, arbitrary: fc.constantFrom('a', 'b', '__proto__') }, { weight: 1, arbitrary: anyName }),
    server: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('a', 'b', '__proto__') },
      { weight: 1, arbitrary: anyName },
    ),
    names: fc.uniqueArray(anyName, { maxLength: 4 }),
    lastCheck: anyTime,
    commit: fc.option(fc.string(), { nil: undefined }),
    extras: anyExtras,
  })
  .map(({ repo, server, names, lastCheck, commit, extras }) => ({
    ...extras,
    ...snapshotOf({ repo, server }, names, lastCheck),
    ...(commit === undefined ? {} : { commit }),
  }))
