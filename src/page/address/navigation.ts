import { signal } from '@preact/signals'
import { type View, readView, writeView } from './view.ts'

/** The current view. It follows the URL, and the URL follows it. */
export const view = signal<View>(readView(location.search))

/** A change of one of these is a step that Back takes back. */
const STEPS: ReadonlySet<string> = new Set(['target', 'list', 'days', 'kiosk'])

/** Scrolling has come to rest. */
const SCROLLED_MS = 200
/** Waits for that. */
let timer: ReturnType<typeof setTimeout> | undefined

/** Changes the view and the URL. */
export function setView(change: Partial<View>): void {
  const isStep = Object.keys(change).some((name) => STEPS.has(name))
  if (isStep) {
    keepPlace()
    history.pushState({ isInner: true }, '', addressOf(change))
  } else history.replaceState(history.state, '', addressOf(change))
  view.value = { ...view.value, ...change }
  if (isStep) afterDrawing(() => window.scrollTo(0, 0))
}

/** The URL of a view, relative to the page's. */
export function addressOf(change: Partial<View>): string {
  return writeView({ ...view.peek(), ...change }) || './'
}

/** Follows a link within the page, unless the reader wants it elsewhere: in a new tab or window. */
export function follow(event: MouseEvent, change: Partial<View>): void {
  if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  // The end of selecting text is no click. One by the keyboard has no detail.
  if (event.detail === 0 || document.getSelection()?.isCollapsed !== false) setView(change)
}

/** Back and Forward restore the view and its scroll position. */
export function followHistory(): void {
  history.scrollRestoration = 'manual'
  window.addEventListener('scroll', () => {
    clearTimeout(timer)
    timer = setTimeout(keepPlace, SCROLLED_MS)
  })
  window.addEventListener('popstate', () => {
    // The list is not in the URL of a target's page, and stays.
    const read = readView(location.search)
    view.value = read.target === undefined ? read : { ...view.value, target: read.target, theme: read.theme }
    restorePlace()
  })
}

/** Shows the place at which the page was left: after a reload, when the data is there. */
export function restorePlace(): void {
  // The scroll position is that of another view and must not be kept for this one.
  clearTimeout(timer)
  const top = topOf(history.state)
  afterDrawing(() => window.scrollTo(0, top))
}

function keepPlace(): void {
  clearTimeout(timer)
  history.replaceState({ ...stateOf(history.state), top: window.scrollY }, '')
}

/** True if the reader came here from another view of the page, which Back restores. */
export function isInner(): boolean {
  return stateOf(history.state)['isInner'] === true
}

function topOf(state: unknown): number {
  const { top } = stateOf(state)
  return typeof top === 'number' ? top : 0
}

function stateOf(state: unknown): Readonly<Record<string, unknown>> {
  return typeof state === 'object' && state !== null ? { ...state } : {}
}

function afterDrawing(act: () => void): void {
  requestAnimationFrame(() => setTimeout(act))
}
