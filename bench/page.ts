/*
 * Measures the status page in Chromium: npm run bench:page [-- --quick] [-- --against DIR/dist/cli.js] [-- --targets N]. With the
 * program of another version, the two take turns, and PAGE.md is written. What counts are the ratios.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Browser } from 'playwright-core'
import type { Snapshot } from '../src/status/schema.ts'
import { launchBrowser } from '../test/support/browser.ts'
import { type Running, startOurs } from './contenders.ts'
import { median } from './numbers.ts'
import { addHistory, makeDirectory, statusOf } from './page-documents.ts'
import { type Load, type Steadiness, measureLoad, measureSteadiness, scriptBytes } from './page-measures.ts'
import { count, ms, report, say, table, times } from './report.ts'
import { quick, takeTurns, work } from './setup.ts'

const FEW_TARGETS = 60
const UPDATED = 100
const ROUNDS = quick ? 1 : 8

const { against, targets } = parseArgs({
  strict: false,
  options: { against: { type: 'string' }, targets: { type: 'string', default: '10000' } },
}).values
const TARGETS = Number(targets)

/** Two servers of one version. */
interface Version {
  readonly name: string
  readonly many: Running
  readonly few: Running
}

async function startVersion(name: string, program: string | undefined): Promise<Version> {
  const [many, few] = [join(work, `${name}-many`), join(work, `${name}-few`)]
  makeDirectory(many, TARGETS)
  makeDirectory(few, FEW_TARGETS)
  addHistory(few, FEW_TARGETS)
  return { name, many: await startOurs(many, [], {}, program), few: await startOurs(few, [], {}, program) }
}

/** New checks of some targets: most find what the last one found. */
function updateOf(number: number): Snapshot[] {
  return Array.from({ length: UPDATED - 1 }, (_, index) =>
    statusOf((index * 97 + 1) % TARGETS, (index + number) % 10 === 0 ? ['nginx.conf'] : []),
  )
}

async function measure(browser: Browser, { many, few }: Version): Promise<Load & Steadiness> {
  const drifts = [1, 2, 3].map((target) => statusOf(target, ['nginx.conf']))
  return { ...(await measureLoad(browser, many, updateOf)), ...(await measureSteadiness(browser, few, drifts)) }
}

type Result = Load & Steadiness

type Show = (value: number) => string

const ROWS: readonly [what: string, values: (result: Result) => readonly number[], show: Show][] = [
  ['first rows, from the navigation', ({ rows }) => [rows], ms],
  ['first rows, from the arrival of the document', ({ rowsOfDocument }) => [rowsOfDocument], ms],
  ['a key in the filter', ({ keys }) => keys, ms],
  ['the slowest of six keys', ({ keys }) => [Math.max(...keys)], ms],
  [`an update of ${UPDATED} targets, main thread`, ({ updates }) => updates.map(({ tasks }) => tasks), ms],
  ['of that, running on a core', ({ updates }) => updates.map(({ cpu }) => cpu), ms],
  ['of that, the longest task', ({ updates }) => updates.map(({ longest }) => longest), ms],
  ['of that, garbage collection', ({ updates }) => updates.map(({ garbage }) => garbage), ms],
  ['JavaScript heap', ({ heap }) => [heap], (value) => `${value.toFixed(1)} MiB`],
  [`largest contentful paint, ${FEW_TARGETS} targets`, ({ largestPaint }) => [largestPaint], ms],
  [`layout shift, ${FEW_TARGETS} targets`, ({ layoutShift }) => [layoutShift], (value) => value.toFixed(3)],
]

/** The cells of a line: the values of the versions, and their ratio. */
function cells(values: readonly number[], show: Show): string[] {
  const [mine = Number.NaN, other] = values
  return [
    ...values.map((value) => show(value)),
    ...(other === undefined ? [] : [other === 0 ? '' : times(mine / other)]),
  ]
}

const browser = await launchBrowser()
if (browser === undefined) throw new Error('Chromium is missing: apt-get install chromium, or name it in CHROMIUM')
const versions = [await startVersion('this', undefined)]
if (typeof against === 'string') versions.push(await startVersion('other', resolve(against)))
try {
  const results = await takeTurns<Result>(
    Object.fromEntries(versions.map((version) => [version.name, async () => measure(browser, version)])),
    ROUNDS,
  )
  say('# The status page')
  say()
  say(
    `${cpus().length} cores (${cpus()[0]?.model ?? ''}), Linux ${release()}, Chromium ${browser.version()}. Medians of ${ROUNDS} loads` +
      ` of ${count(TARGETS)} targets, where nothing else is said; of six keys and three updates each.`,
  )
  say('`npm run bench:page -- --against DIR/dist/cli.js` measures again, in turns. What counts are the ratios.')
  say()
  const scripts = await Promise.all(versions.map(async ({ many }) => scriptBytes(many)))
  table(
    ['', ...versions.map(({ name }) => name), ...(versions.length > 1 ? ['ratio'] : [])],
    [
      ...ROWS.map(([what, values, show]) => [
        what,
        ...cells(
          versions.map(({ name }) => median((results[name] ?? []).flatMap(values))),
          show,
        ),
      ]),
      ['script, gzip -9', ...cells(scripts, (bytes) => `${count(bytes)} B`)],
    ],
  )
  if (versions.length > 1 && !quick && targets === '10000')
    writeFileSync(join(import.meta.dirname, 'PAGE.md'), report())
} finally {
  await browser.close()
  for (const { many, few } of versions) {
    await many.stop()
    await few.stop()
  }
  rmSync(work, { recursive: true })
}
