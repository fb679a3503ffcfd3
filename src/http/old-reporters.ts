import type { IncomingMessage } from 'node:http'
import type { Logger } from 'pino'
import type { Target } from '../status/target.ts'

/** The oldest version of the reporter that is safe to use. */
export const OLDEST_SAFE_REPORTER = '0.2.0'

/** The product names in `User-Agent`, and where each reporter is in this repository. Version 0.1 sent curl's own name. */
const REPORTERS: ReadonlyMap<string, string> = new Map([
  ['update-gitops-status', 'reporter/update-gitops-status.sh'],
  ['gitops-report', 'reporter/report.sh'],
])

/** The number of repositories that are remembered. Once it is reached, no more are logged. */
const REPOS_MAX = 1000

/** A name, and a version of one to three numbers. It bounds what is read of the header and what is logged of it. */
const USER_AGENT = new RegExp(String.raw`^(${[...REPORTERS.keys()].join('|')})/(\d{1,5}(?:\.\d{1,5}){0,2})(?: |$)`)

/** Logs one line for each repository whose reporter is older than the oldest safe version. */
export class OldReporters {
  readonly #log: Logger
  readonly #logged = new Set<string>()

  constructor(log: Logger) {
    this.#log = log
  }

  /** Looks at an accepted post of these targets. */
  posted(req: IncomingMessage, targets: readonly Target[]): void {
    const [, reporter = '', version = ''] = USER_AGENT.exec(req.headers['user-agent'] ?? '') ?? []
    const script = REPORTERS.get(reporter)
    if (script === undefined || !isOlder(version, OLDEST_SAFE_REPORTER)) return
    for (const { repo } of targets) {
      if (this.#logged.size >= REPOS_MAX) return
      if (this.#logged.has(repo)) continue
      this.#logged.add(repo)
      const oldestSafe = OLDEST_SAFE_REPORTER
      const detail = `replace the reporter in this repository with ${script} of version ${oldestSafe} or later`
      this.#log.warn({ repo, reporter, version, oldestSafe, detail }, 'reporter is too old')
    }
  }
}

/** Compares versions number by number; a missing number is 0. */
function isOlder(version: string, than: string): boolean {
  const numbers = version.split('.').map(Number)
  const limits = than.split('.').map(Number)
  const differing = limits.findIndex((limit, index) => limit !== (numbers[index] ?? 0))
  return differing !== -1 && (numbers[differing] ?? 0) < (limits[differing] ?? 0)
}
