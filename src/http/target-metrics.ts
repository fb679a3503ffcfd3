import type { StatusDocument } from '../status/document.ts'
import { STATES, type State, type Status } from '../status/schema.ts'
import { timeOf } from '../status/time.ts'
import { repositorySummaries } from '../views/repositories.ts'
import { metricLabelOf } from './metric-label.ts'

/** A gauge of each target; `undefined` gives none. */
interface TargetGauge {
  readonly name: string
  readonly help: string
  readonly value: (status: Status) => number | undefined
}

const secondsOf = (time: string | null | undefined): number | undefined =>
  time === null || time === undefined ? undefined : timeOf(time) / 1000

/** A target that was never checked has no verdict: 0 drifted files would look better than it is. */
const GAUGES: readonly TargetGauge[] = [
  {
    name: 'gitops_sync_status',
    help: '1 if the last check found the server in sync with Git, 0 if it found drift.',
    value: (status) => (status.last_check === null ? undefined : Number(status.sync_status === 'SYNCED')),
  },
  {
    name: 'gitops_drift_files',
    help: 'Number of differences of the target: drifted files, and differences that are not files.',
    value: (status) => (status.last_check === null ? undefined : status.drift_count),
  },
  {
    name: 'gitops_last_check_timestamp_seconds',
    help: 'Time of the last drift check.',
    value: (status) => secondsOf(status.last_check),
  },
  {
    name: 'gitops_since_timestamp_seconds',
    help: 'Time at which the current sync_status began.',
    value: (status) => secondsOf(status.since),
  },
  {
    name: 'gitops_stale',
    help: '1 if the last check is older than stale_after, or there was no check.',
    value: (status) => Number(status.stale),
  },
  {
    name: 'gitops_failed_check_timestamp_seconds',
    help: 'Time of the newest failed check since the last check.',
    value: (status) => secondsOf(status.failed_check?.at),
  },
  {
    name: 'gitops_accepted_until_timestamp_seconds',
    help: 'Time at which the acceptance ends: the earliest end of the rules that cover the target.',
    value: (status) => secondsOf(status.accepted_until),
  },
]

const INFO = 'Always 1. Labels: the commit that the target was checked against, and those in METRIC_LABELS.'
const STATE = `1 for the state of the target, 0 for every other: ${STATES.join(', ')}.`
const REPOSITORY = 'Number of targets of the repository in the state.'

/** The lines of so many targets take a fraction of a millisecond. */
const CHUNK_ITEMS = 250

/** Of what there are series: of each target, or only of each repository. */
export type MetricsBy = 'target' | 'repository'

export interface TargetMetricsOptions {
  /** By default `target`. */
  readonly by?: MetricsBy
  /** Names of the labels of targets that `gitops_target_info` has, no two of one metric label. */
  readonly labels?: readonly string[] | undefined
}

/**
 * The metrics of the targets of a document, in chunks: all lines of one metric, then those of the next, as the format wants
 * it. They are written here and not by prom-client, which takes ten times as long, and made again for each scrape: to keep
 * the lines of 100,000 targets would take 100 MB. The format:
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function* targetMetrics(
  { entries }: Pick<StatusDocument, 'entries'>,
  { by = 'target', labels = [] }: TargetMetricsOptions = {},
): Generator<string> {
  if (by === 'target') {
    for (const { name, help, value } of GAUGES) {
      yield* metric(name, help, entries, ({ status }) => gaugeLine(name, status, value(status)))
    }
    yield* metric('gitops_target_info', INFO, entries, ({ status }) => {
      const commit = escaped(status.commit ?? '')
      return `gitops_target_info{${targetLabels(status)},commit="${commit}"${namedLabels(status, labels)}} 1\n`
    })
  }
  yield* metric('gitops_repository_targets', REPOSITORY, repositorySummaries(entries), ({ repo, ...summary }) =>
    stateLines(`gitops_repository_targets{repo="${escaped(repo)}"`, (state) => summary[state]),
  )
  if (by === 'target') {
    yield* metric('gitops_target_state', STATE, entries, ({ status }) =>
      stateLines(`gitops_target_state{${targetLabels(status)}`, (state) => (state === status.state ? 1 : 0)),
    )
  }
}

/** The lines of one metric: its head, then those of each item. */
function* metric<T>(name: string, help: string, items: Iterable<T>, linesOf: (item: T) => string): Generator<string> {
  let chunk = `# HELP ${name} ${help}\n# TYPE ${name} gauge\n`
  let count = 0
  for (const item of items) {
    chunk += linesOf(item)
    count += 1
    if (count % CHUNK_ITEMS !== 0) continue
    yield chunk
    chunk = ''
  }
  yield chunk
}

function gaugeLine(name: string, status: Status, value: number | undefined): string {
  return value === undefined ? '' : `${name}{${targetLabels(status)}} ${value}\n`
}

function targetLabels({ repo, server }: Status): string {
  return `repo="${escaped(repo)}",server="${escaped(server)}"`
}

/** A line for each state. */
function stateLines(start: string, valueOf: (state: State) => number): string {
  let lines = ''
  for (const state of STATES) lines += `${start},state="${state}"} ${valueOf(state)}\n`
  return lines
}

/** The named labels that a target has, as labels of a metric. */
function namedLabels({ labels = {} }: Status, names: readonly string[]): string {
  const present = names.filter((name) => Object.hasOwn(labels, name))
  return present.map((name) => `,${metricLabelOf(name)}="${escaped(String(labels[name]))}"`).join('')
}

const SPECIAL = /[\\\n"]/

function escaped(text: string): string {
  // Hardly any name has such a character, and one test is faster than three replacements.
  if (!SPECIAL.test(text)) return text
  return text
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('\n', String.raw`\n`)
    .replaceAll('"', String.raw`\"`)
}
