#!/bin/sh
# Runs the Ansible drift check of a repository and reports to gitops-status-server which files of which server differ
# from Git. One file: copy it into the repository or into CI's image. It needs ansible-playbook (core 2.14 or later),
# python3 and curl. See --help.
set -eu

NAME=update-gitops-status
VERSION=0.2.0

usage() {
  cat <<'HELP'
Usage: update-gitops-status.sh [OPTION]... [-- ARGUMENT_OF_ANSIBLE_PLAYBOOK...]

Runs a playbook in check mode with diff, which changes nothing on a server, and posts for each server to
gitops-status-server: in sync with Git, which files differ, or why it could not be checked.

  option             variable           default
  --url URL          GITOPS_STATUS_URL  http://gitops-status-server.observability-stack.svc.cluster.local:80/api/status
                                        the whole address that is posted to
  --repo NAME        GITOPS_REPO        owner/name as CI has it, else the name of the Git repository; version 0.1 had
                                        CI_REPO_NAME: set GITOPS_REPO to it to keep the short names
  --playbook FILE    GITOPS_PLAYBOOK    drift-check.yml
  --inventory FILE   GITOPS_INVENTORY   Ansible's own default
  --base-path DIR    GITOPS_BASE_PATH   /etc
                                        what file names are relative to; {host} stands for the server's name
  --token-file FILE  GITOPS_TOKEN_FILE  the bearer token; GITOPS_TOKEN holds the token itself
  --timeout SECONDS  GITOPS_TIMEOUT     30, for each POST
  --labels LIST      GITOPS_LABELS      none; such as env=prod,owner=team-a
  --stale-after SECONDS
                     GITOPS_STALE_AFTER the server's setting
  --show-diff        GITOPS_SHOW_DIFF   false: log what differs in each file
  --send-diff        GITOPS_SEND_DIFF   false: send it, too (16 KiB a file, 512 KiB in all). Contents of files, which may
                                        hold passwords, then leave this machine
  --any-commit       GITOPS_ANY_COMMIT  false: report also a commit that is no longer the head of its branch
  --accept-partial   GITOPS_ACCEPT_PARTIAL
                                        false: report also a run that --tags, --skip-tags or --start-at-task limits
  --dry-run          GITOPS_DRY_RUN     false: print the report instead of sending it
  --version, --help

An option goes before its variable; an empty variable counts as not set. Ansible sees neither GITOPS_TOKEN nor
GITOPS_STATUS_URL.

The commit, its branch and the address of the run are sent, too: GITOPS_COMMIT, GITOPS_BRANCH and GITOPS_PIPELINE_URL,
else what Woodpecker, GitLab, GitHub, Forgejo, Gitea or Jenkins tell, else the commit and the branch of the checkout.
A pull request is never reported, nor is a commit that the branch at the remote repository "origin" has left behind.

Addresses on this machine or in the cluster (no dot in the name, .svc, .cluster.local) are asked directly; for others
http_proxy, https_proxy and no_proxy hold.

Exit codes:
  0  every server was checked, whether it drifted or not, and the report was acknowledged
  1  some server or none was checked to its end, or the run was only a part of the playbook
  2  nothing was run: an option or a setting is wrong, or a program is missing
  3  the report, or a part of it, was not acknowledged; the result of the check stands in the log
HELP
}

say() {
  printf '%s\n' "$*" >&2
}

refuse() {
  say "$NAME: $*"
  exit 2
}

# Reads the settings that both scripts have from the environment.
read_environment() {
  # Variables of these names in the environment would go on to what is started here.
  unset url token
  url=${GITOPS_STATUS_URL:-http://gitops-status-server.observability-stack.svc.cluster.local:80/api/status}
  token=${GITOPS_TOKEN-}
  token_file=${GITOPS_TOKEN_FILE-}
  timeout=${GITOPS_TIMEOUT:-30}
  labels=${GITOPS_LABELS-}
  stale_after=${GITOPS_STALE_AFTER-}
  dry_run=$(switch GITOPS_DRY_RUN "${GITOPS_DRY_RUN-}")
  any_commit=$(switch GITOPS_ANY_COMMIT "${GITOPS_ANY_COMMIT-}")
  # Both may hold a secret, which is no business of the command that is run.
  unset GITOPS_STATUS_URL GITOPS_TOKEN
  read_ci
}

# Takes an option that both scripts have, with its value; fails if it is none of them.
set_option() {
  case $1 in
    --url) url=$2 ;;
    --repo) repo=$2 ;;
    --token-file) token='' token_file=$2 ;;
    --timeout) timeout=$2 ;;
    --labels) labels=$2 ;;
    --stale-after) stale_after=$2 ;;
    *) return 1 ;;
  esac
}

# Prints true or false for a variable that switches something on.
switch() {
  case $2 in
    '' | 0 | false | no) echo false ;;
    1 | true | yes) echo true ;;
    *) refuse "$1 must be true or false, not '$2'" ;;
  esac
}

# Git in the directory of the checkout. Steps of CI often run as another user than the one who cloned, which Git refuses
# without being told.
in_checkout() {
  git -c safe.directory='*' -C "$checkout" "$@" 2>/dev/null </dev/null
}

