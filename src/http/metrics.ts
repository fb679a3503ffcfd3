import type { RequestHandler } from 'express'
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { StatusDocument } from '../status/document.ts'
import type { Receipt } from '../status/merge.ts'
import type { Steps } from '../steps.ts'
import type { CommitEvents, Store } from '../store/store.ts'
import { sendChunks } from './chunks.ts'
import { KeptGzip, type Piece } from './kept-gzip.ts'
import { PROBLEMS, type ProblemCode } from './problems.ts'
import { TargetMetrics, type TargetMetricsOptions } from './target-metrics.ts'

const OWN = 'gitops_status_server_'
/** Gauges of prom-client whose names end in `_total`, which is for counters. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

/** The metrics of the server and of every target. */
export class Metrics implements CommitEvents {
  readonly #own = new Registry()
  readonly #targets: TargetMetrics
  readonly #gzip = new KeptGzip()
  readonly #snapshots = this.#counter('snapshots_total', 'Posted snapshots by result.', 'result')
  readonly #refusals = this.#counter('refusals_total', 'Refused requests by problem code.', 'problem')
  readonly #requests = this.#counter('http_requests_total', 'Responses by route and status class.', 'route', 'status')
  /** Answers since the last scrape, by route and status. A counter of prom-client would take a good part of the time of an answer. */
  readonly #answers = new Map<string, Map<number, number>>()
  readonly #edits = this.#counter('edits_total', 'Edits of status.json by result.', 'outcome')
  readonly #commits = this.#counter('commits_total', 'Writes of the document.')
  readonly #failures = this.#counter(
    'commit_failures_total',
    'Failed writes of the document; none of their snapshots was acknowledged.',
  )
  readonly #seconds = new Histogram({
    name: `${OWN}commit_duration_seconds`,
    help: 'Time until a write of the document was on disk.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers: [this.#own],
  })
  readonly #batch = new Histogram({
    name: `${OWN}commit_requests`,
    help: 'Number of requests in a write of the document.',
    buckets: [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
    registers: [this.#own],
  })
  readonly #rejectedEdit = this.#gauge('rejected_edit', '1 while there is an invalid edit.')
  readonly #internalError = this.#gauge('internal_error', '1 after an internal error, until a later write has none.')
  readonly #ready = this.#gauge('ready', '1 while the document can be written.')
  readonly #historyRows = this.#gauge('history_rows_waiting', 'Rows of the history that could not be written yet.')
  readonly #generation = this.#gauge('document_generation', 'Generation of the document.')
  readonly #bytes = this.#gauge('document_bytes', 'Size of the document.')
  readonly #entries = this.#gauge('document_entries', 'Number of targets in the document.')

  constructor(version: string, targets: TargetMetricsOptions = {}) {
    this.#targets = new TargetMetrics(targets)
    for (const result of ['created', 'updated', 'ignored']) this.#snapshots.inc({ result }, 0)
    for (const problem of Object.keys(PROBLEMS)) this.#refusals.inc({ problem }, 0)
    for (const outcome of ['merged', 'rejected']) this.#edits.inc({ outcome }, 0)
    const build = { name: `${OWN}build_info`, help: 'Always 1.', labelNames: ['version'], registers: [this.#own] }
    new Gauge(build).set({ version }, 1)
    collectDefaultMetrics({ register: this.#own })
    for (const name of MISNAMED) this.#own.removeSingleMetric(name)
  }

  committed(ms: number, requests: number): void {
    this.#commits.inc()
    this.#seconds.observe(ms / 1000)
    this.#batch.observe(requests)
  }

  commitFailed(): void {
    this.#failures.inc()
  }

  edited(outcome: 'merged' | 'rejected'): void {
    this.#edits.inc({ outcome })
  }

  received(receipts: readonly Receipt[]): void {
    for (const { result } of receipts) this.#snapshots.inc({ result })
  }

  refused(problem: ProblemCode): void {
    this.#refusals.inc({ problem })
  }

  /** Counts an answer. `route` is the path of a route and never one that a client has made up, or series would be without end. */
  countAnswer(route: string, status: number): void {
    const tally = this.#answers.get(route) ?? new Map<number, number>()
    this.#answers.set(route, tally.set(status, (tally.get(status) ?? 0) + 1))
  }

  /** Makes of a document, step by step, what the first scrape would wait for. */
  *prepare(document: StatusDocument): Steps<void> {
    const chunks = this.#gzip.compress(this.#targets.pieces(document))
    while (chunks.next().done !== true) yield
  }

  /** Answers a scrape, from one document: the answer to a slow client may outlast it. */
  expose(store: Pick<Store, 'published' | 'health'>): RequestHandler {
    return async (req, res) => {
      const { published, health } = store
      const has = (trouble: string): number => (health.troubles.some(({ kind }) => kind === trouble) ? 1 : 0)
      this.#rejectedEdit.set(has('rejected-edit'))
      this.#internalError.set(has('internal-error'))
      this.#ready.set(health.canCommit ? 1 : 0)
      this.#historyRows.set(health.historyRowsWaiting)
      this.#generation.set(published.document.generation)
      this.#bytes.set(published.bytes.length)
      this.#entries.set(published.document.entries.length)
      this.#countAnswers()
      const own = await this.#own.metrics()
      res.set({ 'Content-Type': this.#own.contentType, 'Cache-Control': 'no-store' })
      const pieces = this.#pieces(published.document, own)
      if (req.method === 'HEAD') {
        res.end()
      } else if (req.acceptsEncodings('gzip', 'identity') === 'gzip') {
        res.set('Content-Encoding', 'gzip')
        await sendChunks(req, res, this.#gzip.compress(pieces))
      } else {
        await sendChunks(req, res, textsOf(pieces))
      }
    }
  }

  *#pieces(document: StatusDocument, own: string): Generator<Piece> {
    yield* this.#targets.pieces(document)
    yield { subject: own, values: [], text: () => `\n${own}` }
  }

  #countAnswers(): void {
    for (const [route, tally] of this.#answers) {
      for (const [status, answers] of tally) this.#requests.inc({ route, status: classOf(status) }, answers)
    }
    this.#answers.clear()
  }

  #counter(name: string, help: string, ...labelNames: string[]): Counter {
    return new Counter({ name: OWN + name, help, labelNames, registers: [this.#own] })
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name: OWN + name, help, registers: [this.#own] })
  }
}

function classOf(status: number): string {
  return `${Math.floor(status / 100)}xx`
}

function* textsOf(pieces: Iterable<Piece>): Generator<Buffer> {
  for (const { text } of pieces) yield Buffer.from(text())
}
