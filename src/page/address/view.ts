import { STATES, type State } from '../data/targets.ts'

/** The kind of the list: a line for each target, for each name that differs, for each repository, or for each change. */
export const LISTS = ['servers', 'files', 'repositories', 'activity'] as const
export type List = (typeof LISTS)[number]

/** The order of the servers. `worst`: by state, and in it those that have been in it for longest first. */
export const ORDERS = ['worst', 'newest', 'name'] as const
export type Order = (typeof ORDERS)[number]

/** The number of days of activity that are shown. */
export const DAYS = [1, 7, 90] as const
export type Days = (typeof DAYS)[number]

/** The colours; `undefined`: as the system has them. */
export const THEMES = ['light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

/** The part of the document that the page shows. It is in the URL, so that a view can be shared. */
export interface View {
  /** The target whose page is shown in place of a list. */
  readonly target: { readonly repo: string; readonly server: string } | undefined
  readonly list: List
  readonly order: Order
  readonly days: Days
  readonly query: string
  /** The states to list; empty: all. */
  readonly states: ReadonlySet<State>
  readonly grouped: boolean
  /** For a wall: large, without controls. */
  readonly kiosk: boolean
  readonly theme: Theme | undefined
}

/** Reads the view from the query of a URL. */
export function readView(search: string): View {
  const parameters = new URLSearchParams(search)
  const states = (parameters.get('status') ?? '').split(',')
  const [repo, server] = [parameters.get('repo'), parameters.get('server')]
  const target = repo === null || server === null ? undefined : { repo, server }
  return {
    target,
    list: LISTS.find((list) => list === parameters.get('list')) ?? 'servers',
    order: ORDERS.find((order) => order === parameters.get('order')) ?? 'worst',
    days: DAYS.find((days) => String(days) === parameters.get('days')) ?? 1,
    query: parameters.get('q') ?? '',
    states: new Set(STATES.filter((state) => states.includes(state))),
    grouped: parameters.get('group') === 'repo',
    kiosk: target === undefined && parameters.has('kiosk'),
    theme: THEMES.find((theme) => theme === parameters.get('theme')),
  }
}

/** The query of the URL of a view; empty for the default. The page of a target says nothing of the list. */
export function writeView({ target, list, order, days, query, states, grouped, kiosk, theme }: View): string {
  const ofTarget = target === undefined ? [] : [`repo=${encode(target.repo)}`, `server=${encode(target.server)}`]
  const ofList = [
    list === 'servers' ? '' : `list=${list}`,
    query === '' ? '' : `q=${encode(query)}`,
    states.size === 0 ? '' : `status=${STATES.filter((state) => states.has(state)).join(',')}`,
    order === 'worst' ? '' : `order=${order}`,
    list !== 'activity' || days === 1 ? '' : `days=${days}`,
    grouped ? 'group=repo' : '',
    kiosk ? 'kiosk' : '',
  ]
  const parts = [...(target === undefined ? ofList : ofTarget), theme === undefined ? '' : `theme=${theme}`]
  const written = parts.filter(Boolean).join('&')
  return written === '' ? '' : `?${written}`
}

/** Half of a surrogate pair cannot be encoded; such a name cannot be posted, but may stand in a copy. */
function encode(text: string): string {
  return encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, '\uFFFD'))
}
