#!/bin/sh
# Functions that deliver a report.
# shellcheck disable=SC2154 # settings.sh and the scripts set the rest

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
