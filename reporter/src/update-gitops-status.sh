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
  --repo NAME        GITOPS_REPO        CI_REPO (owner/name), else the name of the Git repository; version 0.1 had
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

An option goes before its variable; an empty variable counts as not set. CI_COMMIT_SHA, CI_COMMIT_BRANCH and
CI_PIPELINE_URL, which Woodpecker sets, are sent as commit, branch and pipeline_url. A pull request (CI_PIPELINE_EVENT) is never
reported. Ansible sees neither GITOPS_TOKEN nor
GITOPS_STATUS_URL.
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

# --- settings ---------------------------------------------------------------------------------------------------------

# Prints true or false for a variable that switches something on.
switch() {
  case $2 in
    '' | 0 | false | no) echo false ;;
    1 | true | yes) echo true ;;
    *) refuse "$1 must be true or false, not '$2'" ;;
  esac
}

# The name of the Git repository that holds the playbook: its address's last part, else its directory's.
git_name() {
  directory=$(dirname -- "$playbook")
  # Steps of CI often run as another user than the one who cloned, which Git refuses without being told.
  found=$(git -c safe.directory='*' -C "$directory" config --get remote.origin.url 2>/dev/null) ||
    found=$(git -c safe.directory='*' -C "$directory" rev-parse --show-toplevel 2>/dev/null) ||
    return 0
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

check_settings() {
  check_url
  check_token
  case $base_path in
    /*) ;;
    *) refuse "the base path must begin with /, not '$base_path'" ;;
  esac
  case $timeout in
    '' | *[!0-9]* | 0*) refuse "the timeout must be whole seconds, more than 0, not '$timeout'" ;;
  esac
  case $stale_after in
    *[!0-9]* | 0*) refuse "stale-after must be whole seconds, more than 0, not '$stale_after'" ;;
  esac
  [ -n "$repo" ] || repo=$(git_name)
  [ -n "$repo" ] || refuse 'the name of the repository is not known; set GITOPS_REPO'
}

# --- the parts of the job ---------------------------------------------------------------------------------------------

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

report() {
  GITOPS_REPO=$repo GITOPS_BASE_PATH=$base_path GITOPS_LABELS=$labels GITOPS_STALE_AFTER=$stale_after \
    GITOPS_SHOW_DIFF=$show_diff GITOPS_SEND_DIFF=$send_diff GITOPS_ACCEPT_PARTIAL=$accept_partial \
    PYTHONIOENCODING=utf-8 python3 "$work/report.py" "$@"
}

# Succeeds if the report must not be sent, and says why: it would be taken for what is in the branch now.
is_outdated() {
  case ${CI_PIPELINE_EVENT-} in
    pull_request*) say 'Nothing is reported: this is a pull request.' && return ;;
  esac
  [ "$any_commit" = false ] && [ -n "${CI_COMMIT_BRANCH-}" ] && [ -n "${CI_COMMIT_SHA-}" ] || return 1
  head=$(GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND="${GIT_SSH_COMMAND:-ssh} -o BatchMode=yes -o ConnectTimeout=10" \
    git -c safe.directory='*' -C "$(dirname -- "$playbook")" ls-remote origin "refs/heads/$CI_COMMIT_BRANCH" 2>/dev/null </dev/null) ||
    head=
  head=${head%%[!0-9a-f]*}
  if [ -z "$head" ]; then
    say "Whether this commit is still the head of $CI_COMMIT_BRANCH is not known: the remote repository could not be asked."
    return 1
  fi
  [ "$head" != "$CI_COMMIT_SHA" ] || return 1
  say "Nothing is reported: $CI_COMMIT_BRANCH is at $head by now, and this is $CI_COMMIT_SHA. See --any-commit."
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
  report answer "$(masked)" "$curl_code" "$received" "$part" "$work/answer"
}

# --- the programs that are written to $work ---------------------------------------------------------------------------

write_programs() {
  mkdir "$work/callback" "$work/posts"
  #@ callback.py callback/json.py
  #@ text.py paths.py servers.py delivery.py report.py
}

# --- main -------------------------------------------------------------------------------------------------------------

# Variables of these names in the environment would go on to what is started here.
unset url token
url=${GITOPS_STATUS_URL-}
repo=${GITOPS_REPO:-${CI_REPO-}}
labels=${GITOPS_LABELS-}
stale_after=${GITOPS_STALE_AFTER-}
playbook=${GITOPS_PLAYBOOK-}
inventory=${GITOPS_INVENTORY-}
base_path=${GITOPS_BASE_PATH-}
token=${GITOPS_TOKEN-}
token_file=${GITOPS_TOKEN_FILE-}
timeout=${GITOPS_TIMEOUT:-30}
show_diff=$(switch GITOPS_SHOW_DIFF "${GITOPS_SHOW_DIFF-}")
send_diff=$(switch GITOPS_SEND_DIFF "${GITOPS_SEND_DIFF-}")
dry_run=$(switch GITOPS_DRY_RUN "${GITOPS_DRY_RUN-}")
any_commit=$(switch GITOPS_ANY_COMMIT "${GITOPS_ANY_COMMIT-}")
accept_partial=$(switch GITOPS_ACCEPT_PARTIAL "${GITOPS_ACCEPT_PARTIAL-}")
# Both may hold a secret, which is no business of Ansible's.
unset GITOPS_STATUS_URL GITOPS_TOKEN

while [ $# -gt 0 ]; do
  option=$1
  shift
  case $option in
    --) break ;;
    --help | -h) usage && exit ;;
    --show-diff) show_diff=true && continue ;;
    --send-diff) send_diff=true && continue ;;
    --dry-run) dry_run=true && continue ;;
    --any-commit) any_commit=true && continue ;;
    --accept-partial) accept_partial=true && continue ;;
    --version) echo "$NAME $VERSION" && exit ;;
    --*=*) value=${option#*=} option=${option%%=*} ;;
    --*)
      [ $# -gt 0 ] || refuse "$option is unknown, or its value is missing; see --help"
      value=$1
      shift
      ;;
    *) refuse "'$option' is no option; arguments of ansible-playbook go after --; see --help" ;;
  esac
  case $option in
    --url) url=$value ;;
    --repo) repo=$value ;;
    --playbook) playbook=$value ;;
    --inventory) inventory=$value ;;
    --base-path) base_path=$value ;;
    --token-file) token='' token_file=$value ;;
    --timeout) timeout=$value ;;
    --labels) labels=$value ;;
    --stale-after) stale_after=$value ;;
    *) refuse "$option is unknown, or takes no value; see --help" ;;
  esac
done
url=${url:-http://gitops-status-server.observability-stack.svc.cluster.local:80/api/status}
playbook=${playbook:-drift-check.yml}
base_path=${base_path:-/etc}
check_settings
for program in ansible-playbook python3 curl; do
  [ "$program$dry_run" = curltrue ] && continue
  command -v "$program" >/dev/null || refuse "$program is not installed"
done

work=$(mktemp -d "${TMPDIR:-/tmp}/$NAME.XXXXXX") || refuse 'cannot make a temporary directory'
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
write_programs
report check || exit 2

# When the check began: one that began earlier and ends later must not replace a newer one.
last_check=$(date -u +%Y-%m-%dT%H:%M:%SZ)
run_check "$@"
code=0
report build "$work" "$ansible_code" "$last_check" || code=1
is_outdated && exit "$code"
for part in "$work"/posts/*.json; do
  [ -e "$part" ] || break
  if [ "$dry_run" = true ]; then
    cat "$part"
  else
    post "$part" || code=3
  fi
done
exit "$code"
