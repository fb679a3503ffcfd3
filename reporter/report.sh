#!/bin/sh
# Runs a command that compares a server with Git, and reports the result to gitops-status-server. One file: copy it
# into the repository or into CI's image. It needs python3 and curl. See --help.
# shellcheck disable=SC2034,SC2154 # settings.sh and delivery.sh set and read the rest
set -eu

NAME=report.sh
AGENT=gitops-report
VERSION=0.2.0

usage() {
  cat <<'HELP'
Usage: report.sh --repo NAME --server NAME [OPTION]... -- COMMAND [ARGUMENT]...

Runs a command that compares a server with Git and changes nothing, and posts the result to gitops-status-server: in
sync with Git, the differences, or the reason why the check failed. The output of the command is passed through.

  option             variable           default
  --url URL          GITOPS_STATUS_URL  http://gitops-status-server.observability-stack.svc.cluster.local:80/api/status
                                        the complete address of the POST
  --repo NAME        GITOPS_REPO        owner/name from CI, else the name of the Git repository
  --server NAME      GITOPS_SERVER      none: it is required
  --preset NAME      GITOPS_PRESET      the preset for the program: how its result is read
  --base-path DIR    GITOPS_BASE_PATH   none: a directory that is removed from the start of file names; {host} is replaced
                                        by the server's name
  --token-file FILE  GITOPS_TOKEN_FILE  the bearer token; GITOPS_TOKEN holds the token itself
  --timeout SECONDS  GITOPS_TIMEOUT     30, for the POST; the command has no time limit
  --labels LIST      GITOPS_LABELS      none; such as env=prod,owner=team-a
  --stale-after SECONDS
                     GITOPS_STALE_AFTER the server's setting
  --any-commit       GITOPS_ANY_COMMIT  false: report also a commit that is no longer the head of its branch
  --dry-run          GITOPS_DRY_RUN     false: print the report instead of sending it; the output of the command then
                                        goes to standard error
  --version, --help

An option overrides its variable; an empty variable counts as not set. The command runs without a shell, with
LC_ALL=C.UTF-8. GITOPS_TOKEN and GITOPS_STATUS_URL are not passed to it.

  preset          command                                           reported differences
  tofu            tofu plan -json -detailed-exitcode                resources, outputs
  terraform       terraform plan -json -detailed-exitcode           resources, outputs
  kubectl-diff    kubectl diff -f FILE                              objects
  git             git diff --exit-code --name-only -z               files
                  git status --porcelain -z
                  etckeeper vcs -d DIR status --porcelain -z
  rsync           rsync --dry-run --itemize-changes FROM TO         files
  debsums         debsums --changed                                 files
  aide            aide --check                                      files
  puppet          puppet apply --noop --detailed-exitcodes --summarize FILE
                  puppet agent --test --noop --summarize            files, other resources
  salt            salt-call --out json state.apply test=true        files, other states
  cf-agent        cf-agent --no-lock --dry-run                      files, other promises
  lines           any that prints one file name a line              the lines; the exit code must be 0
  exit-code       any with 0 for in sync and 1 for drift            the command

The options in this table are required; others may be added. If another program, such as sudo or ssh, runs the program,
--preset is required. The check fails if the preset does not know the exit code or a line of the output, if the output
and the exit code contradict each other, if the command does not exist, or if a signal ends it.

The report contains the commit, its branch and the address of the run: from GITOPS_COMMIT, GITOPS_BRANCH and
GITOPS_PIPELINE_URL, else from the variables of Woodpecker, GitLab, GitHub, Forgejo, Gitea or Jenkins, else the commit
and the branch of the checkout in the current directory. A pull request is never reported, nor is a commit that is no
longer the head of its branch in the remote repository "origin".

A failed check is reported with the exit code and the last lines that the command wrote to standard error. On SIGHUP,
SIGINT and SIGTERM the script ends the command and posts nothing.

Exit codes:
  0  the server was checked, whether it drifted or not, and the report was acknowledged
  1  the server could not be checked; that was posted
  2  nothing was run: an option or a setting is wrong, or a program is missing
  3  the report was not acknowledged; the log has the result of the check
  129, 130, 143  a signal ended the script
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

# Runs the command. The outcome is left in $work.
run_command() {
  exec 3<&0
  if [ "$dry_run" = true ]; then exec 4>&2; else exec 4>&1; fi
  trap 'stop 129' HUP
  trap 'stop 130' INT
  trap 'stop 143' TERM
  # In the background, so that the script handles a signal at once.
  python3 "$work/command.py" "$work" "$(cat "$work/preset")" "$@" <&3 >&4 3<&- 4>&- &
  exec 3<&- 4>&-
  # A program that failed leaves no outcome.
  wait "$!" || :
}

# Ends the command, then the script with this exit code.
stop() {
  trap '' HUP INT TERM
  # Nothing runs yet if there is no $!.
  [ -z "${!-}" ] || kill -TERM "$!" 2>/dev/null || :
  [ -z "${!-}" ] || wait "$!" || :
  exit "$1"
}

# Writes the programs to $work.
write_programs() {
  :
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
  cat >"$work/outcome.py" <<'PYTHON'
"""The outcome of a command as the presets read it, and the differences that they return."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

# Limits of the kept output for each of the command's two streams, and of a line.
KEPT_MAX = 256 * 1024 * 1024
LINE_MAX = 1024 * 1024
DOCUMENT_MAX = 64 * 1024 * 1024
SHOWN_MAX = 200
# More names than any server has files to compare; the post has room for the first few thousand.
NAMES_MAX = 500_000


class CheckFailed(Exception):
    """The reason why the outcome does not show whether anything differs."""


class Difference(NamedTuple):
    name: str
    # file or other.
    kind: str = "file"


@dataclass(frozen=True)
class Outcome:
    """The output of a command, in the files of a directory, and its exit code."""

    command: list[str]
    code: int
    work: str

    @property
    def program(self) -> str:
        return program_of(self.command)

    def lines(self, stream: str = "stdout") -> Iterator[str]:
        """The lines of a stream without their ends. Bytes that are not UTF-8 become surrogates."""
        with open(self.path(stream), "rb") as file:
            while line := file.readline(LINE_MAX + 1):
                if len(line) > LINE_MAX:
                    raise CheckFailed(f"{stream} has a line of more than {LINE_MAX // 1024} KiB")
                yield decoded(line).rstrip("\n")

    def messages(self, stream: str = "stdout") -> Iterator[str]:
        """The lines that are not blank, without colors."""
        for line in self.lines(stream):
            text = without_colors(line).rstrip()
            if text:
                yield text

    def fields(self) -> Iterator[str]:
        """The texts on standard output that each end with NUL."""
        rest = b""
        with open(self.path("stdout"), "rb") as file:
            while chunk := file.read(LINE_MAX):
                *whole, rest = (rest + chunk).split(b"\0")
                yield from map(decoded, whole)
                if len(rest) > LINE_MAX:
                    break
        if rest:
            raise CheckFailed(f"standard output ends without NUL: {shown(decoded(rest))}")

    def document(self) -> Any:
        """Standard output as one JSON document."""
        with open(self.path("stdout"), "rb") as file:
            content = file.read(DOCUMENT_MAX + 1)
        if len(content) > DOCUMENT_MAX:
            raise CheckFailed(f"the JSON document has more than {DOCUMENT_MAX // 1024 // 1024} MiB")
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise CheckFailed(f"standard output is not JSON: {error}") from None

    def expect(self, *codes: int) -> None:
        """Fails the check if the exit code is none of these."""
        if self.code not in codes:
            raise CheckFailed(f"exit code {self.code}")

    def path(self, stream: str) -> str:
        return os.path.join(self.work, stream)


def limited(differences: Iterable[Difference]) -> list[Difference]:
    """The differences. Fails the check if there are more than NAMES_MAX, which limits the memory."""
    found = list(islice(differences, NAMES_MAX + 1))
    if len(found) > NAMES_MAX:
        raise CheckFailed(f"the output names more than {NAMES_MAX} differences")
    return found


def agreed(outcome: Outcome, drifted: int, differences: list[Difference]) -> list[Difference]:
    """The differences. Fails the check if the exit code disagrees: 0 means none, `drifted` means some."""
    outcome.expect(0, drifted)
    if outcome.code == 0 and differences:
        raise CheckFailed(f"exit code 0, but the output names a difference: {shown(differences[0].name)}")
    if outcome.code != 0 and not differences:
        raise CheckFailed(f"exit code {outcome.code}, but the output names no difference")
    return differences


def unknown(line: str) -> CheckFailed:
    return CheckFailed(f"the output has a line of an unknown form: {shown(line)}")


def shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "…")


def decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def without_colors(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*[mK]", "", text)


def program_of(command: list[str]) -> str:
    return os.path.basename(command[0])


def arguments_of(command: list[str], programs: tuple[str, ...]) -> list[str] | None:
    """The arguments of the first of these programs in a command, perhaps run by sudo, ssh or `sh -c`; else None."""
    for position, word in enumerate(command):
        if os.path.basename(word) in programs:
            return command[position + 1 :]
    for word in command:
        parts = words_of(word)
        if len(parts) > 1 and (found := arguments_of(parts, programs)) is not None:
            return found
    return None


def words_of(text: str) -> list[str]:
    """The words of a text in the syntax of sh."""
    try:
        return shlex.split(text)
    except ValueError:
        return [text]


def flags_of(arguments: list[str], valued: str = "") -> set[str]:
    """The options among arguments, without their values: `-n`, `--dry-run`. `valued` are the letters with a value."""
    flags: set[str] = set()
    position = 0
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if word == "--":
            break
        if word.startswith("--"):
            flags.add(word.split("=", 1)[0])
            continue
        for place, letter in enumerate(word[1:] if word.startswith("-") else "", 2):
            flags.add(f"-{letter}")
            if letter in valued:
                position += place == len(word)
                break
    return flags
PYTHON
  cat >"$work/documents.py" <<'PYTHON'
"""Presets for the tools that print JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from outcome import CheckFailed, Difference, Outcome, agreed, flags_of, shown, unknown, words_of
from text import say

FAULTS_MAX = 5


def refuse_terraform(arguments: list[str]) -> str | None:
    if "plan" not in arguments:
        return "the preset reads a plan: tofu plan -json -detailed-exitcode"
    missing = [option for option in ("-json", "-detailed-exitcode") if not {option, f"-{option}"} & set(arguments)]
    if missing:
        return f"the command lacks {' and '.join(missing)}: the JSON has the names, and must agree with the exit code"
    return None


def terraform(outcome: Outcome) -> list[Difference]:
    """A stream of messages, one JSON object a line: developer.hashicorp.com/terraform/internals/machine-readable-ui."""
    changes: list[Difference] = []
    refreshed: list[Difference] = []
    faults: list[str] = []
    has_plan = False
    for line in outcome.lines():
        # Wrappers and providers print other lines between the messages.
        if not line.startswith("{"):
            continue
        message = message_in(line)
        kind = message.get("type")
        try:
            if kind == "version" and str(message["ui"]).split(".")[0] != "1":
                raise CheckFailed(f"version {message['ui']} of the JSON messages is unknown")
            elif kind == "diagnostic" and message.get("@level") == "error":
                diagnostic = message["diagnostic"]
                faults.append(f"{diagnostic['summary']}: {diagnostic.get('detail', '')}")
            elif kind == "planned_change" and message["change"]["action"] != "noop":
                changes.append(Difference(str(message["change"]["resource"]["addr"]), "other"))
            elif kind == "resource_drift":
                refreshed.append(Difference(str(message["change"]["resource"]["addr"]), "other"))
            elif kind == "outputs":
                names = [name for name, output in message["outputs"].items() if output.get("action", "noop") != "noop"]
                changes += [Difference(f"output.{name}", "other") for name in names]
            elif kind == "change_summary":
                has_plan = message["changes"]["operation"] == "plan"
        except (KeyError, TypeError, AttributeError):
            raise unknown(line) from None
    if faults:
        raise CheckFailed("; ".join([f"exit code {outcome.code}", *faults[:FAULTS_MAX]]))
    outcome.expect(0, 2)
    if not has_plan:
        raise CheckFailed("the output has no summary of a plan")
    if {"-refresh-only", "--refresh-only"} & {part for word in outcome.command for part in words_of(word)}:
        changes += refreshed
    for difference in refreshed:
        if difference not in changes:
            say(f"  changed outside the configuration, and not reverted by the plan: {difference.name}")
    return agreed(outcome, 2, changes)


def message_in(line: str) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise CheckFailed(f"a message is not JSON: {shown(line)}") from None
    assert isinstance(message, dict)
    return message


def refuse_aide(arguments: list[str]) -> str | None:
    if flags_of(arguments, "ABLWclr") & {"-C", "--check", "--compare"}:
        return None
    return "the command lacks --check: without it, or with --update, the next check omits these differences"


SECTIONS = {"Added entries:": 1, "Removed entries:": 2, "Changed entries:": 4}
KEYS = {"added": 1, "removed": 2, "changed": 4}


def aide(outcome: Outcome) -> list[Difference]:
    """The exit code is the sum of 1 for added, 2 for removed, and 4 for changed entries; the report must agree."""
    outcome.expect(*range(8))
    with open(outcome.path("stdout"), "rb") as file:
        is_json = file.read(1) == b"{"
    found = 0
    differences: list[Difference] = []
    for bit, name in aide_document(outcome) if is_json else aide_text(outcome):
        found |= bit
        differences.append(Difference(name))
    if found != outcome.code:
        raise CheckFailed(
            f"exit code {outcome.code}, but the entries of the report amount to exit code {found}; "
            "set report_grouped=yes and at least report_level=list_entries"
        )
    return differences


def aide_document(outcome: Outcome) -> Iterable[tuple[int, str]]:
    document = outcome.document()
    for key, bit in KEYS.items():
        entries = document.get(key, {})
        if not isinstance(entries, dict):
            raise CheckFailed(f"{key} in the report is not an object")
        yield from ((bit, name) for name in entries)


def aide_text(outcome: Outcome) -> Iterable[tuple[int, str]]:
    bit = 0
    is_empty = True
    has_verdict = False
    for line in outcome.lines():
        if not line or line.startswith("-----"):
            continue
        is_empty = False
        has_verdict = has_verdict or bool(re.match(r"AIDE .*found (NO )?differences", line))
        if line in SECTIONS:
            bit = SECTIONS[line]
        elif line.endswith(":") and not line.startswith((" ", "\t")) and ": /" not in line:
            bit = 0
        elif bit:
            # The flags have no colon.
            flags, separator, name = line.partition(": ")
            if not separator or not name.startswith("/"):
                raise unknown(line)
            yield bit, name
    # With another report_url, or report_quiet, there may be none.
    if not is_empty and not has_verdict:
        raise CheckFailed("the output is not a report of AIDE")


def refuse_salt(arguments: list[str]) -> str | None:
    if "test=true" not in [argument.lower() for argument in arguments]:
        return "the command lacks test=True: without it, salt-call changes the server"
    outputs = [
        *(following for word, following in zip(arguments, arguments[1:]) if word in ("--out", "--output")),
        *(word.split("=", 1)[1] for word in arguments if word.startswith(("--out=", "--output="))),
    ]
    return None if outputs == ["json"] else "the command lacks --out json"


def salt(outcome: Outcome) -> list[Difference]:
    document = outcome.document()
    if not isinstance(document, dict) or len(document) != 1:
        raise CheckFailed("the document is not the result of one minion")
    (states,) = document.values()
    if isinstance(states, list):
        raise CheckFailed("; ".join([f"exit code {outcome.code}", *map(str, states[:FAULTS_MAX])]))
    if not isinstance(states, dict) or not states:
        raise CheckFailed("the document has no states")
    differences: list[Difference] = []
    faults: list[str] = []
    for key, state in states.items():
        module = key.split("_|-", 1)[0]
        if not isinstance(state, dict) or not isinstance(state.get("name"), str):
            raise CheckFailed(f"the document has a state of an unknown form: {shown(key)}")
        result = state.get("result", False)
        # In test mode some modules say that all is well and name changes all the same.
        if result is None or (result is True and state.get("changes")):
            is_file = module == "file" and state["name"].startswith("/")
            differences.append(
                Difference(state["name"]) if is_file else Difference(f"{module} {state['name']}", "other")
            )
        elif result is not True:
            faults.append(f"{module} {state['name']}: {state.get('comment')}")
    if faults:
        raise CheckFailed("; ".join([f"exit code {outcome.code}", *faults[:FAULTS_MAX]]))
    outcome.expect(0)
    return differences
PYTHON
  cat >"$work/listings.py" <<'PYTHON'
"""Presets for the tools that list what differs: git, kubectl diff, rsync, debsums."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from outcome import CheckFailed, Difference, Outcome, agreed, decoded, flags_of, limited, unknown, words_of
from text import say

INSTEAD_OF_UNCLEAN = "use --preset git -- etckeeper vcs -d DIR status --porcelain -z"
# The options of git and etckeeper before the subcommand that have a value.
VALUED = ("-C", "-c", "-d", "--git-dir", "--work-tree", "--namespace")


def subcommand_of(arguments: list[str]) -> str:
    words = iter(arguments)
    for word in words:
        if word in VALUED:
            next(words, None)
        elif not word.startswith("-") and word != "vcs":
            return word
    return ""


def refuse_git(arguments: list[str]) -> str | None:
    subcommand = subcommand_of(arguments)
    if subcommand == "unclean":
        return f"etckeeper unclean has exit code 0 for drift; {INSTEAD_OF_UNCLEAN}"
    if subcommand == "diff":
        needed = ["--exit-code", "--name-only", "-z"]
    elif subcommand == "status":
        needed = ["--porcelain", "-z"]
    else:
        return "the preset reads git diff --exit-code --name-only -z and git status --porcelain -z"
    missing = [option for option in needed if option not in arguments]
    return f"the command lacks {' and '.join(missing)}" if missing else None


def git(outcome: Outcome) -> list[Difference]:
    """The exit code of git diff shows whether something differs; that of git status is always 0."""
    words = [part for word in outcome.command for part in words_of(word)]
    if "--porcelain" in words:
        outcome.expect(0)
        return limited(changed_paths(outcome.fields()))
    return agreed(outcome, 1, limited(map(Difference, outcome.fields())))


def changed_paths(fields: Iterator[str]) -> Iterator[Difference]:
    for field in fields:
        if field.startswith("## "):
            continue
        if not re.match(r"[ MTADRCU?]{2} .", field, re.DOTALL):
            raise unknown(field)
        yield Difference(field[3:])
        if field[0] in "RC" or field[1] in "RC":
            origin = next(fields, None)
            if origin is None:
                raise CheckFailed("the output ends within a rename")
            # What was renamed is missing at its old path; what was copied is still there.
            if "R" in field[:2]:
                yield Difference(origin)


def refuse_kubectl_diff(arguments: list[str]) -> str | None:
    return None if "diff" in arguments else "the preset reads kubectl diff"


def reads_standard_input(command: list[str]) -> bool:
    words = [part for word in command for part in words_of(word)]
    return any(re.match(r"(-|/dev/stdin|-[A-Za-z]*f=?-|--filename=-)$", word) for word in words)


def manifests_of(command: list[str]) -> Iterator[str]:
    """The files that the option -f names."""
    words = [part for word in command for part in words_of(word)]
    for word, following in zip(words, [*words[1:], ""]):
        if re.match(r"(-[A-Za-z]*f|--filename)$", word):
            yield from following.split(",")
        elif match := re.match(r"(?:-f=?|--filename=)(.+)$", word):
            yield from match.group(1).split(",")


def is_empty_manifest(path: str) -> bool:
    with open(path, "rb") as file:
        return all(line.split(b"#", 1)[0].strip() in (b"", b"---", b"...") for line in file)


def kubectl_diff(outcome: Outcome) -> list[Difference]:
    """The output of diff on two directories with a file for each object, GROUP.VERSION.KIND.NAMESPACE.NAME."""
    # For a file without objects, the exit code of kubectl is 0.
    for path in manifests_of(outcome.command):
        if os.path.isfile(path) and is_empty_manifest(path):
            raise CheckFailed(f"the file has no object: {path}")
    differences: list[Difference] = []
    for line in outcome.messages():
        # diff puts names with odd characters in quotes.
        header = re.match(r"diff .*/LIVE-\d+/([^/'\"]+)['\"]? .*/MERGED-\d+/\1['\"]?$", line)
        only = re.match(r"Only in .*/(?:LIVE|MERGED)-\d+['\"]?: (.+)$", line)
        if header or only:
            differences += [Difference(match.group(1), "other") for match in (header, only) if match]
        elif not line.startswith((" ", "+", "-", "@@ ", "\\")):
            raise unknown(line)
    return agreed(outcome, 1, differences)


def refuse_rsync(arguments: list[str]) -> str | None:
    flags = flags_of(arguments, "efBTM@")
    if not flags & {"-n", "--dry-run"}:
        return "the command lacks --dry-run: without it, rsync changes the destination"
    if not flags & {"-i", "--itemize-changes"}:
        return "the command lacks --itemize-changes: without it, rsync does not list the differences"
    hiding = {"-q", "--quiet", "--out-format", "--log-format", "--info", "--no-i", "--no-itemize-changes", "--no-n"}
    hiding |= {"--no-dry-run"}
    for flag in sorted(flags & hiding):
        return f"the command has {flag}, which may hide differences"
    return None


def rsync(outcome: Outcome) -> list[Difference]:
    """A line of --itemize-changes for what the run would change: 11 characters, a space, the name."""
    outcome.expect(0)
    for path in outcome.command[1:-1]:
        # Without --delete an empty source has nothing that could differ.
        if os.path.isdir(path) and not os.listdir(path):
            raise CheckFailed(f"the source is empty: {path}")
    return limited(itemized(outcome.lines()))


def itemized(lines: Iterator[str]) -> Iterator[Difference]:
    for line in lines:
        if not line:
            continue
        if line.startswith("skipping non-regular file "):
            raise CheckFailed(f"not compared: {line[26:]}; see the option --links of rsync")
        match = re.match(r"(?:([<>ch.])([fdLDS])([.+?a-zA-Z ]{9})|\*deleting {2}) (.+)$", line)
        if not match:
            raise unknown(line)
        update, kind, attributes, name = match.groups()
        # With -ii, files without a difference are listed, too.
        if update == "." and not attributes.strip(" ."):
            continue
        if kind == "L":
            name = name.split(" -> ")[0]
        elif update == "h":
            name = name.split(" => ")[0]
        yield Difference(unescaped(name))


def unescaped(name: str) -> str:
    """The original name: rsync writes characters that a terminal cannot show as `\\#` and three octal digits."""
    text = name.encode("utf-8", "surrogateescape")
    return decoded(re.sub(rb"\\#([0-3][0-7]{2})", lambda match: bytes([int(match.group(1), 8)]), text))


def refuse_debsums(arguments: list[str]) -> str | None:
    if flags_of(arguments, "rdpg") & {"-c", "--changed", "-s", "--silent"}:
        return None
    return "the command lacks --changed: without it, debsums lists every file"


def debsums(outcome: Outcome) -> list[Difference]:
    """Changed files are on standard output, missing files on standard error."""
    if not flags_of(outcome.command, "rdpg") & {"-a", "--all", "-e", "--config"}:
        say("  changed configuration files are not checked; see the option --all of debsums")
    # 1 and 3: some package could not be checked.
    outcome.expect(0, 2)
    differences = limited(map(Difference, outcome.lines()))
    for line in outcome.messages("stderr"):
        match = re.match(r"debsums: can't check \S+ file (/.*) \(not a regular file\)$", line) or re.match(
            r"debsums: (?:missing|changed) file (/.*?)(?: \(observed:\S+ expected:\S+\))? \(from \S+ package\)$", line
        )
        if match:
            differences.append(Difference(match.group(1)))
        elif line.startswith("debsums: "):
            raise CheckFailed(line)
    return agreed(outcome, 2, differences)
PYTHON
  cat >"$work/managers.py" <<'PYTHON'
"""Presets for the configuration managers that write a log: Puppet and CFEngine."""

from __future__ import annotations

import re

from outcome import CheckFailed, Difference, Outcome, flags_of, unknown

FAULTS_MAX = 5


def refuse_puppet(arguments: list[str]) -> str | None:
    flags = flags_of(arguments, "el")
    # `puppet agent --test` implies it.
    coded = {"--detailed-exitcodes"} | ({"-t", "--test"} if "agent" in arguments else set())
    if "--noop" not in flags:
        return "the command lacks --noop: without it, puppet changes the server"
    if not flags & coded:
        return "the command lacks --detailed-exitcodes: without it, a failed resource has exit code 0"
    if "--summarize" not in flags:
        return "the command lacks --summarize: the log may leave out resources, and the summary counts all"
    return None


def puppet(outcome: Outcome) -> list[Difference]:
    """The log names the resources that differ; the summary after it counts them."""
    if outcome.code == 2:
        raise CheckFailed("exit code 2: something was changed despite --noop")
    outcome.expect(0)
    named: dict[str, Difference] = {}
    counts: dict[str, int] = {}
    has_run = False
    section = ""
    for line in outcome.messages():
        event = re.match(r"\w+: (/.*)/\w+: current_value ", line)
        if event:
            named[event.group(1)] = resource(event.group(1))
        elif line.startswith("Notice: Applied catalog in "):
            has_run = True
        elif re.match(r"[A-Z]\w+:$", line):
            section = line
        elif section == "Resources:" and (count := re.match(r" +([A-Z][\w ]+): (\d+)$", line)):
            counts[count.group(1)] = int(count.group(2))
    if not has_run or "Total" not in counts:
        raise CheckFailed("the output has no summary of a run")
    for name in ("Failed", "Failed to restart", "Skipped"):
        if counts.get(name):
            raise CheckFailed(f"the summary counts {counts[name]} resources as {name.lower()}")
    differences = [difference for path, difference in named.items() if "/Notify[" not in path]
    # A resource may have a log level that is not shown.
    hidden = counts.get("Out of sync", 0) - len(named)
    if hidden > 0:
        differences.append(Difference(f"resources that the log does not name: {hidden}", "other"))
    return differences


def resource(path: str) -> Difference:
    """The resource of an event: /Stage[main]/CLASS/TYPE[TITLE]."""
    if file := re.search(r"/File\[(/.*)\]$", path):
        return Difference(file.group(1))
    match = re.search(r"/([A-Z][\w:]*\[.*\])$", re.sub(r"^/Stage\[[^]]*\]/(?:[A-Z][\w:]*/)?", "/", path))
    return Difference(match.group(1) if match else path, "other")


def refuse_cf_agent(arguments: list[str]) -> str | None:
    flags = flags_of(arguments, "BbwDxfgNTC")
    if not flags & {"-n", "--dry-run"}:
        return "the command lacks --dry-run: without it, cf-agent changes the server"
    if not flags & {"-K", "--no-lock"}:
        return "the command lacks --no-lock: without it, promises checked within the last minute are skipped"
    return None


# Warnings that are not about the state of the server.
REMARKS = (
    "Using the default value ",
    "Warnings encountered when actuating ",
    "Need to repair reports promise: ",
    "Method '",
)


def cf_agent(outcome: Outcome) -> list[Difference]:
    """A warning for everything that the run would change. The exit code is 0 in failures, too."""
    differences: list[Difference] = []
    faults: list[str] = []
    for line in [*outcome.messages(), *outcome.messages("stderr")]:
        # --timestamp puts the time in front.
        match = re.match(r" *(?:\d{4}-\S+ +)?(error|warning|info|notice|verbose|debug|R): (.*)$", line)
        level, text = match.groups() if match else ("", line)
        if level == "error" or (not match and ": error: " in line):
            faults.append(text)
        elif level == "warning":
            if text.startswith(("Should ", "Would ", "Need to ")) and not text.startswith(REMARKS):
                differences.append(promise(text))
            elif not text.startswith(REMARKS):
                raise unknown(line)
        elif faults and line.startswith("       "):
            # The rest of a message.
            continue
        elif not match:
            raise unknown(line)
    if faults:
        raise CheckFailed("; ".join([f"exit code {outcome.code}", *faults[:FAULTS_MAX]]))
    outcome.expect(0)
    return differences


def promise(text: str) -> Difference:
    """The object of a warning: the file into which a line would go, or the first path in quotes."""
    into = re.search(r" into '(/.*)' (?:after|before) locator$", text)
    first = re.match(r"Should [^']*'(/.*?)'(?=$|[, ])", text)
    match = into or first
    if match:
        return Difference(match.group(1))
    script = re.match(r"Would execute script '(.*)'$", text)
    return Difference(f"command {script.group(1)}" if script else text, "other")
PYTHON
  cat >"$work/presets.py" <<'PYTHON'
"""The presets: the required options of each tool's command, and a reader of the differences in its outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import documents
import listings
import managers
from outcome import Difference, Outcome, limited, program_of, words_of


@dataclass(frozen=True)
class Preset:
    # Reads the differences; raises CheckFailed.
    read: Callable[[Outcome], Iterable[Difference]]
    # The programs that it is for. Without any it is for all, and `refuse` is given the whole command.
    programs: tuple[str, ...] = ()
    # The fault of the program's arguments, or None.
    refuse: Callable[[list[str]], str | None] = lambda arguments: None
    # True if the command reads a manifest from standard input.
    reads_manifest: Callable[[list[str]], bool] = lambda command: False
    # The streams that must be complete.
    streams: tuple[str, ...] = ("stdout",)


def by_exit_code(outcome: Outcome) -> list[Difference]:
    outcome.expect(0, 1)
    # Without the arguments, which may hold secrets.
    return [Difference(f"exit code 1 of {outcome.program}", "other")] if outcome.code else []


# Programs whose exit code 0 is not always in sync or whose 1 is not drift, and the presets that read them.
OTHER_CODES = {
    "aide": "aide",
    "cf-agent": "cf-agent",
    "debsums": "debsums",
    "puppet": "puppet",
    "rsync": "rsync",
    "salt-call": "salt",
    "terraform": "terraform",
    "tofu": "tofu",
}


def refuse_exit_code(command: list[str]) -> str | None:
    words = {program_of(command)}.union(*map(words_of, command))
    for program, preset in OTHER_CODES.items():
        if program in words:
            return f"the exit codes of {program} mean something else; use --preset {preset}"
    if "etckeeper" in words:
        return f"etckeeper has exit code 0 for drift; {listings.INSTEAD_OF_UNCLEAN}"
    if "git" in words and not {"--exit-code", "--quiet"} & words:
        return "the exit code of git shows differences only with --exit-code or --quiet; add one, or use --preset git"
    return None


def by_lines(outcome: Outcome) -> list[Difference]:
    outcome.expect(0)
    return limited(Difference(line) for line in outcome.lines() if line.strip())


BOTH = ("stdout", "stderr")
# In the order in which they are documented.
PRESETS = {
    "tofu": Preset(documents.terraform, ("tofu",), documents.refuse_terraform),
    "terraform": Preset(documents.terraform, ("terraform",), documents.refuse_terraform),
    "kubectl-diff": Preset(
        listings.kubectl_diff, ("kubectl",), listings.refuse_kubectl_diff, listings.reads_standard_input
    ),
    "git": Preset(listings.git, ("git", "etckeeper"), listings.refuse_git),
    "rsync": Preset(listings.rsync, ("rsync",), listings.refuse_rsync),
    "debsums": Preset(listings.debsums, ("debsums",), listings.refuse_debsums, streams=BOTH),
    "aide": Preset(documents.aide, ("aide",), documents.refuse_aide),
    "puppet": Preset(managers.puppet, ("puppet",), managers.refuse_puppet),
    "salt": Preset(documents.salt, ("salt-call",), documents.refuse_salt),
    "cf-agent": Preset(managers.cf_agent, ("cf-agent",), managers.refuse_cf_agent, streams=BOTH),
    "lines": Preset(by_lines),
    "exit-code": Preset(by_exit_code, refuse=refuse_exit_code, streams=()),
}


def preset_for(command: list[str]) -> str | None:
    """The preset that is for the program of a command, or None."""
    program = program_of(command)
    return next((name for name, preset in PRESETS.items() if program in preset.programs), None)
PYTHON
  cat >"$work/command.py" <<'PYTHON'
"""Runs the command: passes its output through, and keeps the output and the exit code in a directory."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from types import FrameType
from typing import IO, Any

from listings import is_empty_manifest
from outcome import KEPT_MAX
from presets import PRESETS

# How long the output may stay open after the command has ended, and how long the command may take to end on a signal.
OPEN_SECONDS = 5.0
END_SECONDS = 5.0
CHUNK = 64 * 1024
STOPPING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal asks to end."""


class Stream:
    """One of the command's streams: passed on to a descriptor, and kept in a file."""

    def __init__(self, source: IO[bytes], target: int, file: IO[bytes]) -> None:
        self.source = source
        self.target: int | None = target
        self.file = file
        self.left = KEPT_MAX
        # The reason why the kept output is not complete.
        self.fault = ""

    def take(self) -> bool:
        """Takes what there is; False at the end."""
        data = os.read(self.source.fileno(), CHUNK)
        self.keep(data)
        self.pass_on(data)
        return bool(data)

    def keep(self, data: bytes) -> None:
        if self.fault:
            return
        if len(data) > self.left:
            self.fault = f"it has more than {KEPT_MAX // 1024 // 1024} MiB"
            return
        self.left -= len(data)
        try:
            while data:
                data = data[self.file.write(data) :]
        except OSError as error:
            self.fault = f"it could not be stored: {error.strerror}"
            # The report needs the space.
            self.file.truncate(0)

    def pass_on(self, data: bytes) -> None:
        while data and self.target is not None:
            try:
                data = data[os.write(self.target, data) :]
            except BlockingIOError:
                wait = selectors.DefaultSelector()
                wait.register(self.target, selectors.EVENT_WRITE)
                wait.select()
            except OSError:
                # The output has no reader any more, which does not end the check.
                self.target = None


def run(work: str, preset: str, command: list[str]) -> dict[str, Any]:
    """Runs a command to its end; returns its exit code or the reason for none, and the faults of its output."""
    manifest = os.path.join(work, "stdin")
    source: IO[bytes] | None = None
    if PRESETS[preset].reads_manifest(command):
        with open(manifest, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        if is_empty_manifest(manifest):
            return {"fault": "standard input has no object: did the program that writes it fail?"}
        source = open(manifest, "rb")
    # A signal that arrives while the command is being started waits until the process is known, and can be ended.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        # A session of its own, so that the processes that the command starts can be ended with it.
        process = subprocess.Popen(
            command,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            bufsize=0,
            start_new_session=True,
            preexec_fn=accept_signals,
        )
    except OSError as error:
        accept_signals()
        code = 127 if isinstance(error, FileNotFoundError) else 126
        return {"fault": f"it cannot be run (exit code {code}): {error.strerror}"}
    try:
        accept_signals()
        return {**watch(work, process), "code": process.wait()}
    except Stopped:
        end(process)
        raise


def accept_signals() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def environment() -> dict[str, str]:
    """The environment without translations: the presets read English."""
    kept = {name: value for name, value in os.environ.items() if name not in ("LANGUAGE", "LANG")}
    return {**kept, "LC_ALL": "C.UTF-8"}


def watch(work: str, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Passes the output through until it ends, or until the command has ended and nothing more comes for a while."""
    assert process.stdout and process.stderr
    with open(os.path.join(work, "stdout"), "wb", 0) as out, open(os.path.join(work, "stderr"), "wb", 0) as err:
        streams = {"stdout": Stream(process.stdout, 1, out), "stderr": Stream(process.stderr, 2, err)}
        with selectors.DefaultSelector() as selector:
            for name, stream in streams.items():
                selector.register(stream.source, selectors.EVENT_READ, name)
            deadline = None
            while selector.get_map() and (deadline is None or time.monotonic() < deadline):
                for key, _ in selector.select(0.1):
                    if not streams[key.data].take():
                        selector.unregister(key.fileobj)
                if deadline is None and process.poll() is not None:
                    deadline = time.monotonic() + OPEN_SECONDS
            for key in selector.get_map().values():
                streams[key.data].fault = "a process that the command started still has it open"
    return {"faults": {name: stream.fault for name, stream in streams.items() if stream.fault}}


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends the command and the processes that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(END_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def stop(_number: int, _frame: FrameType | None) -> None:
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    raise Stopped


def main(work: str, preset: str, *command: str) -> int:
    for number in STOPPING:
        signal.signal(number, stop)
    try:
        outcome = run(work, preset, list(command))
    except Stopped:
        return 1
    with open(os.path.join(work, "outcome.json"), "w", encoding="utf-8") as file:
        json.dump(outcome, file)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
PYTHON
  cat >"$work/tool.py" <<'PYTHON'
"""Reports the outcome of a command for a server: a snapshot or a failed check. See report.sh."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any

from delivery import write_posts
from outcome import CheckFailed, Difference, Outcome, arguments_of, without_colors
from presets import PRESETS, preset_for
from run import check as check_run
from run import failed_check, setting, snapshot
from text import as_name, say, tell_all, unique

# Limits of the server.
TARGET_NAME_MAX = 253
NAME_MAX = 4096
# Limits of standard error in a failed check.
TAIL_BYTES = 2000
TAIL_LINES = 5


def check(work: str, preset: str, server: str, *command: str) -> int:
    """Checks the command before it is run; writes the name of the preset to WORK/preset. Returns 2 if it is refused."""
    fault = fault_of(preset, server, list(command))
    if fault:
        say(f"report.sh: {fault}")
        return 2
    with open(os.path.join(work, "preset"), "w", encoding="utf-8") as file:
        file.write(preset or preset_for(list(command)) or "")
    return 2 if check_run() else 0


def fault_of(name: str, server: str, command: list[str]) -> str | None:
    for what, option, value in (("server", "server", server), ("repository", "repo", setting("REPO"))):
        if not value or as_name(value) != value or len(value) > TARGET_NAME_MAX:
            faulty = f"must have 1 to {TARGET_NAME_MAX} characters, all visible, not {value!r}"
            return f"the {what}'s name {faulty}; see --{option}"
    known = name or preset_for(command)
    if known is None:
        return f"there is no preset for {command[0]}; choose one of {', '.join(PRESETS)}"
    preset = PRESETS.get(known)
    if preset is None:
        return f"the preset {known} is unknown; choose one of {', '.join(PRESETS)}"
    arguments = arguments_of(command, preset.programs) if preset.programs else command
    if arguments is None:
        return f"the preset {known} needs {' or '.join(preset.programs)} in the command"
    return preset.refuse(arguments)


def report(work: str, server: str, began: str, *command: str) -> int:
    """Writes the posts to WORK/posts; returns 0 if the server was checked, else 1."""
    with open(os.path.join(work, "preset"), encoding="utf-8") as file:
        preset = file.read()
    differences, fault = judge(work, preset, list(command))
    if fault:
        say(f"{server}: CHECK FAILED")
        tell_all([fault])
        write_posts(work, [failed_check(server, began, fault)])
        return 1
    files = files_of(differences, base_of(server))
    say(f"{server}: OUT_OF_SYNC, drifted: {len(files)}" if files else f"{server}: SYNCED")
    tell_all(file["name"] for file in files)
    write_posts(work, [snapshot(server, began, files)])
    return 0


def judge(work: str, preset: str, command: list[str]) -> tuple[list[Difference], str]:
    """The differences, and the fault if the check failed."""
    run = read_run(work)
    program = os.path.basename(command[0])
    if run.get("fault"):
        return [], f"{program}: {run['fault']}"
    code = run["code"]
    if code < 0:
        return [], with_tail(f"{program}: it was ended by signal {-code}", work)
    outcome = Outcome(command, code, work)
    try:
        differences = list(PRESETS[preset].read(outcome))
    except CheckFailed as error:
        return [], with_tail(f"{program}: {error}", work)
    # Incomplete output may lack differences. Standard error may stay open: that of ssh does.
    faults = run["faults"]
    for stream in PRESETS[preset].streams:
        if stream in faults:
            return [], f"{program}: its {stream} is not complete: {faults[stream]}"
    return differences, ""


def read_run(work: str) -> dict[str, Any]:
    try:
        with open(os.path.join(work, "outcome.json"), encoding="utf-8") as file:
            run: dict[str, Any] = json.load(file)
            return run
    except (OSError, ValueError):
        return {"fault": "its outcome is not known"}


def with_tail(fault: str, work: str) -> str:
    """A fault, followed by the last lines of the command's standard error."""
    with open(os.path.join(work, "stderr"), "rb") as file:
        file.seek(max(0, os.path.getsize(file.name) - TAIL_BYTES))
        text = without_colors(file.read().decode("utf-8", "replace"))
    lines = [line.strip() for line in text.splitlines()]
    lines = unique(line for line in lines if line and line not in fault)
    return "; ".join([re.sub(r"\s*\n\s*", " ", fault), *lines[-TAIL_LINES:]])


def base_of(server: str) -> str:
    """The directory that names are relative to, with a slash at its end; empty if there is none."""
    base = setting("BASE_PATH").replace("{host}", server)
    return re.sub("/+", "/", base + "/") if base else ""


def files_of(differences: list[Difference], base: str) -> list[dict[str, str]]:
    """The differences in the form of the API, sorted, each name once."""
    files: dict[str, dict[str, str]] = {}
    for name, kind in differences:
        if kind == "file":
            name = re.sub("/+", "/", name).rstrip("/") or "/"
            name = name[len(base) :] if base and name.startswith(base) else name
        name = as_name(name)
        name = name if len(name) <= NAME_MAX else name[: NAME_MAX - 1] + "…"
        files.setdefault(name, {"name": name} if kind == "file" else {"name": name, "kind": kind})
    return [files[name] for name in sorted(files)]


if __name__ == "__main__":
    sys.exit({"check": check, "report": report}[sys.argv[1]](*sys.argv[2:]))
PYTHON
}

read_environment
server=${GITOPS_SERVER-}
preset=${GITOPS_PRESET-}
base_path=${GITOPS_BASE_PATH-}

while [ $# -gt 0 ]; do
  option=$1
  shift
  case $option in
    --) break ;;
    --help | -h) usage && exit ;;
    --version) echo "$NAME $VERSION" && exit ;;
    --dry-run) dry_run=true && continue ;;
    --any-commit) any_commit=true && continue ;;
    --*=*) value=${option#*=} option=${option%%=*} ;;
    --*)
      [ $# -gt 0 ] || refuse "$option is unknown, or its value is missing; see --help"
      value=$1
      shift
      ;;
    *) refuse "'$option' is not an option; the command goes after --; see --help" ;;
  esac
  case $option in
    --server) server=$value ;;
    --preset) preset=$value ;;
    --base-path) base_path=$value ;;
    *) set_option "$option" "$value" || refuse "$option is unknown, or takes no value; see --help" ;;
  esac
done
[ -n "${1-}" ] || refuse 'the command is missing; it goes after --; see --help'
check_programs python3
checkout=.
check_settings
case $base_path in
  '' | /*) ;;
  *) refuse "the base path must begin with /, not '$base_path'" ;;
esac

make_work
write_programs
python tool.py check "$work" "$preset" "$server" "$@" || exit 2
# The start of the check: one that began earlier and ends later must not replace a newer one.
began=$(date -u +%Y-%m-%dT%H:%M:%SZ)
run_command "$@"
code=0
GITOPS_BASE_PATH=$base_path python tool.py report "$work" "$server" "$began" "$@" || code=1
# A program that failed writes none.
[ -e "$work/posts/0000.json" ] || code=3
deliver "$code"
