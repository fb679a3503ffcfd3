import { type Block, blocksOf } from '../docs/blocks.ts'
import { read } from '../docs/pages.ts'

export const SERVICE = 'gitops-status-server'

/** Prints the verdict of the server, such as `1 target is in sync.` */
export const VERDICT = 'curl --fail http://127.0.0.1:8080/api/summary | jq --raw-output .verdict'

/** Posts a snapshot without drift. */
export function post(server: string, options = ''): string {
  const snapshot = JSON.stringify({ repo: 'r', server, sync_status: 'SYNCED', drift_count: 0, files: [] })
  return `jq '.last_check = (now | todate)' <<<'${snapshot}' |
    curl --fail-with-body http://127.0.0.1:8080/api/status --header 'Content-Type: application/json' ${options} --data @-`
}

/** Waits until a command succeeds. */
export function until(command: string): string {
  return `timeout 30 bash -c '${`until ${command} >/dev/null 2>&1; do sleep 0.1; done`.replaceAll("'", String.raw`'\''`)}'`
}

/** Occupies the port of the server; `systemctl stop other` frees it. */
export const OCCUPY_PORT = `systemd-run --quiet --unit other \\
  node -e 'require("net").createServer().listen(8080, () => console.log("it listens"))'
${until("journalctl --unit other --output cat | grep 'it listens'")}`

/** The commands of a section of a page that a machine with systemd can run, and without the internet. */
export function commandsOf(page: string, heading: string): string {
  const sections = read(page).split(/^##? /m)
  const section = sections.find((each) => each.startsWith(`${heading}\n`))
  if (section === undefined) throw new Error(`${page} has no section ${heading}`)
  return blocksOf(section)
    .filter(({ language, note }) => language === 'sh' && (note.kind === 'plain' || needsSystemd(note)))
    .map(({ text }) => text)
    .join('\n')
}

function needsSystemd(note: Block['note']): boolean {
  return note.kind === 'not-run' && note.reason.includes('systemd')
}
