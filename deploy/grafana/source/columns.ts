import { STATE_WORDS } from '../../../src/views/words.ts'
import {
  CHECK_STEPS,
  COMMIT,
  DIFFERENCE,
  DRIFT_STEPS,
  type Look,
  PIPELINE,
  STATE,
  STATE_COLORS,
  TIME,
  WHOLE,
  age,
  countOf,
  linksTo,
  width,
} from './looks.ts'
import type { Column } from './panels.ts'

const STATUS_PAGE =
  '${status_page}/?repo=${__data.fields.Repository:percentencode}&server=${__data.fields.Server:percentencode}'
const TARGET = [
  '/d/gitops-target?${datasource:queryparam}',
  'var-repo=${__data.fields.Repository:percentencode}',
  'var-server=${__data.fields.Server:percentencode}',
  '${__url_time_range}',
].join('&')

const text = (name: string, title: string, ...looks: Look[]): Column => ({
  name,
  title,
  type: 'string',
  look: looks.flat(),
})
const number = (name: string, title: string, look: Look): Column => ({ name, title, type: 'number', look })
const time = (name: string, title: string): Column => ({ name, title, type: 'timestamp', look: TIME })

const REPOSITORY = text('repo', 'Repository', WHOLE, width(130))
const SERVER = text('server', 'Server', WHOLE, linksTo('This target', TARGET))
const STATUS = text('status', 'Status', STATE, linksTo('On the status page', STATUS_PAGE, true))
const WHAT_DIFFERS = text('what', 'Differences', WHOLE)
const REASON = text('reason', 'Why', WHOLE)
const COMMIT_OF = text('commit', 'Commit', COMMIT)
const BRANCH = text('branch', 'Branch', width(85))
const CHECKED_BY = text('pipeline_url', 'Checked by', PIPELINE)

/** Of `/api/targets`: which targets are not in sync. */
export const TARGETS: readonly Column[] = [
  STATUS,
  REPOSITORY,
  SERVER,
  number('since_seconds', 'For', age(DRIFT_STEPS)),
  WHAT_DIFFERS,
  REASON,
  number('last_check_seconds', 'Checked', age(CHECK_STEPS)),
  COMMIT_OF,
  BRANCH,
  CHECKED_BY,
]

/** Fields of `/api/targets` that tiles show for one target. */
export const TARGET_TILES = TARGETS.filter(({ title }) => ['Status', 'For', 'Checked'].includes(title))

/** Of `/api/targets`: what is known of one target. */
export const TARGET_DETAILS: readonly Column[] = [
  WHAT_DIFFERS,
  REASON,
  time('accepted_until', 'Accepted until'),
  time('last_check', 'Last check'),
  COMMIT_OF,
  BRANCH,
  text('labels', 'Labels', WHOLE),
  CHECKED_BY,
]

/** Of `/api/repositories`. */
export const REPOSITORIES: readonly Column[] = [
  text('repo', 'Repository', WHOLE),
  number('drifted', 'Out of sync', countOf(STATE_COLORS.drifted, 95)),
  number('failing', 'Failing', countOf(STATE_COLORS.failing, 72)),
  number('missing', 'Never checked', countOf(STATE_COLORS.missing, 130)),
  number('stale', 'Stale', countOf(STATE_COLORS.stale, 65)),
  number('accepted', 'Accepted', countOf(STATE_COLORS.accepted, 82)),
  number('synced', 'In sync', countOf(STATE_COLORS.synced, 72)),
  number('newest_check_seconds', 'Checked', age(CHECK_STEPS)),
]

/** Of `/api/files?by=file`: one line for a file, however many servers. */
export const FILES: readonly Column[] = [
  text('name', 'File', WHOLE),
  text('repo', 'Repository', WHOLE, width(130)),
  number('servers', 'Servers', width(75)),
  number('since_seconds', 'Since', age(DRIFT_STEPS)),
]

/** Of `/api/files`: what differs on one target. */
export const DIFFERENCES: readonly Column[] = [
  text('name', 'Differences', WHOLE, width(320)),
  number('since_seconds', 'For', age(DRIFT_STEPS)),
  text('line', 'Difference', DIFFERENCE),
]

/**
 * A row for each line: the table gives a text of several lines the height of one if it is short. Blanks that lines begin
 * with would not be shown.
 */
export const DIFFERENCES_JQ = `[.[] | . as $of | (.diff // "" | rtrimstr("\\n") | split("\\n") | to_entries[])
| (if .key == 0 then {name: $of.name, since_seconds: $of.since_seconds} else {} end) +
  {line: (.value | gsub("\\t"; "    ") | gsub(" "; "\\u00a0"))}] | .[:500]`

/** Of `/api/history`, as `CHANGES_JQ` makes it. */
export const CHANGES: readonly Column[] = [
  time('time', 'Time'),
  text('status', 'Became', STATE),
  REPOSITORY,
  SERVER,
  text('what', 'Differences', WHOLE),
  text('cause', 'Seen by', width(90)),
  text('token', 'Token', width(90)),
  COMMIT_OF,
  CHECKED_BY,
]

/** Of `/api/history`: without what is the same in all rows. */
export const CHANGES_OF_ONE = CHANGES.filter((column) => column !== REPOSITORY && column !== SERVER)

/** Version 0.1 wrote no state into the history. */
export const CHANGES_JQ = `map({time, repo, server, cause, token, commit, pipeline_url,
  status: (if .state == null and .sync_status == null then "removed" else
    ${JSON.stringify(Object.fromEntries(STATE_WORDS))}[.state //
    (if .stale then "stale" elif .sync_status == "SYNCED" then "synced" else "drifted" end)] end),
  what: (.files | (.[:3] | join(", ")) + (if length > 3 then " and \\(length - 3) more" else "" end))})`

/** Of the metrics. */
export const PROMETHEUS_TARGETS: readonly Column[] = [
  text('state', 'Status', STATE, linksTo('On the status page', STATUS_PAGE, true)),
  REPOSITORY,
  text('server', 'Server', WHOLE),
  number('Value #since', 'Differs for', age(DRIFT_STEPS)),
  number('Value #files', 'Differences', width(95)),
  number('Value #checked', 'Checked', age(CHECK_STEPS)),
  COMMIT_OF,
]

/** Of the metrics. */
export const PROMETHEUS_REPOSITORIES: readonly Column[] = REPOSITORIES.filter(
  ({ name }) => name !== 'newest_check_seconds',
).map((column) => (column === REPOSITORIES[0] ? { ...column, name: 'repo\\state' } : column))
