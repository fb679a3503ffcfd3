import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { addressed } from '../data/addressed.ts'
import { now } from '../data/state.ts'
import type { Target } from '../data/targets.ts'
import { CopyButton } from '../parts/copy.tsx'
import { commandsFor } from './commands.ts'

/** Commands for the reader to copy: the page itself changes nothing. */
export function Commands({ target }: { target: Target }): JSX.Element {
  const base = addressed('./').href
  const [asked] = useState(() => now.peek())
  return (
    <section class="commands">
      <h3>Commands</h3>
      {commandsFor(target, base, asked).map(({ title, text, hint }) => (
        <div key={title} class="command">
          <h4>
            {title}
            <CopyButton text={text} what={`the command: ${title}`} />
          </h4>
          <pre tabIndex={0} role="region" aria-label={title}>
            {text}
          </pre>
          <p class="quiet">{hint}</p>
        </div>
      ))}
    </section>
  )
}
