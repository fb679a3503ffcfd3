import type { Target } from '../data/targets.ts'

const WEEK_MS = 7 * 24 * 3600 * 1000

/** An operation on a target, as a command for a shell. */
export interface Command {
  readonly title: string
  readonly text: string
  /** A remark; may be empty. */
  readonly hint: string
}

type CommandedTarget = Pick<Target, 'repo' | 'server' | 'state'>

/**
 * The commands for a target. Nothing in a name can leave its place in them.
 *
 * @param base the address of the status server, with a slash at its end
 * @param now in ms since the epoch
 */
export function commandsFor({ repo, server, state }: CommandedTarget, base: string, now: number): Command[] {
  const token = '-H "Authorization: Bearer $GITOPS_TOKEN"'
  const rule = {
    repo: narrow(repo),
    server: narrow(server),
    until: `${new Date(now + WEEK_MS).toISOString().slice(0, 19)}Z`,
    reason: 'why',
  }
  const named = new URLSearchParams({ repo, server })
  const accept = {
    title: 'Accept the drift for a week',
    text: `curl ${quoted(`${base}api/accepted`)} ${token} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted(ascii(JSON.stringify(rule)))}`,
    hint: 'Put the reason into "reason". A rule with a file covers only that file; * matches any characters.',
  }
  return [
    ...(state === 'drift' ? [accept] : []),
    {
      title: 'Remove the target',
      text: `curl -X DELETE ${quoted(`${base}api/status?${named}`)} ${token}`,
      hint: 'The next snapshot adds it again.',
    },
    {
      title: 'Check again',
      text: `./update-gitops-status.sh --url ${quoted(`${base}api/status`)} --repo ${quoted(repo)} -- --limit=${quoted(server)}`,
      hint: 'In a checkout of the repository, for an Ansible drift check.',
    },
  ]
}

/** A pattern of a rule for this name. There is no way to name `*` itself: `?` matches one character. */
function narrow(name: string): string {
  return name.replaceAll('*', '?')
}

/** A word of a POSIX shell. */
function quoted(text: string): string {
  return /^[\w./:@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** JSON without characters that a terminal might show as others, or not at all. */
function ascii(json: string): string {
  return json.replaceAll(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
