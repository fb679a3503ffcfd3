#!/bin/sh
# Functions of both scripts: messages, and settings from options, the environment and CI.
# shellcheck disable=SC2034,SC2154 # the scripts set and read the rest

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
