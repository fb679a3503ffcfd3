import { sum } from './numbers.ts'

/** What of a trace of Chromium is needed. */
export const CATEGORIES = ['devtools.timeline', 'disabled-by-default-devtools.timeline', 'blink.user_timing']

/** What an update takes of the page's main thread, in ms. */
export interface MainThread {
  /** All tasks together, with the frame: style, layout and paint, as far as they are done by this thread. */
  readonly tasks: number
  /** The same without the time during which the thread waited, for a core or for threads that help it. */
  readonly cpu: number
  readonly longest: number
  /** Garbage collection within the tasks; what V8 puts off until after the frame is not counted. */
  readonly garbage: number
}

/**
 * The tasks of the page's main thread from the arrival of the head of the new document to the end of the frame that shows
 * it: a task that is partly in this time counts with that part. Playwright's debugger keeps a copy of each answer, which
 * takes about 10 ms of this time for 3 MB, whatever the page does.
 *
 * @param trace in JSON
 * @param shown the name of a user timing that ends when the document is shown
 */
export function mainThread(trace: string, shown: string): MainThread {
  const { traceEvents } = parsed(trace)
  const end = traceEvents.find(({ cat, name, ph }) => cat === 'blink.user_timing' && name === shown && ph === 'e')
  const events = traceEvents.filter(({ pid, tid }) => pid === end?.pid && tid === end.tid)
  const asked = new Set(
    events
      .filter(({ name, args }) => name === 'ResourceSendRequest' && args.data?.url?.endsWith('/status.json'))
      .map(idOf),
  )
  const begin = events.find(
    (event) =>
      event.name === 'ResourceReceiveResponse' && asked.has(idOf(event)) && event.args.data?.statusCode === 200,
  )
  if (begin === undefined || end === undefined)
    throw new Error('the trace has no new document, or nothing that shows it')
  const within = (event: TraceEvent): number =>
    Math.max(0, Math.min(event.ts + (event.dur ?? 0), end.ts) - Math.max(event.ts, begin.ts)) / 1000
  const tasks = events.filter((event) => event.name === 'RunTask' && within(event) > 0)
  const collections = events.filter(({ name }) => name === 'MinorGC' || name === 'MajorGC')
  return {
    tasks: sum(tasks.map(within)),
    cpu: sum(tasks.map((task) => within(task) * ((task.tdur ?? 0) / (task.dur ?? 1)))),
    longest: Math.max(...tasks.map(within)),
    garbage: sum(collections.map(within)),
  }
}

interface Trace {
  readonly traceEvents: readonly TraceEvent[]
}

/** Times in µs; `tdur` is that of the thread's own clock. */
interface TraceEvent {
  readonly cat: string
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  readonly ts: number
  readonly dur?: number
  readonly tdur?: number
  readonly args: {
    readonly data?: { readonly requestId?: string; readonly url?: string; readonly statusCode?: number }
  }
}

function idOf({ args }: TraceEvent): string | undefined {
  return args.data?.requestId
}

function parsed(trace: string): Trace {
  const value: unknown = JSON.parse(trace)
  if (!isTrace(value)) throw new Error('this is no trace')
  return value
}

function isTrace(value: unknown): value is Trace {
  return typeof value === 'object' && value !== null && 'traceEvents' in value && Array.isArray(value.traceEvents)
}