# Sets what CI tells of the run: repo, commit, branch, pipeline_url, is_pull_request.
read_ci() {
  commit=${GITOPS_COMMIT-} branch=${GITOPS_BRANCH-} pipeline_url=${GITOPS_PIPELINE_URL-} repo=${GITOPS_REPO-}
  is_pull_request=false
  if [ -n "${CI_REPO-}${CI_PROJECT_PATH-}${CI_COMMIT_SHA-}" ]; then # Woodpecker, GitLab
    read_run "${CI_REPO:-${CI_PROJECT_PATH-}}" "${CI_COMMIT_SHA-}" "${CI_COMMIT_BRANCH-}" "${CI_PIPELINE_URL-}"
    case ${CI_PIPELINE_EVENT:-${CI_PIPELINE_SOURCE-}} in pull_request* | *merge_request*) is_pull_request=true ;; esac
  elif [ -n "${GITHUB_SHA-}" ]; then # GitHub, Forgejo, Gitea
    [ "${GITHUB_REF_TYPE-}" = branch ] || GITHUB_REF_NAME=
    read_run "${GITHUB_REPOSITORY-}" "$GITHUB_SHA" "$GITHUB_REF_NAME" \
      "${GITHUB_SERVER_URL-}/${GITHUB_REPOSITORY-}/actions/runs/${GITHUB_RUN_ID-}"
    case ${GITHUB_EVENT_NAME-} in pull_request*) is_pull_request=true ;; esac
  elif [ -n "${JENKINS_URL-}" ]; then
    jenkins_branch=${BRANCH_NAME:-${GIT_BRANCH-}}
    read_run '' "${GIT_COMMIT-}" "${jenkins_branch#origin/}" "${BUILD_URL-}"
    [ -z "${CHANGE_ID-}" ] || is_pull_request=true
  fi
}

# The arguments: repository, commit, branch, address of the run. What GITOPS_* gives goes before.
read_run() {
  repo=${repo:-$1} commit=${commit:-$2} branch=${branch:-$3} pipeline_url=${pipeline_url:-$4}
}

# Asks the checkout for what neither CI nor the environment has told.
read_checkout() {
  [ -n "$repo" ] || repo=$(git_name)
  [ -n "$repo" ] || refuse 'the name of the repository is not known; set GITOPS_REPO'
  [ -z "$commit" ] || return 0
  # With changes that are not committed the checkout is no commit.
  in_checkout diff --quiet HEAD -- && commit=$(in_checkout rev-parse --verify HEAD) || commit=
  [ -n "$branch" ] || branch=$(in_checkout symbolic-ref --short HEAD) || branch=
}

# The name of the Git repository: its address's last part, else its directory's.
git_name() {
  found=$(in_checkout config --get remote.origin.url) || found=$(in_checkout rev-parse --show-toplevel) || return 0
  found=${found%/}
  found=${found##*[/:]}
  printf '%s' "${found%.git}"
}

check_url() {
  case $url in
    *[[:space:][:cntrl:]\"\\]*) refuse 'the URL has a space, a quote, a backslash or a control character in it' ;;
    http://?* | https://?*) ;;
    *) refuse 'the URL must begin with http:// or https://' ;;
  esac
}

# The arguments: the programs that the run needs beside curl, which a dry run does not.
check_programs() {
  [ "$dry_run" = true ] || set -- "$@" curl
  for program; do
    command -v "$program" >/dev/null || refuse "$program is not installed"
  done
}

# Makes $work, a private directory that goes with the script.
make_work() {
  work=$(mktemp -d "${TMPDIR:-/tmp}/$NAME.XXXXXX") || refuse 'cannot make a temporary directory'
  trap 'rm -rf "$work"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  mkdir "$work/posts"
}

# Runs one of the programs in $work, with what the run is known by.
python() {
  program=$1
  shift
  GITOPS_REPO=$repo GITOPS_COMMIT=$commit GITOPS_BRANCH=$branch GITOPS_PIPELINE_URL=$pipeline_url \
    GITOPS_LABELS=$labels GITOPS_STALE_AFTER=$stale_after PYTHONIOENCODING=utf-8 python3 "$work/$program" "$@"
}

# The URL as the log may show it.
masked() {
  printf '%s' "$url" | sed 's|//[^/?#]*@|//***@|; s|?.*|?***|'
}

check_token() {
  if [ -n "$token_file" ]; then
    [ -z "$token" ] || refuse 'set one of GITOPS_TOKEN and GITOPS_TOKEN_FILE, not both'
    token=$(tr -d '\r' 2>/dev/null <"$token_file") || refuse "cannot read the token file $token_file"
    [ -n "$token" ] || refuse "the token file $token_file is empty"
  fi
  # A secret often ends with a line break.
  [ -z "$token" ] || token=$(printf '%s' "$token" | tr -d '\r')
  case $token in
    *[!a-zA-Z0-9._~+/=-]*) refuse 'the token has characters that no bearer token has (RFC 6750); it is not shown' ;;
  esac
}

