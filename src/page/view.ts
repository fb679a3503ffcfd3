import { STATES, type State } from './targets.ts'

/** What is listed: a line for each target, for each name that differs, or for each repository. */
export const LISTS = ['servers', 'files', 'repositories'] as const
export type List = (typeof LISTS)[number]

/** The order of the servers. `worst`: by state, and in it those that have been in it for longest first. */
export const ORDERS = ['worst', 'newest', 'name'] as const
export type Order = (typeof ORDERS)[number]

/** What the page shows of the document. It is part of the URL, so that a view can be shared. */
export interface View {
  readonly list: List
  readonly order: Order
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
    list: LISTS.find((list) => list === parameters.get('list')) ?? 'servers',
    order: ORDERS.find((order) => order === parameters.get('order')) ?? 'worst',
    query: parameters.get('q') ?? '',
    states: new Set(STATES.filter((state) => states.includes(state))),
    grouped: parameters.get('group') === 'repo',
    kiosk: parameters.has('kiosk'),
  }
}

/** The query of the URL of a view; empty for the default. */
export function writeView({ list, order, query, states, grouped, kiosk }: View): string {
  const parts = [
    list === 'servers' ? '' : `list=${list}`,
    query === '' ? '' : `q=${encodeURIComponent(query)}`,
    states.size === 0 ? '' : `status=${STATES.filter((state) => states.has(state)).join(',')}`,
    order === 'worst' ? '' : `order=${order}`,
    grouped ? 'group=repo' : '',
    kiosk ? 'kiosk' : '',
  ].filter(Boolean)
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}
