#!/bin/sh
# Runs the Ansible drift check of a repository and reports to gitops-status-server which files of which server differ
# from Git. One file: copy it into the repository or into CI's image. It needs ansible-playbook (core 2.14 or later),
# python3 and curl. See --help.
set -eu

NAME=update-gitops-status
AGENT=update-gitops-status
VERSION=0.2.0

usage() {
  cat <<'HELP'
Usage: update-gitops-status.sh [OPTION]... [-- ARGUMENT_OF_ANSIBLE_PLAYBOOK...]

Runs a playbook in check mode with diff, which changes nothing on a server, and posts the result for each server to
gitops-status-server: in sync with Git, the files that differ, or the reason why the check failed.

  option             variable           default
  --url URL          GITOPS_STATUS_URL  http://gitops-status-server.observability-stack.svc.cluster.local:80/api/status
                                        the complete address of the POST
  --repo NAME        GITOPS_REPO        owner/name from CI, else the name of the Git repository; version 0.1 used
                                        CI_REPO_NAME: to keep the short names, set GITOPS_REPO to it
  --playbook FILE    GITOPS_PLAYBOOK    drift-check.yml
  --inventory FILE   GITOPS_INVENTORY   Ansible's own default
  --base-path DIR    GITOPS_BASE_PATH   /etc
                                        file names are relative to it; {host} is replaced by the server's name
  --token-file FILE  GITOPS_TOKEN_FILE  the bearer token; GITOPS_TOKEN holds the token itself
  --timeout SECONDS  GITOPS_TIMEOUT     30, for each POST
  --labels LIST      GITOPS_LABELS      none; such as env=prod,owner=team-a
  --stale-after SECONDS
                     GITOPS_STALE_AFTER the server's setting
  --show-output      GITOPS_SHOW_OUTPUT false: log the output of Ansible in the format of your stdout callback; it may
                                        contain the contents of files
  --show-diff        GITOPS_SHOW_DIFF   false: log the differences in each file
  --send-diff        GITOPS_SEND_DIFF   false: send the differences, too (16 KiB a file, 512 KiB in all). Contents of
                                        files then leave this machine; text that looks like a password or a key is
                                        replaced by ***
  --mask-file FILE   GITOPS_MASK_FILE   none: more regular expressions (Python), one a line, of text to replace
  --any-commit       GITOPS_ANY_COMMIT  false: report also a commit that is no longer the head of its branch
  --accept-partial   GITOPS_ACCEPT_PARTIAL
                                        false: report also an incomplete run: limited by --tags, --skip-tags,
                                        --start-at-task or --step, ended early by meta: end_host or similar, or with
                                        tasks skipped because their modules have no check mode
  --dry-run          GITOPS_DRY_RUN     false: print the report instead of sending it
  --version, --help

An option overrides its variable; an empty variable counts as not set. GITOPS_TOKEN and GITOPS_STATUS_URL are not passed
to Ansible.

The report contains the commit, its branch and the address of the run: from GITOPS_COMMIT, GITOPS_BRANCH and
GITOPS_PIPELINE_URL, else from the variables of Woodpecker, GitLab, GitHub, Forgejo, Gitea or Jenkins, else the commit
and the branch of the checkout. A pull request is never reported, nor is a commit that is no longer the head of its
branch in the remote repository "origin".

Addresses on this machine or in the cluster (no dot in the name, .svc, .cluster.local) bypass the proxy; others use
http_proxy, https_proxy and no_proxy.

Exit codes:
  0  every server was checked, whether it drifted or not, and the report was acknowledged
  1  a check failed, no server was checked, or only a part of the playbook was run
  2  nothing was run: an option or a setting is wrong, or a program is missing
  3  the report, or a part of it, was not acknowledged; the log has the result of the check
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
  # Variables of these names in the environment would be passed to the programs that are started here.
  unset url token
  url=${GITOPS_STATUS_URL:-http://gitops-status-server.observability-stack.svc.cluster.local:80/api/status}
  token=${GITOPS_TOKEN-}
  token_file=${GITOPS_TOKEN_FILE-}
  timeout=${GITOPS_TIMEOUT:-30}
  labels=${GITOPS_LABELS-}
  stale_after=${GITOPS_STALE_AFTER-}
  dry_run=$(switch GITOPS_DRY_RUN "${GITOPS_DRY_RUN-}")
  any_commit=$(switch GITOPS_ANY_COMMIT "${GITOPS_ANY_COMMIT-}")
  # Both may hold a secret that the command must not get.
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
# by default.
in_checkout() {
  git -c safe.directory='*' -C "$checkout" "$@" 2>/dev/null </dev/null
}

# Sets the variables that CI has for the run: repo, commit, branch, pipeline_url, is_pull_request.
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
  elif [ -n "${JENKINS_URL-}${BUILD_TAG-}${CHANGE_ID-}" ]; then # Jenkins, also without an address of its own
    jenkins_branch=${BRANCH_NAME:-${GIT_BRANCH-}}
    read_run '' "${GIT_COMMIT-}" "${jenkins_branch#origin/}" "${BUILD_URL-}"
    [ -z "${CHANGE_ID-}" ] || is_pull_request=true
  fi
}

# The arguments: repository, commit, branch, address of the run. GITOPS_* overrides them.
read_run() {
  repo=${repo:-$1} commit=${commit:-$2} branch=${branch:-$3} pipeline_url=${pipeline_url:-$4}
}

# Reads values from the checkout that neither CI nor the environment has.
read_checkout() {
  [ -n "$repo" ] || repo=$(git_name)
  [ -n "$repo" ] || refuse 'the name of the repository is not known; set GITOPS_REPO'
  [ -z "$commit" ] || return 0
  # With uncommitted changes, the checkout is not a commit.
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
    *[[:space:][:cntrl:]\"\\]*) refuse 'the URL contains a space, a quote, a backslash or a control character' ;;
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
  work=$(mktemp -d "${TMPDIR:-/tmp}/$NAME.XXXXXX") || refuse 'cannot create a temporary directory'
  trap 'rm -rf "$work"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  mkdir "$work/posts"
}

# Runs one of the programs in $work, with the properties of the run in its environment.
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
    *[!a-zA-Z0-9._~+/=-]*) refuse 'the token has more than one line, or characters that a bearer token cannot have (RFC 6750); it is not shown' ;;
  esac
}

