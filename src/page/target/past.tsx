import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { useAnswer } from '../data/answer.ts'
import { type Change, type Named, type Shares, changesOf, sharesOf, stretchesOf } from '../data/history.ts'
import { hasServer, now, tenMinutes } from '../data/state.ts'
import type { Target } from '../data/targets.ts'
import { Axis } from '../parts/axis.tsx'
import { ChangeList } from '../parts/change-list.tsx'
import { Strip } from '../parts/strip.tsx'
import { count, toTheMinute } from '../words.ts'

const DAYS = 90
const PAST_MS = DAYS * 24 * 3600 * 1000
const CHANGES_MAX = 200

/** The known history of a target. */
type Known =
  | { readonly kind: 'asking' }
  | { readonly kind: 'failed' }
  | { readonly kind: 'known'; readonly changes: readonly Change[]; readonly shares: Shares | undefined }

interface PastProps {
  readonly target: Named & Pick<Target, 'key'>
  /** Another one: it has changed, and so has its history. */
  readonly mark: string
}

/** The history of a target. */
export function Past({ target, mark }: PastProps): JSX.Element {
  const past = usePast(target, mark)
  return (
    <section class="past">
      <h3>Last {DAYS} days</h3>
      {!hasServer.value ? (
        <p class="quiet">
          No history: this page reads a copy of status.json, and gitops-status-server does not answer at this address.
        </p>
      ) : past.kind === 'asking' ? (
        <p class="quiet">Loading…</p>
      ) : past.kind === 'failed' ? (
        <p class="quiet">The server does not answer. The page tries again.</p>
      ) : (
        <Days {...past} />
      )}
    </section>
  )
}

function Days({ changes, shares }: Extract<Known, { kind: 'known' }>): JSX.Element {
  const first = changes[0]
  const log = changes.filter((each) => each.changes.length > 0).toReversed()
  return (
    <>
      <Strip stretches={stretchesOf(changes)} ms={PAST_MS} label={`Last ${DAYS} days`} isWide />
      <Axis ms={PAST_MS} />
      {(first === undefined || first.time > now.value - PAST_MS) && (
        <p class="quiet">
          {first === undefined ? 'No history for this time.' : `No history before ${toTheMinute(first.time)}.`}
        </p>
      )}
      {shares !== undefined && <SharesLine shares={shares} />}
      <h3>Changes</h3>
      {log.length === 0 ? (
        <p class="quiet">No changes in this time.</p>
      ) : (
        <ChangeList changes={log.slice(0, CHANGES_MAX)} isOfOne />
      )}
      {log.length > CHANGES_MAX && <p class="quiet">And {count(log.length - CHANGES_MAX, 'older change')}.</p>}
    </>
  )
}

/** The time in sync in per cent, beside the unknown time, which does not count as in sync. */
function SharesLine({ shares: { synced, drifted, accepted, unknown } }: { shares: Shares }): JSX.Element {
  return (
    <p class="shares">
      <b>{percent(synced)}</b> of the time in sync, <b>{percent(unknown)}</b> unknown, {percent(drifted)} out of sync,{' '}
      {percent(accepted)} accepted.
    </p>
  )
}

/** Rounded down, as the server does: 99.999 % is not 100 %. What is there is not 0 %. */
function percent(share: number): string {
  const hundredths = Math.floor(share * 10_000 + 1e-6)
  return share > 0 && hundredths === 0 ? '< 0.01 %' : `${hundredths / 100} %`
}

function usePast(target: PastProps['target'], mark: string): Known {
  const [past, setPast] = useState<Known>({ kind: 'asking' })
  const ask = async (): Promise<Known> => {
    const end = now.peek()
    const [changes, shares] = await Promise.all([
      changesOf([target], end - PAST_MS),
      sharesOf(target, end - PAST_MS, end),
    ])
    return { kind: 'known', changes: changes.get(target.key) ?? [], shares }
  }
  useAnswer(hasServer.value ? ask : undefined, (answer) => setPast(answer ?? { kind: 'failed' }), [
    target.key,
    mark,
    tenMinutes.value,
  ])
  return past
}