# Checks the settings that both scripts have.
check_settings() {
  check_url
  check_token
  case $timeout in
    '' | *[!0-9]* | 0*) refuse "the timeout must be whole seconds, more than 0, not '$timeout'" ;;
  esac
  case $stale_after in
    *[!0-9]* | 0*) refuse "stale-after must be whole seconds, more than 0, not '$stale_after'" ;;
  esac
  read_checkout
}
# Succeeds if the report must not be sent, and says why: it would be taken for what is in the branch now.
is_outdated() {
  [ "$is_pull_request" = false ] || { say 'Nothing is reported: this is a pull request.' && return; }
  [ "$any_commit" = false ] && [ -n "$branch" ] && [ -n "$commit" ] || return 1
  head=$(GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND="${GIT_SSH_COMMAND:-ssh} -o BatchMode=yes -o ConnectTimeout=10" \
    in_checkout ls-remote origin "refs/heads/$branch") || head=
  head=${head%%[!0-9a-f]*}
  if [ -z "$head" ]; then
    say "Whether this commit is still the head of $branch is not known: the remote repository could not be asked."
    return 1
  fi
  [ "$head" != "$commit" ] || return 1
  say "Nothing is reported: $branch is at $head by now, and this is $commit. See --any-commit."
}

# Sends the posts that stand in $work/posts, and returns the exit code of the script: 3 if one was not acknowledged, else
# the first argument.
deliver() {
  code=$1
  is_outdated && return "$code"
  for part in "$work"/posts/*.json; do
    [ -e "$part" ] || break
    if [ "$dry_run" = true ]; then
      cat "$part"
    else
      post "$part" || code=3
    fi
  done
  return "$code"
}

# Posts a part of the report once; the next run of CI is the retry.
post() {
  part=$1
  host=${url#*://}
  host=${host%%[/?#]*}
  host=${host##*@}
  case $host in
    \[*) host=${host%%]*}] ;;
    *) host=${host%%:*} ;;
  esac
  # No -f and no -L: they take a redirected POST for a delivered one.
  set -- --config - --silent --show-error --globoff --connect-timeout 10 --max-time "$timeout" \
    --output "$work/answer" --write-out '%{http_code}\n%{content_type}\n%{redirect_url}' --user-agent "$NAME/$VERSION" \
    --header 'Content-Type: application/json' --data-binary "@$part"
  case $host in
    localhost | 127.* | \[::1\] | *.svc | *.cluster.local) set -- --noproxy '*' "$@" ;;
    *[.:]*) ;;
    *) set -- --noproxy '*' "$@" ;;
  esac
  : >"$work/answer"
  curl_code=0
  # The address and the token come by standard input, so that neither is in the process list; --disable, which must be
  # first, keeps a .curlrc from logging them.
  received=$({
    printf 'url = "%s"\n' "$url"
    [ -z "$token" ] || printf 'header = "Authorization: Bearer %s"\n' "$token"
  } | curl --disable "$@") || curl_code=$?
  python delivery.py "$(masked)" "$curl_code" "$received" "$part" "$work/answer"
}

# Leaves the results in $work/result.json and Ansible's exit code in $ansible_code. What Ansible prints is for the log.
run_check() {
  set -- --check --diff "$@"
  [ -z "$inventory" ] || set -- --inventory "$inventory" "$@"
  # Ansible refuses to start where the locale is not UTF-8.
  case ${LC_ALL-} in C | POSIX) export LC_ALL=C.UTF-8 ;; esac
  say "Checking $repo: ansible-playbook $playbook --check --diff"
  default_plugins=${ANSIBLE_HOME:-${HOME-}/.ansible}/plugins/callback:/usr/share/ansible/plugins/callback
  ansible_code=0
  # From ansible-core 2.21 on the arguments of tasks, which may alone name the file, are told only when asked for.
  ANSIBLE_STDOUT_CALLBACK=json \
    ANSIBLE_CALLBACK_PLUGINS="$work/callback:${ANSIBLE_CALLBACK_PLUGINS:-$default_plugins}" \
    ANSIBLE_INJECT_INVOCATION=true \
    GITOPS_RESULT="$work/result.json" \
    ansible-playbook "$@" "$playbook" >&2 </dev/null || ansible_code=$?
}

# Writes the posts to $work/posts; fails if a server was not checked to its end.
report() {
  GITOPS_BASE_PATH=$base_path GITOPS_SHOW_DIFF=$show_diff GITOPS_SEND_DIFF=$send_diff \
    GITOPS_ACCEPT_PARTIAL=$accept_partial python report.py "$work" "$ansible_code" "$began"
}

# Writes the programs to $work.
write_programs() {
  mkdir "$work/callback"
  cat >"$work/callback/json.py" <<'PYTHON'
"""An Ansible callback that writes the results of all tasks to the file that GITOPS_RESULT names.

Not to standard output: from ansible-core 2.22 on, Ansible replaces secrets in all that it displays, and the results
hold the contents of files, which are no business of a log.
"""

import json
import os

from ansible import context
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: json
type: stdout
short_description: Writes the results as one JSON document
description: Writes the results of all tasks, whether the run was cut short, and what it was limited to.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "json"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.playbooks_left = len(context.CLIARGS["args"])
        self.plays = []
        # By play, the servers for which it was not begun yet; None: for none of them.
        self.not_begun = {}
        # The servers of all plays, and those of them that are in no inventory: Ansible's own localhost.
        self.hosts = {}

    def v2_playbook_on_start(self, playbook):
        self.playbooks_left -= 1
        for play in playbook.get_plays():
            self.not_begun[play._uuid] = None
            self.hosts.update((host.get_name(), host.implicit) for host in hosts_of(play))

    def v2_playbook_on_play_start(self, play):
        self.play = play
        self.tasks = {}
        self.plays.append({"play": {"name": play.get_name()}, "tasks": []})
        # With `serial` a play begins once for each batch of its servers.
        names = play.get_variable_manager().get_vars(play=play)
        left = self.not_begun[play._uuid]
        left = set(names["ansible_play_hosts_all"]) if left is None else left
        self.not_begun[play._uuid] = left - set(names["ansible_play_batch"])

    def v2_playbook_on_task_start(self, task, is_conditional):
        stops_others = task.any_errors_fatal or task.run_once or self.play.max_fail_percentage is not None
        self.tasks[task._uuid] = {
            "task": {
                "name": task.get_name(),
                "stops_others": bool(stops_others),
                "for_real": task.check_mode is False,
            },
            "hosts": {},
        }
        self.plays[-1]["tasks"].append(self.tasks[task._uuid])

    def v2_playbook_on_handler_task_start(self, task):
        self.v2_playbook_on_task_start(task, False)

    def v2_runner_on_ok(self, result, **kwargs):
        task = result._task
        if task._uuid not in self.tasks:
            self.v2_playbook_on_task_start(task, False)
        self.hosts[result._host.get_name()] = result._host.implicit
        # Ansible takes `failed` and `skipped` out before it tells a callback.
        self.tasks[task._uuid]["hosts"][result._host.get_name()] = dict(result._result, action=task.action, **kwargs)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.v2_runner_on_ok(result, failed=True)

    def v2_runner_on_unreachable(self, result):
        self.v2_runner_on_ok(result, unreachable=True)

    def v2_runner_on_skipped(self, result):
        self.v2_runner_on_ok(result, skipped=True)

    def v2_playbook_on_stats(self, stats):
        # No later play begins for a server that has failed: that is its own fault, not the run's.
        lost = set(stats.failures) | set(stats.dark)
        cut_short = self.playbooks_left > 0 or any(left is None or left - lost for left in self.not_begun.values())
        document = {
            "plays": self.plays,
            "stats": {host: stats.summarize(host) for host in stats.processed},
            "cut_short": cut_short,
            "hosts": {name: bool(implicit) for name, implicit in self.hosts.items()},
            "selection": selection(),
        }
        path = os.environ["GITOPS_RESULT"]
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            # A name that is not UTF-8 has halves of surrogate pairs, which only the escapes of JSON can keep.
            json.dump(plain(document), file, default=str)


def hosts_of(play):
    """The servers that a play is for, as far as that is known before it begins."""
    try:
        return play.get_variable_manager()._inventory.get_hosts(play.hosts)
    except Exception:  # the pattern may need variables that are set later
        return []


def selection():
    """What the run was limited to, by whatever way: flags, variables or ansible.cfg."""
    tags = [tag for tag in context.CLIARGS.get("tags") or [] if tag != "all"]
    chosen = {
        "--tags": ",".join(tags),
        "--skip-tags": ",".join(context.CLIARGS.get("skip_tags") or []),
        "--start-at-task": context.CLIARGS.get("start_at_task"),
    }
    return {option: str(value) for option, value in chosen.items() if value}


def plain(value):
    """A value with texts as keys: YAML also has dates and numbers there."""
    if isinstance(value, dict):
        return {str(key): plain(member) for key, member in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value
PYTHON
  cat >"$work/text.py" <<'PYTHON'
"""Text for the log and for the server."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

# What the server refuses in a name, and what it refuses at the ends of one.
UNSEEN = (
    r"[\0-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    r"\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
BLANK = r"[ \xa0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000]"

FAULTS_MAX = 20


def writable(text: str) -> str:
    """Text that UTF-8 can write: of a name that is not UTF-8 the odd bytes are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def as_name(text: str) -> str:
    """A name that the server takes: what nobody can see, and a blank at either end, is spelled out."""
    return re.sub(f"{UNSEEN}|^{BLANK}|{BLANK}$", lambda match: f"\\u{ord(match.group()):04x}", text)


def unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def tell_all(texts: Iterable[str]) -> None:
    texts = unique(texts)
    for text in texts[:FAULTS_MAX]:
        say(f"  {text}")
    if len(texts) > FAULTS_MAX:
        say(f"  … and {len(texts) - FAULTS_MAX} more")


def say(text: str) -> None:
    """Writes a line to the log. What a terminal would obey is spelled out: names come from servers."""
    shown = "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)
    print(writable(shown), file=sys.stderr)
PYTHON
  cat >"$work/run.py" <<'PYTHON'
"""What a run of CI tells of itself, for every report that it makes. Run as a program it checks the settings."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from text import say, writable

# What a label may be: the server takes no other.
LABEL = r"[A-Za-z_][A-Za-z0-9_./-]{0,62}=[^,]{0,253}$"


def setting(name: str) -> str:
    return os.environ.get(f"GITOPS_{name}", "")


def head() -> dict[str, Any]:
    """What a snapshot and a failed check begin with: repo, and pipeline_url, labels, stale_after where known."""
    properties: dict[str, Any] = {"repo": setting("REPO")}
    if re.match(r"https?://[!-~]{1,1000}$", setting("PIPELINE_URL")):
        properties["pipeline_url"] = setting("PIPELINE_URL")
    if setting("LABELS"):
        properties["labels"] = dict(pair.split("=", 1) for pair in setting("LABELS").split(",") if pair)
    if setting("STALE_AFTER"):
        properties["stale_after"] = int(setting("STALE_AFTER"))
    return properties


def checked_commit() -> dict[str, str]:
    """The commit and branch that a verdict is about. A failed check has none: it says nothing about a commit."""
    values = {"commit": setting("COMMIT"), "branch": setting("BRANCH")}
    return {name: writable(value)[:1024] for name, value in values.items() if value}


def snapshot(server: str, began: str, files: list[dict[str, str]]) -> dict[str, Any]:
    """A snapshot: what differs from Git, nothing if `files` is empty."""
    verdict = {"sync_status": "OUT_OF_SYNC" if files else "SYNCED", "drift_count": len(files), "files": files}
    return {**head(), "server": server, **checked_commit(), "last_check": began, **verdict}


def failed_check(server: str, began: str, reason: str) -> dict[str, Any]:
    """The report of a check that did not get to its end. `reason` is cut to what the server takes."""
    return {**head(), "server": server, "check_failed": writable(reason)[:4096], "attempted_at": began}


def check() -> int:
    """Checks the settings that the shell does not; returns 0 if they are valid, else 1."""
    for pair in filter(None, setting("LABELS").split(",")):
        if not re.match(LABEL, pair):
            say(f"the labels must be such as env=prod,owner=team-a, not '{pair}'")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(check())
PYTHON
  cat >"$work/paths.py" <<'PYTHON'
"""Where a result of Ansible names the file that it speaks of, and what differs in it."""

import difflib
import os
import re


def path_of(leaf):
    """The path of the file that a result speaks of, or None. Where it stands depends on the module and the change.

    `after_header` and the item are no help: the one is a path on the controller, the other whatever the loop has.
    """
    arguments = leaf.get("invocation")
    arguments = arguments.get("module_args") if isinstance(arguments, dict) else None
    arguments = arguments if isinstance(arguments, dict) else {}
    headers = [
        re.sub(r" \((content|file attributes)\)$", "", entry["before_header"])
        for entry in diffs_of(leaf)
        if isinstance(entry.get("before_header"), str)
    ]
    headers = [header for header in headers if header[:1] in ("/", "~") and header != "/dev/null"]
    places = [leaf.get("path"), leaf.get("dest")]
    places += [arguments.get(name) for name in ("dest", "path", "sysctl_file")] + headers
    path = next((place for place in places if isinstance(place, str) and place), None)
    if path is None:
        return None
    # The destination may be the directory that the file is put into.
    for header in headers:
        if header.startswith(path.rstrip("/") + "/"):
            return header
    source = arguments.get("src")
    if path.endswith("/") and isinstance(source, str):
        return path + os.path.basename(source)
    return path


def one_slash(path):
    return re.sub("/+", "/", path)


def diffs_of(leaf):
    diff = leaf.get("diff")
    return [entry for entry in (diff if isinstance(diff, list) else [diff]) if isinstance(entry, dict)]


def diff_of(leaf):
    """What differs, as a person reads it: from how it is on the server to how Git has it."""
    return "".join(map(diff_text, diffs_of(leaf)))


def diff_text(entry):
    if isinstance(entry.get("prepared"), str):
        return entry["prepared"]
    before, after = entry.get("before", ""), entry.get("after", "")
    if isinstance(before, dict) and isinstance(after, dict):
        return "".join(
            f"{sign}{key}: {side[key]}\n"
            for key in sorted(before.keys() | after.keys())
            for sign, side in (("-", before), ("+", after))
            if key in side and before.get(key) != after.get(key)
        )
    lines = [[line + "\n" for line in str(side).split("\n")] for side in (before, after)]
    return "".join(difflib.unified_diff(*(side[:-1] if side[-1] == "\n" else side for side in lines), "server", "git"))
PYTHON
  cat >"$work/servers.py" <<'PYTHON'
"""What a run of Ansible says of each server."""

import json

from paths import diff_of, one_slash, path_of
from run import failed_check, snapshot
from text import FAULTS_MAX, as_name, say, tell_all, unique, writable

DIFF_MAX = 16 * 1024
LABEL_MAX = 200
MESSAGE_MAX = 500

# Actions whose changes are no files, by the last part of their names.
NO_FILES = frozenset(
    """
    add_host alternatives apk apt apt_key apt_rpm assert async_status at command debconf debug dnf dnf5
    dpkg_selections expect fail fetch filesystem firewalld flatpak gather_facts gem getent group group_by homebrew
    hostname import_playbook import_role import_tasks include include_role include_tasks include_vars ip6tables
    iptables locale_gen lvg lvol meta modprobe mount npm openrc package package_facts pacman parted pause ping pip
    pipx raw reboot rhsm_release rpm_key script seboolean selinux_permissive service service_facts set_fact set_stats
    setup shell slurp snap stat swupd systemd systemd_service sysvinit timezone ufw uri user validate_argument_spec
    wait_for wait_for_connection yum yum4 zypper
    """.split()
)
# Actions that look at nothing that Git could tell.
IDLE = frozenset("add_host assert debug gather_facts group_by include_vars meta pause set_fact set_stats setup".split())


def read_document(path):
    """What the callback has written; None if it has not."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def read_servers(document, base_path):
    """The servers of a document, by name, each with what differs on it and why it was not checked to its end."""
    # Ansible's own localhost, on which a play prepares the check, is no server; one of the inventory is.
    hosts = document.get("hosts") or {name: name == "localhost" for name in document["stats"]}
    names = sorted(name for name, is_implicit in hosts.items() if not is_implicit)
    servers = {name: Server(name, base_path) for name in names}
    plays = [[(task["task"], task["hosts"]) for task in play["tasks"]] for play in document["plays"]]
    for tasks in plays:
        for task, hosts in tasks:
            for name in servers.keys() & hosts.keys():
                servers[name].add(task, hosts[name])
    for name, server in servers.items():
        server.conclude(document["stats"].get(name))

    for tasks in plays:
        hold_back(servers, tasks, False)
    if document.get("cut_short", True):
        hold_back(servers, [entry for tasks in plays for entry in tasks], True)
    return list(servers.values())


def hold_back(servers, tasks, cut_short):
    """Marks the servers that have nothing after the last failure: they may have been stopped by it.

    In a run that went to its end they were, where the failed task stops others; in one that was cut short later plays
    are missing for them.
    """
    last_failure = max((i for i, (_, hosts) in enumerate(tasks) if any(map(failures_of, hosts.values()))), default=-1)
    last_result = {name: i for i, (_, hosts) in enumerate(tasks) for name in hosts}
    for name in servers.keys() & last_result.keys():
        stopped_there = last_result[name] == last_failure and (
            cut_short or tasks[last_failure][0].get("stops_others", True)
        )
        if (last_result[name] < last_failure or stopped_there) and not servers[name].faults:
            servers[name].faults.append("it was stopped early, because another server failed")


def failures_of(result):
    """Those of a task's items that failed or did not reach the server; without items the result itself."""
    return [leaf for leaf in items_of(result) + [result] if leaf.get("failed") or leaf.get("unreachable")]


def items_of(result):
    results = result.get("results")
    return [item for item in results if isinstance(item, dict)] if isinstance(results, list) else []


class Server:
    def __init__(self, name, base_path):
        self.name = name
        self.base = one_slash(base_path.replace("{host}", name)).rstrip("/") + "/"
        # Why it was not checked to its end.
        self.faults = []
        # By file, what differs in it.
        self.files = {}
        self.remarks = []
        self.looked_at = False

    def add(self, task, result):
        """Takes what one task said."""
        action = str(result.get("action", "")).rsplit(".", 1)[-1]
        title = str(task.get("name") or action)
        for leaf in failures_of(result)[:FAULTS_MAX]:
            kind = "unreachable" if leaf.get("unreachable") else "failed"
            places = ("msg", "reason", "censored", "exception")
            message = next((leaf[name] for name in places if leaf.get(name)), "no message")
            self.faults.append(f"{kind} at '{title}': {str(message).strip()[:MESSAGE_MAX]}")

        items = items_of(result)
        # A failed loop counts as unchanged though items have changed, and a module may have `results` of its own.
        if not items or (result.get("changed") and not any(item.get("changed") for item in items)):
            self.add_leaf(task, action, title, result)
        else:
            for position, item in enumerate(items, 1):
                self.add_leaf(task, action, title, item, position)

    def add_leaf(self, task, action, title, leaf, position=None):
        # Also what has not changed has a diff and a path: only `changed` tells.
        if leaf.get("skipped"):
            if action not in NO_FILES and "check mode" in str(leaf.get("msg")):
                self.remarks.append(f"not looked at, its module has no check mode: {title}")
            return
        self.looked_at = self.looked_at or action not in IDLE
        if not leaf.get("changed"):
            return
        if action in NO_FILES:
            self.remarks.append(f"differs too, but is no file: {title} ({action})")
            return
        if task.get("for_real"):
            self.remarks.append(f"CHANGED FOR REAL, since the task has check_mode: false: {title}")
        self.files.setdefault(self.file_name(leaf, title, position), []).append(diff_of(leaf))

    def file_name(self, leaf, title, position):
        path = path_of(leaf)
        if path is None and leaf.get("censored"):
            return as_name(f"(hidden by no_log) {title[:LABEL_MAX]}".strip())
        if path is None:
            return as_name(f"(path unknown) {title[:LABEL_MAX]}{label_of(leaf, position)}".strip())
        path = one_slash(path).rstrip("/") or "/"
        return as_name(path[len(self.base) :] if path.startswith(self.base) else path)

    def conclude(self, counts):
        """Takes Ansible's own sums for it, if there are any: what they count must not be missing from the faults."""
        if counts is None:
            self.faults.append("the run ended before it was checked")
            return
        for kind in ("unreachable", "failures", "ignored", "rescued"):
            if counts.get(kind) and not self.faults:
                self.faults.append(f"ansible-playbook counts {counts[kind]} {kind}")
        if not self.looked_at and not self.faults:
            self.faults.append("nothing was looked at, every task was skipped")

    def tell(self, show_diff):
        """Tells a person what was found."""
        names = sorted(self.files)
        if self.faults:
            say(f"{self.name}: CHECK FAILED, it was not checked to its end")
            tell_all(self.faults)
        elif names:
            say(f"{self.name}: OUT_OF_SYNC, drifted: {len(names)}")
        else:
            say(f"{self.name}: SYNCED")
        if self.faults and names:
            say("  what differed until then:")
        for name in names:
            say(f"  {name}")
            for line in self.diff(name).splitlines() if show_diff else []:
                say(f"    {line}")
        tell_all(self.remarks)

    def diff(self, name):
        """What differs in a file, as text, with at most DIFF_MAX bytes and a line more."""
        text = writable("".join(unique(self.files[name])))
        if len(text.encode()) <= DIFF_MAX:
            return text
        return text.encode()[:DIFF_MAX].decode("utf-8", "ignore") + f"\n… (cut at {DIFF_MAX // 1024} KiB)\n"

    def report(self, began, diffs):
        """A snapshot, or a failed check if it was not checked to its end."""
        if self.faults:
            return failed_check(self.name, began, "; ".join(unique(self.faults)))
        files = []
        for name in sorted(self.files):
            diff = self.diff(name)
            files.append({"name": name, "diff": diff} if diff and diffs.take(diff) else {"name": name})
        return snapshot(self.name, began, files)


def label_of(leaf, position):
    if position is None:
        return ""
    label = leaf.get("_ansible_item_label", leaf.get(leaf.get("ansible_loop_var", "item")))
    return f": {label[:LABEL_MAX]}" if isinstance(label, str) else f": item {position}"
PYTHON
  cat >"$work/delivery.py" <<'PYTHON'
"""The posts in which reports are delivered, and what the server answers. As a program it tells what an answer means."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from text import say, tell_all

# The server takes 1 MiB and 10,000 items a post.
POST_BYTES_MAX = 900 * 1024
POST_ITEMS_MAX = 5000
TEXT_MAX = 1000


def write_posts(work: str, reports: list[dict[str, Any]]) -> None:
    """Writes the posts of the reports to WORK/posts, in the order in which they are sent."""
    for number, post in enumerate(posts_of(reports)):
        with open(os.path.join(work, "posts", f"{number:04}.json"), "w", encoding="utf-8") as file:
            file.write(post)


def posts_of(reports: list[dict[str, Any]]) -> list[str]:
    """The texts that are posted, each a JSON array. A server whose report is too large alone is cut."""
    posts: list[list[str]] = []
    items: list[str] = []
    size = 0
    for report in reports:
        text = fitted(report)
        length = len(text.encode())
        if items and (size + length > POST_BYTES_MAX or len(items) == POST_ITEMS_MAX):
            posts.append(items)
            items, size = [], 0
        items.append(text)
        size += length
    return ["[\n" + ",\n".join(each) + "\n]\n" for each in ([*posts, items] if items else posts)]


def fitted(report: dict[str, Any]) -> str:
    """A report as JSON. If there are too many differences, the first of them and how many there are more."""
    text = json.dumps(report, ensure_ascii=False)
    files = report.get("files", [])
    kept = files
    while len(text.encode()) > POST_BYTES_MAX or len(kept) > POST_ITEMS_MAX:
        kept = kept[: min(len(kept) // 2, POST_ITEMS_MAX - 1)]
        more = {"name": f"{len(files) - len(kept)} more files", "kind": "other"}
        text = json.dumps(dict(report, drift_count=len(kept) + 1, files=[*kept, more]), ensure_ascii=False)
    return text


def answer(url: str, curl_code: str, received: str, posted: str, file: str) -> int:
    """Tells what became of a post; returns 0 if it was acknowledged, else 3.

    `received` has the status, the type of the answer and where it redirects to, a line each.
    """
    http_code, content_type, location = (received.split("\n") + ["", "", ""])[:3]
    with open(file, "rb") as stream:
        text = stream.read(16 * 1024 * 1024).decode("utf-8", "replace")
    body = parsed(text)
    if curl_code != "0":
        say(f"NOT ACKNOWLEDGED by {url}: curl ended with exit code {curl_code}. The next run reports again.")
        return 3
    if http_code.startswith("2"):
        missing = missing_receipts(content_type, body, posted)
        if missing is None:
            tell_receipts(url, http_code, body)
            return 0
        say(f"NOT ACKNOWLEDGED by {url}: it answered {http_code}, but {missing}. Is this the status server?")
    else:
        moved = f", which redirects to {location}: use that address" if location else ""
        say(f"NOT ACKNOWLEDGED by {url}: it answered {http_code}{moved}. The next run reports again.")
    if isinstance(body, dict):
        tell_all([f"{body[name]}" for name in ("title", "detail") if name in body])
        errors = body.get("errors")
        errors = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
        tell_all([f"{error.get('pointer') or '/'} {error.get('detail')}" for error in errors])
    else:
        tell_all(text[:TEXT_MAX].splitlines())
    return 3


def missing_receipts(content_type: str, body: Any, posted: str) -> str | None:
    """What an answer lacks to acknowledge what was posted; None if it lacks nothing."""
    if content_type.split(";")[0].strip().lower() != "application/json":
        return f"with {content_type or 'no Content-Type'} in place of receipts"
    receipts = body if isinstance(body, list) else []
    statuses = [receipt.get("status") for receipt in receipts if isinstance(receipt, dict)]
    known = {(status.get("repo"), status.get("server")) for status in statuses if isinstance(status, dict)}
    with open(posted, encoding="utf-8") as file:
        missing = [report["server"] for report in json.load(file) if (report["repo"], report["server"]) not in known]
    return f"without a receipt for {', '.join(missing[:5])}" if missing else None


def tell_receipts(url: str, http_code: str, receipts: list[dict[str, Any]]) -> None:
    counts: dict[str, int] = {}
    for receipt in receipts:
        result = str(receipt.get("result"))
        counts[result] = counts.get(result, 0) + 1
        if receipt.get("reason"):
            say(f"{receipt['status'].get('server')}: {result}, {receipt['reason']}")
    sums = ", ".join(f"{count} {result}" for result, count in sorted(counts.items()))
    say(f"Acknowledged by {url} ({http_code}): {sums}")


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


if __name__ == "__main__":
    sys.exit(answer(*sys.argv[1:]))
PYTHON
  cat >"$work/report.py" <<'PYTHON'
"""Makes the report of what Ansible has found: a snapshot or a failed check for each server."""

from __future__ import annotations

import json
import os
import sys

from delivery import write_posts
from run import setting
from servers import read_document, read_servers
from text import say

DIFFS_MAX = 512 * 1024


def build(work: str, ansible_code: str, began: str) -> int:
    """Writes the posts to WORK/posts; returns 0 if every server was checked to its end, else 1."""
    send_diff, show_diff = setting("SEND_DIFF") == "true", setting("SHOW_DIFF") == "true"
    document = read_document(os.path.join(work, "result.json"))
    selection = document and document.get("selection")
    if selection and setting("ACCEPT_PARTIAL") != "true":
        options = ", ".join(f"{option} {value}" for option, value in sorted(selection.items()))
        say(f"Nothing is reported: the check was only a part of the playbook ({options}). See --accept-partial.")
        return 1
    servers = read_servers(document, setting("BASE_PATH")) if document else []
    for server in servers:
        server.tell(show_diff)

    diffs = Budget(DIFFS_MAX if send_diff else 0)
    write_posts(work, [server.report(began, diffs) for server in servers])
    if send_diff and diffs.refused:
        say(f"The diffs of {diffs.refused} files are not sent: together they have more than {DIFFS_MAX // 1024} KiB.")
    if document is None:
        say("No server is reported: ansible-playbook ended without a result.")
    elif not servers:
        say("No server is reported: none was checked. Are there any in the inventory that the playbook's hosts: match?")
    if ansible_code != "0":
        say(f"ansible-playbook ended with exit code {ansible_code}.")
    all_checked = servers and not any(server.faults for server in servers)
    return 0 if all_checked and ansible_code == "0" else 1


class Budget:
    """Lets texts through until they have more bytes than are to be had, as JSON."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.refused = 0

    def take(self, text: str) -> bool:
        size = len(json.dumps(text, ensure_ascii=False).encode())
        if size > self.left:
            self.refused += 1
            return False
        self.left -= size
        return True


if __name__ == "__main__":
    sys.exit(build(*sys.argv[1:]))
PYTHON
}

read_environment
playbook=${GITOPS_PLAYBOOK:-drift-check.yml}
inventory=${GITOPS_INVENTORY-}
base_path=${GITOPS_BASE_PATH:-/etc}
show_diff=$(switch GITOPS_SHOW_DIFF "${GITOPS_SHOW_DIFF-}")
send_diff=$(switch GITOPS_SEND_DIFF "${GITOPS_SEND_DIFF-}")
accept_partial=$(switch GITOPS_ACCEPT_PARTIAL "${GITOPS_ACCEPT_PARTIAL-}")

while [ $# -gt 0 ]; do
  option=$1
  shift
  case $option in
    --) break ;;
    --help | -h) usage && exit ;;
    --version) echo "$NAME $VERSION" && exit ;;
    --show-diff) show_diff=true && continue ;;
    --send-diff) send_diff=true && continue ;;
    --dry-run) dry_run=true && continue ;;
    --any-commit) any_commit=true && continue ;;
    --accept-partial) accept_partial=true && continue ;;
    --*=*) value=${option#*=} option=${option%%=*} ;;
    --*)
      [ $# -gt 0 ] || refuse "$option is unknown, or its value is missing; see --help"
      value=$1
      shift
      ;;
    *) refuse "'$option' is no option; arguments of ansible-playbook go after --; see --help" ;;
  esac
  case $option in
    --playbook) playbook=$value ;;
    --inventory) inventory=$value ;;
    --base-path) base_path=$value ;;
    *) set_option "$option" "$value" || refuse "$option is unknown, or takes no value; see --help" ;;
  esac
done
check_programs ansible-playbook python3
checkout=$(dirname -- "$playbook")
check_settings
case $base_path in
  /*) ;;
  *) refuse "the base path must begin with /, not '$base_path'" ;;
esac

make_work
write_programs
python run.py || exit 2
# When the check began: one that began earlier and ends later must not replace a newer one.
began=$(date -u +%Y-%m-%dT%H:%M:%SZ)
run_check "$@"
code=0
report || code=1
deliver "$code"
