import { type DashboardBuilder, TextBoxVariableBuilder } from '@grafana/grafana-foundation-sdk/dashboard'
import { STATES } from '../../../src/status/schema.ts'
import { STATE_WORDS } from '../../../src/views/words.ts'
import { FILES, REPOSITORIES, TARGETS } from './columns.ts'
import { dashboard } from './dashboard.ts'
import { longestDrift, newestCheck, note, numberOfTargets, orRow, stateTiles, table } from './panels.ts'
import { answerOf, chosenNames, infinity, infinityVariable } from './query.ts'

const LIMITS = `From \`status.json\` alone, if nothing else is served. **Each panel reads the whole file: use it for up to about
1,000 targets.** The dashboard computes which targets are stale, from the last check and \`stale_after\`, so that a file that is
no longer updated does not stay green. There is no history.`

/** jq that keeps the chosen names as `$repos` or `$servers`, to look up each name at once: `IN` would walk all of them. */
const lookup = (name: 'repo' | 'server'): string =>
  `([\${${name}:json}] | flatten | map({(.): true}) | add) as $${name}s`

/**
 * The chosen targets as rows, with their current states: the file may be old. A target that the server calls stale stays
 * stale, because the server knows more, such as a time in the future.
 */
const ROWS_JQ = `${lookup('repo')}
| ${lookup('server')}
| ${JSON.stringify(Object.fromEntries(STATE_WORDS))} as $words
| def age: if . == null then null else now - fromdate | floor | [., 0] | max end;
.statuses | map(
  select(($repos["*"] or $repos[.repo]) and ($servers["*"] or $servers[.server]))
  | (.stale_after // \${stale_after}) as $span
  | (.last_check | age) as $checked
  | (.failed_check.at | age) as $failed
  | (if .state == "accepted" and (.accepted_until | fromdate) > now and (.stale or $checked <= $span) then "accepted"
    elif $failed != null and $failed <= $span then "failing"
    elif $checked == null then "missing"
    elif $checked > $span or .state == "stale" then "stale"
    elif .sync_status == "SYNCED" then "synced"
    else "drifted" end) as $is
  | {repo, server, branch, commit, files, state: $is, status: $words[$is], last_check_seconds: $checked,
    since_seconds: (if $is == "missing" then null elif $is == "stale" then [$checked - $span, 0] | max
      elif $is == "failing" then .failed_check.since | age else .since | age end),
    reason: (if $is == "failing" then .failed_check.reason else .accepted_reason end),
    pipeline_url: (if $is == "failing" then .failed_check.pipeline_url else .pipeline_url end),
    what: (.files | map(.name) | (.[:3] | join(", ")) + (if length > 3 then " and \\(length - 3) more" else "" end))})`

/** All names in jq: Grafana inserts the value for all unchanged, although it writes other values as JSON. */
const ALL = '"*"'

const OF_CHOSEN_REPOS_JQ = `${lookup('repo')} | map(select($repos["*"] or $repos[.repo]))`

const COUNTS_JQ = `(reduce .[].state as $is ({}; .[$is] += 1))`

const TILES_JQ = `${ROWS_JQ} | {targets: length,
  longest: (map(select(.state == "drifted").since_seconds) | max // 0),
  newest: (map(.last_check_seconds | numbers) | min // -1)} + if . == [] then {none: 0} else ${COUNTS_JQ} end`

/** The worst state first, and in it the longest; never checked is longer than any time. */
const TARGETS_JQ = `${ROWS_JQ} | map(select(.state != "synced"))
| sort_by([(.state as $is | ${JSON.stringify(STATES)} | index($is)), - (.since_seconds // infinite)]) | .[:200]`

const REPOSITORIES_JQ = `${ROWS_JQ} | group_by(.repo) | map({repo: .[0].repo, newest_check_seconds: (map(.last_check_seconds | numbers) | min)} +
  {${STATES.map((state) => `${state}: 0`).join(', ')}} + ${COUNTS_JQ}) | sort_by(.synced - (.drifted + .failing + .missing + .stale + .accepted)) | .[:50]`

const FILES_JQ = `${ROWS_JQ} | map(select(.state == "drifted") | .repo as $of | .files[] | {repo: $of, name, since: (now - (.since | fromdate) | floor)})
| group_by([.repo, .name]) | map({repo: .[0].repo, name: .[0].name, servers: length, since_seconds: (map(.since) | max)})
| sort_by(- .servers, - .since_seconds) | .[:50]`

const request = (jq: string): { path: string; jq: string } => ({ path: '/status.json', jq })

/** The fleet for those who serve nothing but the file: nginx, a CDN, pods without a server. */
export function fleetFromFile(): DashboardBuilder {
  const names = (name: 'repo' | 'server', chosen = '.'): { path: string; jq: string } =>
    request(`.statuses | ${chosen} | map(.${name}) | unique | if . == [] then ["*"] else . end | map({name: .})`)
  return dashboard('gitops-fleet-file', 'GitOps fleet, from the file alone', 'Drift of servers from Git.')
    .withVariable(infinityVariable())
    .withVariable(chosenNames('repo', 'Repository', names('repo')).allValue(ALL))
    .withVariable(chosenNames('server', 'Server', names('server', OF_CHOSEN_REPOS_JQ)).allValue(ALL))
    .withVariable(
      new TextBoxVariableBuilder('stale_after')
        .label('Stale after (seconds)')
        .description('The STALE_AFTER of the server. A stale_after in the file overrides it.')
        .defaultValue('600')
        .current({ text: '600', value: '600' }),
    )
    .withPanel(
      stateTiles({ id: 1, title: 'Targets by state, now', at: [0, 0, 12, 4], query: infinity(request(TILES_JQ)) }),
    )
    .withPanel(longestDrift(2, [12, 0, 4, 4], answerOf(1)))
    .withPanel(newestCheck(3, [16, 0, 4, 4], answerOf(1)))
    .withPanel(numberOfTargets(4, [20, 0, 4, 4], answerOf(1)))
    .withPanel(
      table({
        id: 5,
        title: 'Not in sync, now',
        description: 'Sorted by state, the worst first, then by time in the state. At most 200.',
        at: [0, 4, 24, 12],
        query: infinity({ ...request(`${TARGETS_JQ} | ${orRow('what', 'none')}`), fields: TARGETS }),
        columns: TARGETS,
      }),
    )
    .withPanel(
      table({
        id: 6,
        title: 'Repositories, now',
        at: [0, 16, 12, 9],
        query: infinity({ ...request(`${REPOSITORIES_JQ} | ${orRow('repo', 'none')}`), fields: REPOSITORIES }),
        columns: REPOSITORIES,
      }),
    )
    .withPanel(
      table({
        id: 7,
        title: 'Files, now',
        description: 'The files that differ on most servers come first. At most 50.',
        at: [12, 16, 12, 9],
        query: infinity({ ...request(`${FILES_JQ} | ${orRow('name', 'none')}`), fields: FILES }),
        columns: FILES,
      }),
    )
    .withPanel(note(8, [0, 25, 24, 3], LIMITS))
}
