import type { Entry, StatusDocument } from '../status/document.ts'
import { STATES, type State, type Status } from '../status/schema.ts'
import { timeOf } from '../status/time.ts'
import { repositorySummaries } from '../views/repositories.ts'
import { type Piece, sameValues } from './kept-gzip.ts'
import { metricLabelOf } from './metric-label.ts'

/** Targets that follow one another in the document. */
interface Group {
  readonly statuses: readonly Status[]
  /** The repository and server of each; the same array as at the last scrape if they are the same. */
  readonly names: readonly string[]
}

/** A metric that has lines for each target. */
interface TargetMetric {
  readonly head: Piece
  readonly piece: (group: Group) => Piece
}

/**
 * @param valueOf what the lines of a target depend on beside its name
 * @param linesOf the lines of a target; `target` are its labels `repo` and `server`
 */
function targetMetric<T>(
  name: string,
  help: string,
  valueOf: (status: Status) => T,
  linesOf: (target: string, value: T) => string,
): TargetMetric {
  return {
    head: head(name, help),
    piece: ({ names, statuses }) => ({
      subject: names,
      values: statuses.map(valueOf),
      // Labels that were kept for the next metric would take 20 MB of 100,000 targets.
      text: () => statuses.map((status) => linesOf(targetLabels(status), valueOf(status))).join(''),
    }),
  }
}

/** A metric with a line for each target that has a value. */
function gauge(name: string, help: string, valueOf: (status: Status) => number | undefined): TargetMetric {
  return targetMetric(name, help, valueOf, (target, value) =>
    value === undefined ? '' : `${name}{${target}} ${value}\n`,
  )
}

const secondsOf = (time: string | null | undefined): number | undefined =>
  time === null || time === undefined ? undefined : timeOf(time) / 1000

/** A line for each state. Each begins with the name of the metric and its other labels. */
function stateLines(start: string, valueOf: (state: State) => number): string {
  return STATES.map((state) => `${start},state="${state}"} ${valueOf(state)}\n`).join('')
}

const STATE = 'gitops_target_state'
/** By state, the lines of a target in pieces that its labels join: half of an answer is such lines, and no other way writes them as fast. */
const STATE_LINES = new Map(
  STATES.map((present) => {
    const lines = stateLines(`${STATE}{*`, (state) => Number(state === present))
    return [present, lines.split('*')]
  }),
)

/** A target that was never checked has no verdict: 0 drifted files would look better than it is. */
const TARGET_METRICS: readonly TargetMetric[] = [
  gauge(
    'gitops_sync_status',
    '1 if the last check found the server in sync with Git, 0 if it found drift.',
    (status) => (status.last_check === null ? undefined : Number(status.sync_status === 'SYNCED')),
  ),
  gauge(
    'gitops_drift_files',
    'Number of differences of the target: drifted files, and differences that are not files.',
    (status) => (status.last_check === null ? undefined : status.drift_count),
  ),
  gauge('gitops_last_check_timestamp_seconds', 'Time of the last drift check.', (status) =>
    secondsOf(status.last_check),
  ),
  gauge('gitops_since_timestamp_seconds', 'Time at which the current sync_status began.', (status) =>
    secondsOf(status.since),
  ),
  gauge('gitops_stale', '1 if the last check is older than stale_after, or there was no check.', (status) =>
    Number(status.stale),
  ),
  gauge('gitops_failed_check_timestamp_seconds', 'Time of the newest failed check since the last check.', (status) =>
    secondsOf(status.failed_check?.at),
  ),
  gauge(
    'gitops_accepted_until_timestamp_seconds',
    'Time at which the acceptance ends: the earliest end of the rules that cover the target.',
    (status) => secondsOf(status.accepted_until),
  ),
  targetMetric(
    STATE,
    `1 for the state of the target, 0 for every other: ${STATES.join(', ')}.`,
    (status) => status.state,
    (target, state) => STATE_LINES.get(state)?.join(target) ?? '',
  ),
]

/** @param names the labels of targets that the metric has, too */
function infoMetric(names: readonly string[]): TargetMetric {
  return targetMetric(
    'gitops_target_info',
    'Always 1. Labels: the commit that the target was checked against, and those in METRIC_LABELS.',
    (status) => escaped(status.commit ?? '') + namedLabels(status, names),
    (target, labels) => `gitops_target_info{${target},commit="${labels}"} 1\n`,
  )
}

/** A change of one target makes and compresses the lines of so many again. */
const GROUP_TARGETS = 400

/** Of what there are series: of each target, or only of each repository. */
export type MetricsBy = 'target' | 'repository'

export interface TargetMetricsOptions {
  /** By default `target`. */
  readonly by?: MetricsBy
  /** Names of the labels of targets that `gitops_target_info` has, no two of one metric label. */
  readonly labels?: readonly string[] | undefined
}

/**
 * The metrics of the targets of a document: all lines of one metric, then those of the next, as the format wants it. They are
 * written here and not by prom-client, which takes ten times as long.
 * The format: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export class TargetMetrics {
  readonly #metrics: readonly TargetMetric[]
  /** The names of each group at the last scrape. */
  #names: readonly (readonly string[])[] = []

  constructor({ by = 'target', labels = [] }: TargetMetricsOptions = {}) {
    this.#metrics = by === 'target' ? [...TARGET_METRICS, infoMetric(labels)] : []
  }

  *pieces({ entries }: Pick<StatusDocument, 'entries'>): Generator<Piece> {
    if (this.#metrics.length > 0) {
      const groups = this.#groups(entries)
      for (const { head: first, piece } of this.#metrics) {
        yield first
        for (const group of groups) yield piece(group)
      }
    }
    yield* repositoryPieces(entries)
  }

  #groups(entries: readonly Entry[]): Group[] {
    const groups = Array.from({ length: Math.ceil(entries.length / GROUP_TARGETS) }, (_, index) => {
      const start = index * GROUP_TARGETS
      const statuses = entries.slice(start, start + GROUP_TARGETS).map(({ status }) => status)
      const names = statuses.flatMap(({ repo, server }) => [repo, server])
      const last = this.#names[index] ?? []
      return { statuses, names: sameValues(last, names) ? last : names }
    })
    this.#names = groups.map(({ names }) => names)
    return groups
  }
}

/** The number of targets of each repository in each state. There are few repositories, so what is kept of them is their text. */
function* repositoryPieces(entries: readonly Entry[]): Generator<Piece> {
  yield head('gitops_repository_targets', 'Number of targets of the repository in the state.')
  for (const { repo, ...summary } of repositorySummaries(entries)) {
    const text = stateLines(`gitops_repository_targets{repo="${escaped(repo)}"`, (state) => summary[state])
    yield { subject: text, values: [], text: () => text }
  }
}

function head(name: string, help: string): Piece {
  return { subject: name, values: [], text: () => `# HELP ${name} ${help}\n# TYPE ${name} gauge\n` }
}

function targetLabels({ repo, server }: Status): string {
  return `repo="${escaped(repo)}",server="${escaped(server)}"`
}

/** The named labels that a target has, as they continue after the value of another, up to the quote that ends theirs. */
function namedLabels({ labels = {} }: Status, names: readonly string[]): string {
  if (names.length === 0) return ''
  const present = names.filter((name) => Object.hasOwn(labels, name))
  return present.map((name) => `",${metricLabelOf(name)}="${escaped(String(labels[name]))}`).join('')
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
