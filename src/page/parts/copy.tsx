import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'

const SAID_MS = 2000

/** A button that copies a text to the clipboard. */
export function CopyButton({ text, what }: { text: string; what: string }): JSX.Element {
  const [outcome, setOutcome] = useState<'copied' | 'failed' | undefined>(undefined)
  useEffect(() => {
    if (outcome === undefined) return undefined
    const timer = setTimeout(() => setOutcome(undefined), SAID_MS)
    return () => clearTimeout(timer)
  }, [outcome])
  const onClick = (): void => void copy(text).then((done) => setOutcome(done ? 'copied' : 'failed'))
  return (
    <button type="button" class="action copy" onClick={onClick}>
      {outcome === undefined ? 'Copy' : outcome === 'copied' ? 'Copied' : 'Not copied'}
      <span class="visually-hidden" aria-live="polite">
        {' '}
        {what}
      </span>
    </button>
  )
}

/** Copies a text; false if the browser does not let it. */
async function copy(text: string): Promise<boolean> {
  // Browsers give access to the clipboard only if the page came by TLS or from this machine.
  if (!('clipboard' in navigator)) return copyBySelection(text)
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copyBySelection(text)
  }
}

function copyBySelection(text: string): boolean {
  const field = document.createElement('textarea')
  field.value = text
  field.className = 'visually-hidden'
  document.body.append(field)
  field.select()
  // The one way without TLS, in all browsers.
  // oxlint-disable-next-line no-deprecated
  const done = document.execCommand('copy')
  field.remove()
  return done
}