# Checks the settings that both scripts have.
check_settings() {
  check_url
  check_token
  case $timeout in
    '' | *[!0-9]* | 0*) refuse "the timeout must be a whole number of seconds, more than 0, not '$timeout'" ;;
  esac
  case $stale_after in
    *[!0-9]* | 0*) refuse "stale-after must be a whole number of seconds, more than 0, not '$stale_after'" ;;
  esac
  read_checkout
}
# Succeeds if the report must not be sent, and prints the reason: it would count as a check of the branch as it is now.
is_outdated() {
  [ "$is_pull_request" = false ] || { say 'Nothing is reported: this is a pull request.' && return; }
  [ "$any_commit" = false ] && [ -n "$branch" ] && [ -n "$commit" ] || return 1
  head=$(GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND="${GIT_SSH_COMMAND:-ssh} -o BatchMode=yes -o ConnectTimeout=10" \
    in_checkout ls-remote origin "refs/heads/$branch") || head=
  head=${head%%[!0-9a-f]*}
  if [ -z "$head" ]; then
    say "Cannot check that this commit is the head of $branch: the remote repository did not answer."
    return 1
  fi
  [ "$head" != "$commit" ] || return 1
  say "Nothing is reported: the head of $branch is now $head, and this run checked $commit. See --any-commit."
}

# Sends the posts in $work/posts, and returns the exit code of the script: 3 if one was not acknowledged, else
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
    --output "$work/answer" --write-out '%{http_code}\n%{content_type}\n%{redirect_url}' --user-agent "$AGENT/$VERSION" \
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

# Leaves the results in $work/result.json and Ansible's exit code in $ansible_code. Ansible's output goes to the log.
run_check() {
  set -- --check --diff "$@"
  [ -z "$inventory" ] || set -- --inventory "$inventory" "$@"
  # Ansible refuses to start if the locale is not UTF-8.
  case ${LC_ALL-} in C | POSIX) export LC_ALL=C.UTF-8 ;; esac
  say "Checking $repo: ansible-playbook $playbook --check --diff"
  callback_plugins=$(callback_plugins) || exit 2
  [ "$show_output" = true ] || export ANSIBLE_STDOUT_CALLBACK=gitops_silent
  ansible_code=0
  # From ansible-core 2.21 on, callbacks get the arguments of tasks, which may alone name the file, only on request.
  ANSIBLE_CALLBACK_PLUGINS="$work/callback:$callback_plugins" ANSIBLE_INJECT_INVOCATION=true \
    GITOPS_RESULT="$work/result.json" ansible-playbook "$@" "$playbook" >&2 </dev/null || ansible_code=$?
}

# Prints the operator's callback directories. ansible-config is slow, so it is run only if a file of settings names them.
callback_plugins() {
  if [ -n "${ANSIBLE_CALLBACK_PLUGINS-}" ]; then
    printf '%s' "$ANSIBLE_CALLBACK_PLUGINS"
  elif grep -Eqs '^ *callback_plugins' "${ANSIBLE_CONFIG:-ansible.cfg}" "${ANSIBLE_CONFIG:-.}/ansible.cfg" \
    "${HOME-}/.ansible.cfg" /etc/ansible/ansible.cfg; then
    ANSIBLE_FORCE_COLOR=false ANSIBLE_VERBOSITY=0 ansible-config dump --format json >"$work/config.json" && python callback_paths.py "$work/config.json"
  else
    printf '%s' "${ANSIBLE_HOME:-${HOME-}/.ansible}/plugins/callback:/usr/share/ansible/plugins/callback"
  fi
}

# Writes the posts to $work/posts; fails if a check failed.
report() {
  GITOPS_BASE_PATH=$base_path GITOPS_SHOW_DIFF=$show_diff GITOPS_SEND_DIFF=$send_diff \
    GITOPS_ACCEPT_PARTIAL=$accept_partial GITOPS_MASK_FILE=$mask_file python report.py "$work" "$ansible_code" "$began"
}

