import type { JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { requestStrips } from '../data/strips.ts'
import { Line, type Lines, nextTarget, onArrow, openerOf, targetAt } from './lines.tsx'

/** Every line, laid out by the browser when it comes into sight. */
export function WholeList({ lines }: Lines): JSX.Element {
  const list = useRef<HTMLUListElement>(null)
  const seen = useRef(new Set<Element>())
  const strips = (): void =>
    requestStrips([...seen.current].flatMap((line) => targetAt(lines, Number(line.getAttribute('data-index'))) ?? []))
  const [observer] = useState(
    () =>
      new IntersectionObserver(
        (entries) => {
          for (const { target, isIntersecting } of entries) {
            if (isIntersecting) seen.current.add(target)
            else seen.current.delete(target)
          }
          latest.current()
        },
        { rootMargin: '50%' },
      ),
  )
  const latest = useRef(strips)
  latest.current = strips
  useLayoutEffect(() => {
    for (const line of list.current?.children ?? []) observer.observe(line)
    for (const line of seen.current) if (!line.isConnected) seen.current.delete(line)
  })
  useEffect(strips)
  useEffect(() => () => observer.disconnect(), [observer])
  const move = (from: number, step: 1 | -1): void => {
    const key = lines[nextTarget(lines, from, step)]?.key
    openerOf(list.current, key)?.focus()
  }
  return (
    <ul ref={list} class="targets whole" role="list" onKeyDown={(event) => onArrow(event, lines, move)}>
      {lines.map((line, index) => (
        <li key={line.key} data-index={index}>
          <Line line={line} id={`line-${index}`} />
        </li>
      ))}
    </ul>
  )
}
