import { useSignalEffect } from '@preact/signals'
import type { JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { connection, picture } from './state.ts'
import { STATE_WORDS, type Target } from './targets.ts'
import { count, visibleName } from './words.ts'

/** So many changes are named one by one. */
const NAMED_MAX = 3

/** Tells a screen reader what changes, and nothing else. */
export function Announcer(): JSX.Element {
  const [said, say] = useState('')
  const before = useRef<readonly Target[] | undefined>(undefined)
  const wasLost = useRef(false)
  useSignalEffect(() => {
    const lost = connection.value.kind === 'lost'
    // The banner speaks for itself when it comes.
    if (wasLost.current && !lost) say('Connection is back')
    wasLost.current = lost
    const targets = picture.value?.targets
    if (targets === before.current) return
    const changes = before.current === undefined ? [] : changesBetween(before.current, targets ?? [])
    before.current = targets
    if (changes.length > NAMED_MAX) say(`${count(changes.length, 'target has', 'targets have')} changed`)
    else if (changes.length > 0) say(changes.join('; '))
  })
  return (
    <p class="unseen" role="status">
      {said}
    </p>
  )
}

function changesBetween(before: readonly Target[], after: readonly Target[]): string[] {
  const old = new Map(before.map((target) => [target.key, target]))
  const changed = after.flatMap((target) => {
    const was = old.get(target.key)
    old.delete(target.key)
    if (was?.state === target.state && was.files.length === target.files.length) return []
    const files = target.state === 'drift' ? `, ${count(target.files.length, 'file')}` : ''
    return `${nameOf(target)}: ${STATE_WORDS[target.state]}${files}`
  })
  return [...changed, ...[...old.values()].map((target) => `${nameOf(target)}: removed`)]
}

function nameOf({ repo, server }: Target): string {
  return `${visibleName(server)} of ${visibleName(repo)}`
}