# Writes the programs to $work.
write_programs() {
  mkdir "$work/callback"
  cat >"$work/callback/gitops_result.py" <<'PYTHON'
"""An Ansible callback that writes what a run found to the file that GITOPS_RESULT names, and prints nothing.

Not to standard output: from ansible-core 2.22 on, Ansible replaces secrets in all that it displays, and the results
hold the contents of files, which must not be in a log. Two facts have no event, and are read where Ansible decides
them: whether a server got to the end of its plays, and which files of a copied directory differ.
"""

from __future__ import annotations

import atexit
import json
import os
import posixpath
from typing import Any

from ansible import context
from ansible.executor import task_queue_manager
from ansible.executor.play_iterator import IteratingStates, PlayIterator
from ansible.playbook.handler import Handler
from ansible.plugins.action import ActionBase
from ansible.plugins.action.copy import ActionModule as CopyAction
from ansible.plugins.callback import CallbackBase
from ansible.utils.display import Display

DOCUMENTATION = """
name: gitops_result
type: notification
short_description: Writes the results as one JSON document
description: Writes the results, the servers that did not get to the end of the plays, and the limits of the run.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "gitops_result"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.playbooks_left = len(context.CLIARGS["args"])
        self.plays: list[dict[str, Any]] = []
        # By play, its name and the servers for which it was not begun yet; None: which they are is not known.
        self.not_begun: dict[str, tuple[str, set[str] | None]] = {}
        self.begun: set[str] = set()
        # The servers of all plays, and those of them that are in no inventory: Ansible's own localhost.
        self.hosts: dict[str, bool] = {}
        self.stats: dict[str, dict[str, int]] = {}
        self.questions: list[str] = []
        # By task and server, the results of the items of a loop.
        self.items: dict[tuple[str, str], list[str]] = {}
        progress.begin()
        # Ansible may end with an error before it sends the sums.
        atexit.register(self.write, os.getpid())

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self.playbooks_left -= 1
        for play in playbook.get_plays():
            hosts = hosts_of(play)
            self.not_begun[play._uuid] = (play.get_name(), {host.get_name() for host in hosts} or None)
            self.hosts.update((host.get_name(), host.implicit) for host in hosts)

    def v2_playbook_on_vars_prompt(self, varname: str, *args: Any, **kwargs: Any) -> None:
        self.questions.append(varname)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        self.plays.append({"play": {"name": play.get_name()}, "tasks": [], "questions": self.questions})
        self.questions = []
        # With `serial` a play begins once for each batch of its servers.
        names = play.get_variable_manager().get_vars(play=play)
        if play._uuid not in self.begun:
            self.begun.add(play._uuid)
            self.not_begun[play._uuid] = (play.get_name(), set(names["ansible_play_hosts_all"]))
        name, left = self.not_begun[play._uuid]
        self.not_begun[play._uuid] = (name, (left or set()) - set(names["ansible_play_batch"]))
        self.plays[-1]["hosts"] = list(names["ansible_play_batch"])

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        progress.told = len(progress.errors)
        self.tasks[task._uuid] = {
            "task": {
                "name": task.get_name(),
                "for_real": task.check_mode is False,
                "handler": isinstance(task, Handler),
                "asks": task.action.rsplit(".", 1)[-1] == "pause" and not {"minutes", "seconds"} & task.args.keys(),
                "writes": "dest" in task.args,
            },
            "hosts": {},
        }
        self.plays[-1]["tasks"].append(self.tasks[task._uuid])

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self.v2_playbook_on_task_start(task, False)

    def v2_runner_on_ok(self, result: Any, **kwargs: Any) -> None:
        task, host = result._task, result._host
        if task._uuid not in self.tasks:
            self.v2_playbook_on_task_start(task, False)
        self.hosts[host.get_name()] = host.implicit
        # Ansible removes `failed` and `skipped` before it calls a callback.
        found = dict(unmasked(result), action=task.action, **kwargs)
        states = self.items.pop((task._uuid, host.get_name()), [])
        items = found.get("results")
        if isinstance(items, list) and len(items) == len(states):
            found["results"] = [dict(item, **{state: True}) for item, state in zip(items, states)]
        hosts = self.tasks[task._uuid]["hosts"]
        # An include fails after it was reported as done, and then has only the reason.
        hosts[host.get_name()] = {**hosts.get(host.get_name(), {}), "msg": None, **found}

    def v2_runner_item_on_ok(self, result: Any, state: str = "ok") -> None:
        self.items.setdefault((result._task._uuid, result._host.get_name()), []).append(state)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self.v2_runner_item_on_ok(result, "failed")

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        self.v2_runner_item_on_ok(result, "skipped")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self.v2_runner_on_ok(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self.v2_runner_on_ok(result, unreachable=True)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self.v2_runner_on_ok(result, skipped=True)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self.stats = {host: stats.summarize(host) for host in stats.processed}

    def write(self, process: int) -> None:
        """Writes the document, when Ansible ends; not in a worker, which is a copy of its process."""
        if process != os.getpid():
            return
        document = {
            "plays": self.plays,
            "stats": self.stats,
            "hosts": {name: bool(implicit) for name, implicit in self.hosts.items()},
            "unfinished": self.unfinished(),
            "errors": progress.errors,
            "selection": selection(),
        }
        path = os.environ["GITOPS_RESULT"]
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            # A name that is not UTF-8 has halves of surrogate pairs, which only the escapes of JSON can keep.
            json.dump(plain(document), file, default=str)

    def unfinished(self) -> dict[str, list[dict[str, str]]]:
        """The reasons why servers did not get to the end of all their plays, by server."""
        found = progress.unfinished()
        for name, left in self.not_begun.values():
            for host in self.hosts if left is None else left:
                found.setdefault(host, []).append({"why": "not begun", "play": name})
        if self.playbooks_left > 0:
            for host in self.hosts:
                found.setdefault(host, []).append({"why": "not begun", "play": "the next playbook"})
        return found


class Progress:
    """The progress of each server in each play."""

    def __init__(self) -> None:
        self.iterators: list[PlayIterator] = []
        # Events of a server beside the results of its tasks.
        self.events: dict[str, list[dict[str, str]]] = {}
        # The errors that Ansible displayed.
        self.errors: list[str] = []
        self.told = 0

    def begin(self) -> None:
        task_queue_manager.PlayIterator = WatchedIterator
        Display.error = watched_error(Display.error)
        ActionBase._execute_module = watched_module(ActionBase._execute_module)
        CopyAction.run = watched_copy(CopyAction.run)
        CopyAction._copy_file = watched_copy_file(CopyAction._copy_file)

    def failed(self, host: str, next_task: str | None) -> None:
        """A server counts as failed: by a task, by an include without a task, or because another server failed."""
        reason = "; ".join(self.errors[self.told :])
        if reason or next_task:
            self.events.setdefault(host, []).append({"why": "failed", "error": reason})

    def unfinished(self) -> dict[str, list[dict[str, str]]]:
        found = {host: list(events) for host, events in self.events.items()}
        for iterator in self.iterators:
            for name in list(iterator.host_states):
                task = iterator.next_task(name)
                if task:
                    found.setdefault(name, []).append({"why": "left", "task": task})
        return found


progress = Progress()


class WatchedIterator(PlayIterator):  # type: ignore[misc]
    """Ansible's own account of how far each server is in a play."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        progress.iterators.append(self)

    def mark_host_failed(self, host: Any) -> None:
        progress.failed(host.name, self.next_task(host.name))
        super().mark_host_failed(host)

    def set_run_state_for_host(self, hostname: str, run_state: Any) -> None:
        """Ansible calls it for `meta: end_host`, `end_batch` and `end_play` alone."""
        task = self.next_task(hostname) if run_state == IteratingStates.COMPLETE else None
        if task:
            progress.events.setdefault(hostname, []).append({"why": "ended", "task": task})
        super().set_run_state_for_host(hostname, run_state)

    def next_task(self, hostname: str) -> str | None:
        """The name of the next task of the playbook for a server; None if there is none left."""
        host = self._variable_manager._inventory.get_host(hostname)
        state = self.get_host_state(host) if host and hostname in self.host_states else None
        while state and state.run_state != IteratingStates.COMPLETE:
            state, task = self._get_next_task_from_state(state, host=host)
            # Implicit ones are no tasks of the playbook: they end a role, or run its handlers.
            if task and not task.implicit:
                return str(task.get_name())
        return None


def watched_error(original: Any) -> Any:
    def error(self: Any, msg: Any, *args: Any, **kwargs: Any) -> Any:
        # Without the lines of the playbook that Ansible shows.
        progress.errors.append(str(msg).split("\n\nThe offending line")[0].split("\n\nThe error appears")[0].strip())
        return original(self, msg, *args, **kwargs)

    return error


def watched_module(original: Any) -> Any:
    """A module follows links and then names their target; `gitops_path` gets the path of the task."""

    def _execute_module(self: Any, *args: Any, **kwargs: Any) -> Any:
        arguments = kwargs.get("module_args") or self._task.args
        path = next((arguments[name] for name in ("path", "dest") if isinstance(arguments.get(name), str)), None)
        result = original(self, *args, **kwargs)
        if path and result.get("changed"):
            result.setdefault("gitops_path", path)
            getattr(self, "gitops_files", []).append(path)
        return result

    return _execute_module


def watched_copy(original: Any) -> Any:
    """Ansible says only whether something in a copied directory differs; `gitops_files` gets the files."""

    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        changed = self.gitops_files = []
        result = original(self, *args, **kwargs)
        if len(changed) > 1 or (changed and "diff" not in result):
            result["gitops_files"] = list(dict.fromkeys(changed))
        return result

    return run


def watched_copy_file(original: Any) -> Any:
    def _copy_file(self: Any, full: str, relative: str, content: Any, temporary: Any, dest: str, *args: Any) -> Any:
        result = original(self, full, relative, content, temporary, dest, *args)
        if result and result.get("changed"):
            path = posixpath.join(dest, relative) if dest.endswith("/") else dest
            self.gitops_files.append(result.get("dest") or result.get("path") or path)
        return result

    return _copy_file


def unmasked(result: Any) -> dict[str, Any]:
    """A result as the module gave it; that of a task with no_log is censored all the same.

    From ansible-core 2.22 on, callbacks are given results in which each secret that Ansible knows is replaced, however
    short it is, in keys, too: with a vaulted value `changed` a result does not say any more whether something changed.
    """
    found = getattr(result, "_CallbackTaskResult__utr", None)
    if found is None or not hasattr(found, "as_result_dict"):
        return dict(result._result)
    return dict(found.as_result_dict(for_callback=True, censor_callback_result=result.task.no_log or found.no_log))


def hosts_of(play: Any) -> list[Any]:
    """The servers that a play is for, as far as that is known before it begins."""
    try:
        return list(play.get_variable_manager()._inventory.get_hosts(play.hosts))
    except Exception:  # the pattern may need variables that are set later
        return []


def selection() -> dict[str, str]:
    """The limits of the run, from flags, variables or ansible.cfg."""
    tags = [tag for tag in context.CLIARGS.get("tags") or [] if tag != "all"]
    chosen = {
        "--tags": ",".join(tags),
        "--skip-tags": ",".join(context.CLIARGS.get("skip_tags") or []),
        "--start-at-task": context.CLIARGS.get("start_at_task"),
        "--step": context.CLIARGS.get("step"),
    }
    return {option: str(value) for option, value in chosen.items() if value}


def plain(value: Any) -> Any:
    """A value with texts as keys: YAML also has dates and numbers there."""
    if isinstance(value, dict):
        return {str(key): plain(member) for key, member in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value
PYTHON
  cat >"$work/callback/gitops_silent.py" <<'PYTHON'
"""An Ansible callback that shows nothing: Ansible's output for a task may contain the contents of files."""

from __future__ import annotations

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: gitops_silent
type: stdout
short_description: Shows nothing
description: Shows nothing.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "gitops_silent"
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
    """Text that UTF-8 can write: bytes of a name that are not UTF-8 are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def as_name(text: str) -> str:
    """A name that the server accepts: invisible characters, and blanks at either end, are escaped."""
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
    """Writes a line to the log. Control characters are escaped: names come from servers."""
    shown = "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)
    print(writable(shown), file=sys.stderr)
PYTHON
  cat >"$work/run.py" <<'PYTHON'
"""The properties of a run of CI, which are in all its reports. Run as a program, it checks the settings."""

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
    """The common properties of a snapshot and a failed check: repo, and pipeline_url, labels, stale_after if known."""
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
    """A snapshot: the differences from Git, none if `files` is empty."""
    verdict = {"sync_status": "OUT_OF_SYNC" if files else "SYNCED", "drift_count": len(files), "files": files}
    return {**head(), "server": server, **checked_commit(), "last_check": began, **verdict}


def failed_check(server: str, began: str, reason: str) -> dict[str, Any]:
    """The report of a check that was not completed. `reason` is cut to the server's limit."""
    return {**head(), "server": server, "check_failed": writable(reason)[:4096], "attempted_at": began}


def check() -> int:
    """Checks the settings that the shell does not; returns 0 if they are valid, else 1."""
    for pair in filter(None, setting("LABELS").split(",")):
        if not re.match(LABEL, pair):
            say(f"labels must have the form env=prod,owner=team-a, not '{pair}'")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(check())
PYTHON
  cat >"$work/delivery.py" <<'PYTHON'
"""Posts that deliver reports. Run as a program, it explains the server's answer to a post."""

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
    """A report as JSON. If there are too many differences, the first of them and the number of the others."""
    text = json.dumps(report, ensure_ascii=False)
    files = report.get("files", [])
    kept = files
    while len(text.encode()) > POST_BYTES_MAX or len(kept) > POST_ITEMS_MAX:
        kept = kept[: min(len(kept) // 2, POST_ITEMS_MAX - 1)]
        more = {"name": f"{len(files) - len(kept)} more files", "kind": "other"}
        text = json.dumps(dict(report, drift_count=len(kept) + 1, files=[*kept, more]), ensure_ascii=False)
    return text


def answer(url: str, curl_code: str, received: str, posted: str, file: str) -> int:
    """Logs the result of a post; returns 0 if it was acknowledged, else 3.

    `received` has the status, the type of the answer and the target of a redirect, a line each.
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
        tell_all([f"See {body['help']}"] if "help" in body else [])
    else:
        tell_all(text[:TEXT_MAX].splitlines())
    return 3


def missing_receipts(content_type: str, body: Any, posted: str) -> str | None:
    """The reason why an answer does not acknowledge a post; None if it does."""
    if content_type.split(";")[0].strip().lower() != "application/json":
        return f"with {content_type or 'no Content-Type'} instead of receipts"
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
  cat >"$work/callback_paths.py" <<'PYTHON'
"""Prints the operator's callback directories, from the output of `ansible-config dump --format json`."""

from __future__ import annotations

import json
import sys

from text import say


def directories(path: str) -> list[str]:
    with open(path, encoding="utf-8") as file:
        settings = {entry.get("name"): entry.get("value") for entry in json.load(file)}
    return list(map(str, settings["DEFAULT_CALLBACK_PLUGIN_PATH"]))


if __name__ == "__main__":
    try:
        print(":".join(directories(sys.argv[1])))
    except (OSError, ValueError, AttributeError, KeyError) as error:
        say(f"cannot read the output of ansible-config: {error}")
        sys.exit(1)
PYTHON
  cat >"$work/modules.py" <<'PYTHON'
"""Properties of modules, by the last part of their names."""

from __future__ import annotations

# The kinds of objects that modules manage, other than files; the argument `name` of the module names the object.
KINDS = {
    "alternatives": "alternative",
    "at": "at job",
    "cron": "cron job",
    "group": "group",
    "hostname": "hostname",
    "locale_gen": "locale",
    "modprobe": "kernel module",
    "mount": "mount",
    "seboolean": "SELinux boolean",
    "timezone": "timezone",
    "user": "user",
    **dict.fromkeys("openrc runit service systemd systemd_service sysvinit".split(), "service"),
    **dict.fromkeys("snap flatpak gem npm pip pipx".split(), "package"),
    **dict.fromkeys(
        "apk apt apt_rpm dnf dnf5 homebrew opkg package pacman pkgng portage swupd yum yum4 zypper".split(), "package"
    ),
}
# Modules that act or ask rather than describe how something should be.
IMPERATIVE = frozenset(
    """
    async_status command expect fetch find getent pause ping raw reboot script shell slurp stat tempfile uri wait_for
    wait_for_connection win_command win_shell
    """.split()
)
# Modules that look at nothing that Git could tell.
IDLE = frozenset("add_host assert debug gather_facts group_by include_vars meta pause set_fact set_stats setup".split())
# Modules whose changes are none of the server's.
NEVER_CHANGE = frozenset("add_host group_by fetch".split())
# Imperative modules that write a file.
WRITERS = frozenset("tempfile uri".split())
# Modules that are not about a file, whatever paths their results have.
NO_FILES = (
    KINDS.keys()
    | IDLE
    | (IMPERATIVE - WRITERS)
    | frozenset(
        """
        debconf dpkg_selections fail filesystem firewalld import_role import_tasks include include_role include_tasks
        iptables lvg lvol package_facts parted rhsm_release rpm_key selinux_permissive service_facts ufw
        validate_argument_spec
        """.split()
    )
)
PYTHON
  cat >"$work/results.py" <<'PYTHON'
"""The parts of a result of Ansible: its items, and the failed ones with their reasons."""

from __future__ import annotations

from typing import Any

from modules import IMPERATIVE
from text import writable

Result = dict[str, Any]

LABEL_MAX = 200
MESSAGE_MAX = 500


def action_of(result: Result) -> str:
    """The last part of the module's name."""
    return str(result.get("action", "")).rsplit(".", 1)[-1]


def items_of(result: Result) -> list[Result]:
    results = result.get("results")
    return [item for item in results if isinstance(item, dict)] if isinstance(results, list) else []


def leaves_of(result: Result) -> list[tuple[int | None, Result]]:
    """The items of a loop, each with its position from 1; without a loop the result itself."""
    items = items_of(result)
    # A failed loop counts as unchanged though items have changed, and a module may have `results` of its own.
    if not items or (result.get("changed") and not any(item.get("changed") for item in items)):
        return [(None, result)]
    return list(enumerate(items, 1))


def failures_of(result: Result) -> list[str]:
    """A text for each failed item of the task; without items, for the result itself."""
    items = [(item, label_of(item, position)) for position, item in enumerate(items_of(result), 1)]
    failed = [(item, label) for item, label in items if item.get("failed") or item.get("unreachable")]
    if not failed and (result.get("failed") or result.get("unreachable")):
        failed = [(result, "")]
    return [
        f"{'unreachable' if leaf.get('unreachable') else 'failed'}{label}: {message_of(leaf)}" for leaf, label in failed
    ]


def message_of(leaf: Result) -> str:
    """Ansible's reason, and the last line of output of a command or of a module that crashed."""
    places = ("reason", "msg", "censored", "exception")
    message = str(next((leaf[name] for name in places if leaf.get(name)), "no message")).strip()
    for name in ("module_stderr", "module_stdout", "stderr", "stdout"):
        lines = str(leaf.get(name) or "").strip().splitlines()
        if lines and lines[-1] not in message:
            message += f" ({lines[-1].strip()})"
            break
    return writable(message)[:MESSAGE_MAX]


def suppressed_failure(leaf: Result, action: str) -> str | None:
    """The error of a module that could not check its object, if `failed_when` hides the failure; else None."""
    if leaf.get("failed_when_result") is not False or leaf.get("changed") or action in IMPERATIVE:
        return None
    # From ansible-core 2.19 on there is a property for it; before, only the message shows it.
    if "failed_when_suppressed_exception" in leaf or leaf.get("rc") == 257 or leaf.get("state") == "absent":
        return message_of(leaf)
    return None


def label_of(leaf: Result, position: int | None) -> str:
    """The label of a loop's item, for a message."""
    if position is None:
        return ""
    label = leaf.get("_ansible_item_label", leaf.get(leaf.get("ansible_loop_var", "item")))
    return f" ({label[:LABEL_MAX]})" if isinstance(label, str) and label else f" (item {position})"
PYTHON
  cat >"$work/paths.py" <<'PYTHON'
"""The file of a result of Ansible, and the differences in it."""

from __future__ import annotations

import difflib
import os
import re
from typing import Any

from results import Result


def path_of(leaf: Result) -> str | None:
    """The path of the file of a result. Its property depends on the module and the change.

    The item does not name it: a loop may have any items. Nor does `after_header`, which is a path on the controller
    except for a module that makes the file.
    """
    arguments = arguments_of(leaf)
    entries = diffs_of(leaf)
    headers = [header_of(entry) for entry in entries]
    headers = [header for header in headers if header[:1] in ("/", "~")]
    places: list[Any] = [leaf.get("gitops_path"), leaf.get("path"), leaf.get("dest")]
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


def header_of(entry: dict[str, Any]) -> str:
    header = entry.get("before_header")
    if header == "/dev/null":
        header = entry.get("after_header")
    return re.sub(r" \((content|file attributes)\)$", "", header) if isinstance(header, str) else ""


def arguments_of(leaf: Result) -> dict[str, Any]:
    invocation = leaf.get("invocation")
    arguments = invocation.get("module_args") if isinstance(invocation, dict) else None
    return arguments if isinstance(arguments, dict) else {}


def diffs_of(leaf: Result) -> list[dict[str, Any]]:
    diff = leaf.get("diff")
    return [entry for entry in (diff if isinstance(diff, list) else [diff]) if isinstance(entry, dict)]


def diff_of(leaf: Result) -> str:
    """The differences as readable text: from the content on the server to the content in Git."""
    return "".join(map(diff_text, diffs_of(leaf)))


def diff_text(entry: dict[str, Any]) -> str:
    prepared = entry.get("prepared")
    if isinstance(prepared, str):
        return prepared
    before, after = entry.get("before", ""), entry.get("after", "")
    if isinstance(before, dict) and isinstance(after, dict):
        return "".join(
            f"{sign}{key}: {side[key]}\n"
            for key in sorted(before.keys() | after.keys())
            for sign, side in (("-", before), ("+", after))
            if key in side and before.get(key) != after.get(key)
        )
    return "".join(difflib.unified_diff(lines_of(before), lines_of(after), "server", "git"))


def lines_of(text: Any) -> list[str]:
    lines = [line + "\n" for line in str(text).split("\n")]
    return lines[:-1] if lines[-1] == "\n" else lines
PYTHON
  cat >"$work/differences.py" <<'PYTHON'
"""The name of a changed result: the files that differ, or another object."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from modules import KINDS, NO_FILES
from paths import arguments_of, diffs_of, path_of
from results import LABEL_MAX, Result, label_of
from text import as_name

ITEMIZED = re.compile(r"(?:[<>ch.*][fdLDS]\S{9}|[<>c.][fdL]\S{6}\.\?\?|\*deleting {2,}) (.+)")


class Difference(NamedTuple):
    name: str
    is_file: bool


class Namer:
    """Names the differences of one server."""

    def __init__(self, base: str) -> None:
        self.base = base
        # By name, the tasks that have it, in the order of the run.
        self.tasks: dict[str, list[int]] = {}

    def title(self, name: str, task: int) -> str:
        """The name of a task, unique on the server."""
        tasks = self.tasks.setdefault(name, [])
        if task not in tasks:
            tasks.append(task)
        number = tasks.index(task) + 1
        return name[:LABEL_MAX] if number == 1 else f"{name[:LABEL_MAX]} ({number})"

    def names(self, leaf: Result, action: str, title: str, position: int | None) -> list[Difference]:
        """The differences of a changed result. `title` is the task's."""
        arguments = arguments_of(leaf)
        if leaf.get("censored"):
            return [Difference(as_name(f"(hidden by no_log) {title}"), False)]
        if action == "mount" and arguments.get("state") in ("present", "absent_from_fstab"):
            return [self.file(str(leaf.get("fstab") or "/etc/fstab"))]
        if action == "cron" and arguments.get("cron_file"):
            return [self.file(posixpath.join("/etc/cron.d", arguments["cron_file"]))]
        paths = [] if action in NO_FILES else written_paths(leaf, action)
        return [self.file(path) for path in paths] or [Difference(other_name(leaf, action, title, position), False)]

    def file(self, path: str) -> Difference:
        path = normalized(path)
        return Difference(as_name(path[len(self.base) :] if path.startswith(self.base) else path), True)


def other_name(leaf: Result, action: str, title: str, position: int | None) -> str:
    arguments = arguments_of(leaf)
    name = arguments.get("path" if action == "mount" else "name") or arguments.get("package")
    name = ", ".join(map(str, name)) if isinstance(name, list) else name
    if action in KINDS and name and isinstance(name, str):
        return as_name(f"{KINDS[action]} {name[:LABEL_MAX]}")
    return as_name(title + label_of(leaf, position))


def written_paths(leaf: Result, action: str) -> list[str]:
    """The files that a module writes; none if it names none."""
    arguments = arguments_of(leaf)
    if leaf.get("gitops_files"):
        return [str(path) for path in leaf["gitops_files"]]
    if action == "pamd" and arguments.get("name"):
        return [posixpath.join(arguments.get("path") or "/etc/pam.d", arguments["name"])]
    path = path_of(leaf)
    if action in ("synchronize", "unarchive") and path:
        itemized = [
            ITEMIZED.match(line) for entry in diffs_of(leaf) for line in str(entry.get("prepared", "")).splitlines()
        ]
        names = [match.group(1).split(" -> ")[0] for match in itemized if match]
        # rsync lists the directory itself, too.
        files = [name for name in names if not name.endswith("/")] or names
        root = path.split(":", 1)[-1]
        return [posixpath.join(root, name) for name in files] or [root]
    return [path] if path else []


def normalized(path: str) -> str:
    """One name for each path: without `..`, double slashes or a slash at its end."""
    path = posixpath.normpath(path)
    return path[1:] if path.startswith("//") else path
PYTHON
  cat >"$work/masks.py" <<'PYTHON'
"""Hides text that looks like a secret before it leaves the machine. Run as a program, it checks a file of patterns."""

from __future__ import annotations

import re
import sys

from text import say

HIDDEN = "***"

# Each hides its group `secret`, or all that it matches if it has none. None begins with a repetition, which would take
# quadratic time.
PATTERNS = (
    # The keys and certificates of PEM, and of OpenSSH.
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<secret>.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    # A line of such a block that stands alone.
    r"(?m)^[-+ ]?[ \t]*(?P<secret>[A-Za-z0-9+/]{40,}={0,2})$",
    # password = …, "api_key": "…", DB_PASSWORD=…, <token>…</token>
    r"(?i)(?:passw(?:or)?d|passphrase|secret|token|api_?-?key|access_?-?key|private_?-?key|credentials?|psk|pwd|community)"
    r"[\w.-]*[\"']?[ \t]*(?:=>|[:=>]|[ \t])[ \t]*(?P<secret>\"[^\"\n]*\"|'[^'\n]*'|[^\s\"'<;,][^\n<;,]*)",
    # Authorization: Bearer …, Basic …
    r"(?i)\b(?:bearer|basic)\s+(?P<secret>[A-Za-z0-9+/=._~-]{8,})",
    # scheme://user:password@host
    r"://[^\s/:@]*:(?P<secret>[^\s/@]+)@",
    # The hashes of crypt(3), as in /etc/shadow.
    r"(?P<secret>\$(?:1|2[abxy]?|5|6|7|y|argon2\w*)\$[^\s:\"']+)",
)


class Masks:
    def __init__(self, more: tuple[str, ...] = ()) -> None:
        """`more` are regular expressions of Python's `re`; raises `re.error` if one is none."""
        self.patterns = [re.compile(pattern, re.DOTALL if "BEGIN" in pattern else 0) for pattern in (*PATTERNS, *more)]

    def hide(self, text: str) -> str:
        for pattern in self.patterns:
            text = pattern.sub(hidden, text)
        return text


def hidden(match: re.Match[str]) -> str:
    group = "secret" if "secret" in match.re.groupindex else 0
    start, end = match.start(group) - match.start(), match.end(group) - match.start()
    return match.group()[:start] + HIDDEN + match.group()[end:]


def read_patterns(path: str) -> tuple[str, ...]:
    """The patterns of a file, one a line; an empty line and one that begins with # count as none."""
    with open(path, encoding="utf-8") as file:
        lines = [line.strip("\r\n") for line in file]
    return tuple(line for line in lines if line and not line.startswith("#"))


def check(path: str) -> int:
    """Returns 0 if the patterns of a file are valid, else 1."""
    try:
        Masks(read_patterns(path))
    except (OSError, UnicodeDecodeError, re.error) as error:
        detail = f"'{error.pattern!s}': {error}" if isinstance(error, re.error) else str(error)
        say(f"the mask file {path} must have one regular expression a line: {detail}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(check(sys.argv[1]))
PYTHON
  cat >"$work/servers.py" <<'PYTHON'
"""The results of a run of Ansible for each server."""

from __future__ import annotations

import json
from typing import Any

from differences import Difference, Namer, normalized
from masks import Masks
from modules import IDLE, IMPERATIVE, NEVER_CHANGE
from paths import diff_of
from results import Result, action_of, failures_of, leaves_of, suppressed_failure
from run import failed_check, snapshot
from text import FAULTS_MAX, say, tell_all, unique, writable

DIFF_MAX = 16 * 1024


def read_document(path: str) -> Any:
    """The document of the callback; None if there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def read_servers(document: Any, base_path: str, accept_partial: bool) -> list[Server]:
    """The servers of a document, each with its differences, and with its faults if the check failed."""
    # Ansible's own localhost, on which a play prepares the check, is no server; one of the inventory is.
    names = sorted(name for name, is_implicit in document["hosts"].items() if not is_implicit)
    servers = {name: Server(name, base_path, accept_partial) for name in names}
    for play in document["plays"]:
        questions = [f"no answer to {question}" for question in questions_of(play)]
        for name in servers.keys() & play["hosts"]:
            servers[name].faults += questions
        for task in play["tasks"]:
            for name in servers.keys() & task["hosts"].keys():
                servers[name].add(task["task"], task["hosts"][name])
    for name, server in servers.items():
        server.conclude(document["stats"].get(name, {}), document["unfinished"].get(name, []), document["errors"])
    return list(servers.values())


def questions_of(play: dict[str, Any]) -> list[str]:
    """The questions of a play, which get no answer in CI."""
    questions = [f"vars_prompt '{name}' (set it with --extra-vars)" for name in play["questions"]]
    for task in play["tasks"]:
        if task["task"].get("asks") and any(not result.get("skipped") for result in task["hosts"].values()):
            questions.append(f"the pause '{task['task']['name']}'")
    return questions


class Server:
    def __init__(self, name: str, base_path: str, accept_partial: bool) -> None:
        self.name = name
        self.accept_partial = accept_partial
        self.namer = Namer(normalized(base_path.replace("{host}", name)).rstrip("/") + "/")
        # The reasons why the check was not completed.
        self.faults: list[str] = []
        # By difference, what differs in it.
        self.differences: dict[Difference, list[str]] = {}
        self.remarks: list[str] = []
        self.looked_at = False
        self.tasks = 0

    def add(self, task: dict[str, Any], result: Result) -> None:
        """Takes the result of one task."""
        self.tasks += 1
        action = action_of(result)
        title = str(task.get("name") or action)
        unique_title = self.namer.title(title, self.tasks)
        failures = failures_of(result)
        self.faults += [f"'{title}' {failure}" for failure in failures[:FAULTS_MAX]]
        for position, leaf in leaves_of(result):
            if leaf.get("skipped"):
                self.skip(task, action, title, leaf)
                continue
            if "changed" not in leaf and not failures and not action.startswith("include"):
                self.faults.append(f"the result of '{title}' does not say whether something differs")
            self.looked_at = self.looked_at or action not in IDLE
            failure = suppressed_failure(leaf, action)
            if failure:
                self.faults.append(f"'{title}' failed, which failed_when hides: {failure}")
            # A result without a change has a diff and a path, too: only `changed` decides.
            if not leaf.get("changed") or leaf.get("failed") or action in NEVER_CHANGE:
                continue
            # What a handler changes follows from another change.
            if task.get("handler"):
                continue
            if task.get("for_real") and action not in IMPERATIVE:
                self.remarks.append(f"CHANGED FOR REAL by a task with check_mode: false: {title}")
            for difference in self.namer.names(leaf, action, unique_title, position):
                self.differences.setdefault(difference, []).append(diff_of(leaf))

    def skip(self, task: dict[str, Any], action: str, title: str, leaf: Result) -> None:
        """Takes a skipped task: a module without check mode did not check its object."""
        acts = action in IMPERATIVE and not (action == "uri" and task.get("writes"))
        if acts or "check mode" not in str(leaf.get("msg")):
            return
        remark = f"'{title}' was not checked: {action} has no check mode here"
        if self.accept_partial:
            self.remarks.append(remark)
        else:
            self.faults.append(f"{remark}. Skip it with `when: not ansible_check_mode`, or use --accept-partial")

    def conclude(self, counts: dict[str, int], unfinished: list[dict[str, str]], errors: list[str]) -> None:
        """Takes Ansible's own counts: everything in them must be among the faults."""
        ended = [f"meta ended the play before '{event['task']}'" for event in unfinished if event["why"] == "ended"]
        if not self.accept_partial:
            self.faults += [f"{each}; see --accept-partial" for each in ended[:1]]
        if not self.faults:
            self.faults += unique(stopped(event, errors) for event in unfinished if event["why"] != "ended")
        for kind in ("unreachable", "failures", "ignored", "rescued"):
            if counts.get(kind) and not self.faults:
                self.faults.append(f"ansible-playbook counts {counts[kind]} {kind}")
        if not self.looked_at and not self.faults:
            self.faults.append("nothing was checked: every task was skipped")

    def tell(self, show_diff: bool) -> None:
        """Logs the result."""
        found = sorted(self.differences)
        if self.faults:
            say(f"{self.name}: CHECK FAILED")
            tell_all(self.faults)
        elif found:
            say(f"{self.name}: OUT_OF_SYNC, drifted: {len(found)}")
        else:
            say(f"{self.name}: SYNCED")
        if self.faults and found:
            say("  differences found before that:")
        for difference in found:
            say(f"  {difference.name}")
            for line in self.diff(difference).splitlines() if show_diff else []:
                say(f"    {line}")
        tell_all(self.remarks)

    def diff(self, difference: Difference) -> str:
        """The text of a difference, with at most DIFF_MAX bytes and one more line."""
        text = writable("".join(unique(self.differences[difference])))
        if len(text.encode()) <= DIFF_MAX:
            return text
        return text.encode()[:DIFF_MAX].decode("utf-8", "ignore") + f"\n… (cut at {DIFF_MAX // 1024} KiB)\n"

    def report(self, began: str, diffs: Any, masks: Masks) -> dict[str, Any]:
        """A snapshot, or a failed check if there are faults."""
        if self.faults:
            return failed_check(self.name, began, "; ".join(unique(self.faults)))
        files = []
        # A name is a file's, if both have it.
        for difference in {each.name: each for each in sorted(self.differences)}.values():
            entry = {"name": difference.name} if difference.is_file else {"name": difference.name, "kind": "other"}
            diff = masks.hide(self.diff(difference))
            files.append(dict(entry, diff=diff) if diff and diffs.take(diff) else entry)
        return snapshot(self.name, began, files)


def stopped(event: dict[str, str], errors: list[str]) -> str:
    """The reason why the check of a server was not completed, though none of its own tasks failed."""
    if event["why"] == "failed":
        return event["error"] or "the check was stopped early, because another server failed"
    if event["why"] == "left":
        return f"the check was stopped before '{event['task']}'" + (f": {errors[-1]}" if errors else "")
    return f"Ansible ended before the start of the play '{event['play']}'" + (f": {errors[-1]}" if errors else "")
PYTHON
  cat >"$work/report.py" <<'PYTHON'
"""Makes the report from Ansible's results: a snapshot or a failed check for each server."""

from __future__ import annotations

import json
import os
import sys

from delivery import write_posts
from masks import Masks, read_patterns
from run import setting
from servers import read_document, read_servers
from text import say

DIFFS_MAX = 512 * 1024


def build(work: str, ansible_code: str, began: str) -> int:
    """Writes the posts to WORK/posts; returns 0 if all checks were completed, else 1."""
    send_diff, show_diff = setting("SEND_DIFF") == "true", setting("SHOW_DIFF") == "true"
    document = read_document(os.path.join(work, "result.json"))
    selection = document and document.get("selection")
    accept_partial = setting("ACCEPT_PARTIAL") == "true"
    if selection and not accept_partial:
        options = ", ".join(f"{option} {value}" for option, value in sorted(selection.items()))
        say(f"Nothing is reported: the check ran only a part of the playbook ({options}). See --accept-partial.")
        return 1
    servers = read_servers(document, setting("BASE_PATH"), accept_partial) if document else []
    for server in servers:
        server.tell(show_diff)

    diffs = Budget(DIFFS_MAX if send_diff else 0)
    masks = Masks(read_patterns(setting("MASK_FILE")) if setting("MASK_FILE") else ())
    write_posts(work, [server.report(began, diffs, masks) for server in servers])
    if send_diff and diffs.refused:
        say(f"The diffs of {diffs.refused} files are not sent: together they are larger than {DIFFS_MAX // 1024} KiB.")
    if document is None:
        say("No server is reported: ansible-playbook ended without a result.")
    elif not servers:
        say("No server is reported: no server was checked. Does hosts: of the playbook match any in the inventory?")
    if ansible_code != "0":
        say(f"ansible-playbook ended with exit code {ansible_code}.")
    all_checked = servers and not any(server.faults for server in servers)
    return 0 if all_checked and ansible_code == "0" else 1


class Budget:
    """Accepts texts until their size as JSON exceeds a limit."""

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
show_output=$(switch GITOPS_SHOW_OUTPUT "${GITOPS_SHOW_OUTPUT-}")
show_diff=$(switch GITOPS_SHOW_DIFF "${GITOPS_SHOW_DIFF-}")
mask_file=${GITOPS_MASK_FILE-}
send_diff=$(switch GITOPS_SEND_DIFF "${GITOPS_SEND_DIFF-}")
accept_partial=$(switch GITOPS_ACCEPT_PARTIAL "${GITOPS_ACCEPT_PARTIAL-}")

while [ $# -gt 0 ]; do
  option=$1
  shift
  case $option in
    --) break ;;
    --help | -h) usage && exit ;;
    --version) echo "$NAME $VERSION" && exit ;;
    --show-output) show_output=true && continue ;;
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
    *) refuse "'$option' is not an option; arguments of ansible-playbook go after --; see --help" ;;
  esac
  case $option in
    --playbook) playbook=$value ;;
    --inventory) inventory=$value ;;
    --base-path) base_path=$value ;;
    --mask-file) mask_file=$value ;;
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
[ -z "$mask_file" ] || python masks.py "$mask_file" || exit 2
# The start of the check: one that began earlier and ends later must not replace a newer one.
began=$(date -u +%Y-%m-%dT%H:%M:%SZ)
run_check "$@"
code=0
report || code=1
deliver "$code"
