import type { RequestHandler } from 'express'
import type { Logger } from 'pino'
import { type Fault, duplicateFaults } from '../status/json.ts'
import { type Receipt, mergePosted } from '../status/merge.ts'
import type { FailedCheck, Snapshot } from '../status/schema.ts'
import { readPosted } from '../status/snapshot.ts'
import type { Store } from '../store/store.ts'
import { type Access, summaryOf } from './access.ts'
import { invalidBody, readJson, receiveJson } from './body.ts'
import { JSON_HEADERS } from './headers.ts'
import type { Metrics } from './metrics.ts'
import { OldReporters } from './old-reporters.ts'
import { Problem } from './problems.ts'
import { requestIdOf } from './request.ts'

/** The largest answer: the receipts of a small body can hold large entries, the same one many times. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024

export interface IngestOptions {
  readonly store: Pick<Store, 'submit'>
  readonly metrics: Pick<Metrics, 'received'>
  readonly access: Access
  /** Refuses snapshots that have differences as text. */
  readonly refuseDiffs: boolean
  readonly log: Logger
}

/** Merges posted snapshots. Answers once they are safely on disk: 201 if one of them made a new target. */
export function ingest({ store, metrics, access, refuseDiffs, log }: IngestOptions): RequestHandler[] {
  const oldReporters = new OldReporters(log)
  return [
    ...receiveJson(),
    async (req, res) => {
      const { value: posted, text } = readJson(req.body)
      const snapshots = readPosted(posted, Date.now())
      if (!snapshots.ok) throw invalidBody('invalid-snapshot', snapshots.faults)
      const duplicates = duplicateFaults(text, posted)
      if (duplicates.length > 0) throw invalidBody('invalid-snapshot', duplicates)
      const pointers = Array.isArray(posted) ? snapshots.value.map((_, index) => `/${index}`) : []
      access.permit(req, 'write', snapshots.value, pointers)
      const refused = refuseDiffs ? diffFaults(snapshots.value, pointers) : []
      if (refused.length > 0) throw invalidBody('invalid-snapshot', refused)
      const by = access.actorOf(req)
      const receipts = await store.submit((draft) => {
        let bytes = 0
        return snapshots.value.map((snapshot) => {
          const receipt = mergePosted(draft, snapshot, by)
          bytes += draft.get(snapshot)?.bytes ?? 0
          if (bytes <= ANSWER_BYTES_MAX) return receipt
          throw new Problem(
            'too-large',
            'the answer has the entry of each snapshot and would exceed 16 MiB; post fewer snapshots at once',
          )
        })
      })
      metrics.received(receipts)
      log.info(
        { request: requestIdOf(req), ...by, ...summaryOf(snapshots.value), results: countResults(receipts) },
        'posted',
      )
      oldReporters.posted(req, snapshots.value)
      const answer = Array.isArray(posted) ? receipts : (receipts[0] satisfies Receipt | undefined)
      const body = Buffer.from(JSON.stringify(answer))
      // Express would compute an ETag, which the answer to a POST does not need.
      res.writeHead(receipts.some(({ result }) => result === 'created') ? 201 : 200, {
        'Content-Type': JSON_HEADERS['Content-Type'],
        'Content-Length': body.length,
      })
      res.end(body)
    },
  ]
}

/** The differences as text, each as a fault. */
function diffFaults(posted: readonly (Snapshot | FailedCheck)[], pointers: readonly string[]): Fault[] {
  const detail = 'must not be present: this server accepts no differences as text (REFUSE_DIFFS)'
  return posted.flatMap((each, index) =>
    ('check_failed' in each ? [] : each.files).flatMap(({ diff }, number) =>
      diff === undefined ? [] : { pointer: `${pointers[index] ?? ''}/files/${number}/diff`, detail },
    ),
  )
}

function countResults(receipts: readonly Receipt[]): Partial<Record<Receipt['result'], number>> {
  const counts: Partial<Record<Receipt['result'], number>> = {}
  for (const { result } of receipts) counts[result] = (counts[result] ?? 0) + 1
  return counts
}
