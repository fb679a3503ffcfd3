#!/usr/bin/env bash
# Runs the blocks of a page one after the other in one shell, as a reader does: /run/session/N.sh, with what it prints in N.out and the
# exit code of the first command that failed in N.code. N.terminal.sh goes on running in the background.
set -E -o pipefail
cd ~/gitops-status-server

failed=0
trap 'code=$?; [ "$failed" != 0 ] || failed=$code' ERR

# start_server [OPTION...]: a server that a page takes for granted. It ends with the page, or by stop_server.
start_server() {
  # The log of an earlier server would say that this one has started.
  rm -f ~/server.log
  gitops-status-server "$@" >~/server.log 2>&1 &
  server=$!
  until_started ~/server.log
}
stop_server() {
  kill "${server:-$!}"
  wait "${server:-$!}" || true
}
until_started() {
  local deadline=$((SECONDS + 20))
  until grep -qs '"msg":"started"' "$1"; do
    [ $SECONDS -lt $deadline ] || { cat "$1"; return 1; }
    sleep 0.05
  done
}

# A block may set variables, so the names here are unlikely ones.
for __block in /run/session/*.sh; do
  __name=${__block%.sh}
  failed=0
  case $__block in
    *.terminal.sh)
      { trap - ERR; source "$__block"; } >"$__name.out" 2>&1 </dev/null &
      server=$!
      until_started "$__name.out"
      ;;
    *) source "$__block" >"$__name.out" 2>&1 </dev/null ;;
  esac
  echo "$failed" >"$__name.code"
done
