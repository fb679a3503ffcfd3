import type { JSX } from 'preact'
import { type Target, statesIn, wordOf } from '../data/targets.ts'
import type { Item } from '../listing.ts'
import { Name, StateIcon } from '../parts/parts.tsx'
import { TargetRow } from './target-row.tsx'

export interface Lines {
  readonly lines: readonly Item[]
}

export function Line({ line, id }: { line: Item; id: string }): JSX.Element {
  return line.kind === 'repo' ? <RepoLine line={line} /> : <TargetRow target={line.target} id={id} />
}

function RepoLine({ line: { repo, counts } }: { line: Extract<Item, { kind: 'repo' }> }): JSX.Element {
  return (
    <h3 class="repo-line">
      <Name>{repo}</Name>
      {statesIn(counts).map((state) => (
        <span key={state} class={`word ${state}`}>
          <StateIcon state={state} />
          {counts[state]} <span class="visually-hidden">{wordOf(state)}</span>
        </span>
      ))}
    </h3>
  )
}

export function targetAt(lines: readonly Item[], index: number): Target | undefined {
  const line = lines[index]
  return line?.kind === 'target' ? line.target : undefined
}

/** Moves from the target with the focus to the next or the one before. */
export function onArrow(
  event: KeyboardEvent,
  lines: readonly Item[],
  move: (from: number, step: 1 | -1) => void,
): void {
  const step = ({ ArrowDown: 1, ArrowUp: -1 } as const)[event.key]
  const key = keyIn(event.target)
  if (step === undefined || key === undefined) return
  event.preventDefault()
  move(
    lines.findIndex((line) => line.key === key),
    step,
  )
}

/** The next line with a target in a direction; `from` if there is none. */
export function nextTarget(lines: readonly Item[], from: number, step: 1 | -1): number {
  for (let index = from + step; index >= 0 && index < lines.length; index += step) {
    if (lines[index]?.kind === 'target') return index
  }
  return from
}

/** The button that opens a target. */
export function openerOf(list: HTMLElement | null, key: string | undefined): HTMLElement | undefined {
  return [...(list?.querySelectorAll<HTMLElement>('.opener') ?? [])].find(({ dataset }) => dataset['key'] === key)
}

/** The key of the target if an element is its button. */
export function keyIn(element: EventTarget | null): string | undefined {
  return element instanceof HTMLElement ? element.dataset['key'] : undefined
}
