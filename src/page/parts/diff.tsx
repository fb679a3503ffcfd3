import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import { CopyButton } from './copy.tsx'
import { type DiffLine, diffLines } from './diff-lines.ts'
import { count, visible, visibleName } from '../words.ts'

/** So much is drawn at first. */
const LINES_MAX = 400
const LENGTH_MAX = 64 * 1024
/** The lines of a block are laid out when they come into sight. */
const BLOCK_LINES = 100

/** True if long lines are wrapped, in all differences. */
const isWrapped = signal(false)

/** The difference of a file, as a unified diff from the server to Git. */
export function Diff({ text, name }: { text: string; name: string }): JSX.Element {
  const [isWhole, showAll] = useState(false)
  const all = useMemo(() => text.replace(/\n$/, '').split('\n'), [text])
  const shown = useMemo(() => diffLines(isWhole ? all : beginningOf(all)), [all, isWhole])
  const hidden = all.length - shown.length
  return (
    <figure class="diff">
      <figcaption>
        <span class="removed">− on the server</span> <span class="added">+ in Git</span>
        <span class="tools">
          <button
            type="button"
            class="action"
            aria-pressed={isWrapped.value}
            onClick={() => (isWrapped.value = !isWrapped.value)}
          >
            Wrap
          </button>
          <CopyButton text={text} what={`the difference of ${visibleName(name)}`} />
        </span>
      </figcaption>
      <pre
        class={isWrapped.value ? 'wrapped' : ''}
        tabIndex={0}
        role="region"
        aria-label={`Difference of ${visibleName(name)}: - on the server, + in Git`}
      >
        <Lines lines={shown} />
      </pre>
      {hidden > 0 && (
        <button type="button" class="action" onClick={() => showAll(true)}>
          Show {count(hidden, 'more line')}
        </button>
      )}
    </figure>
  )
}

/** As many lines as are drawn at first, one at least. */
function beginningOf(lines: readonly string[]): readonly string[] {
  let length = 0
  const end = lines.slice(0, LINES_MAX).findIndex((line) => (length += line.length) > LENGTH_MAX)
  return lines.slice(0, end === -1 ? LINES_MAX : Math.max(1, end))
}

function Lines({ lines }: { lines: readonly DiffLine[] }): JSX.Element {
  const blocks = Array.from({ length: Math.ceil(lines.length / BLOCK_LINES) }, (_, index) =>
    lines.slice(index * BLOCK_LINES, (index + 1) * BLOCK_LINES),
  )
  const highest = lines.reduce((most, { onServer, inGit }) => Math.max(most, onServer ?? 0, inGit ?? 0), 0)
  const digits = String(highest).length
  return (
    <>
      {blocks.map((block, index) => (
        <span key={index} class={`block digits-${Math.min(digits, 7)}`}>
          {block.map((line, number) => (
            <Line key={number} line={line} />
          ))}
        </span>
      ))}
    </>
  )
}

const SIGNS = { head: '', removed: '-', added: '+', same: ' ' } as const

function Line({ line: { kind, parts, onServer, inGit } }: { line: DiffLine }): JSX.Element {
  return (
    <span class={`line ${kind}`} data-server={onServer} data-git={inGit}>
      {SIGNS[kind]}
      {parts.map(({ text, isChanged }, index) => {
        const shown = visible(text.replaceAll('\t', '    '))
        return isChanged ? <em key={index}>{shown}</em> : shown
      })}
      {'\n'}
    </span>
  )
}
