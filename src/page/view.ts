import { STATES, type State } from './targets.ts'

/** What the page shows of the document. It is part of the URL, so that a view can be shared. */
export interface View {
  readonly query: string
  /** The states to list; empty: all. */
  readonly states: ReadonlySet<State>
  readonly grouped: boolean
  /** For a wall: large, without controls. */
  readonly kiosk: boolean
}

/** Reads the view from the query of a URL. */
export function readView(search: string): View {
  const parameters = new URLSearchParams(search)
  const states = (parameters.get('status') ?? '').split(',')
  return {
    query: parameters.get('q') ?? '',
    states: new Set(STATES.filter((state) => states.includes(state))),
    grouped: parameters.get('group') === 'repo',
    kiosk: parameters.has('kiosk'),
  }
}

/** The query of the URL of a view; empty for the default. */
export function writeView({ query, states, grouped, kiosk }: View): string {
  const parts = [
    query === '' ? '' : `q=${encodeURIComponent(query)}`,
    states.size === 0 ? '' : `status=${STATES.filter((state) => states.has(state)).join(',')}`,
    grouped ? 'group=repo' : '',
    kiosk ? 'kiosk' : '',
  ].filter(Boolean)
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}
