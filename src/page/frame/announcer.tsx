import { useSignalEffect } from '@preact/signals'
import type { JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { connection, targets } from '../data/state.ts'
import { type Target, titleOf } from '../data/targets.ts'
import { count, differences, visibleName } from '../words.ts'

/** More changes than this are announced as a number. */
const NAMED_MAX = 3

/** Announces changes to screen readers. */
export function Announcer(): JSX.Element {
  const [message, announce] = useState('')
  const before = useRef<readonly Target[] | undefined>(undefined)
  const wasLost = useRef(false)
  useSignalEffect(() => {
    const lost = connection.value.kind === 'lost'
    // The banner of a lost connection is an alert and announces itself.
    if (wasLost.current && !lost) announce('Connection restored')
    wasLost.current = lost
    const present = targets.value
    if (present === before.current) return
    const changes = before.current === undefined ? [] : changesBetween(before.current, present ?? [])
    before.current = present
    if (changes.length > NAMED_MAX) announce(`${count(changes.length, 'target has', 'targets have')} changed`)
    else if (changes.length > 0) announce(changes.join('; '))
  })
  return (
    <p class="visually-hidden" role="status">
      {message}
    </p>
  )
}

function changesBetween(before: readonly Target[], after: readonly Target[]): string[] {
  const old = new Map(before.map((target) => [target.key, target]))
  const changed = after.flatMap((target) => {
    const was = old.get(target.key)
    old.delete(target.key)
    if (was?.state === target.state && was.files.length === target.files.length) return []
    const isDrifted = target.files.length > 0 && (target.state === 'drift' || target.state === 'accepted')
    return `${nameOf(target)}: ${titleOf(target.state)}${isDrifted ? `, ${differences(target.files)}` : ''}`
  })
  return [...changed, ...[...old.values()].map((target) => `${nameOf(target)}: removed`)]
}

function nameOf({ repo, server }: Target): string {
  return `${visibleName(server)} of ${visibleName(repo)}`
}
