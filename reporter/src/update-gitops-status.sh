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

#@ settings.sh
#@ delivery.sh

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
  #@ playbook/callback.py=callback/gitops_result.py playbook/silent.py=callback/gitops_silent.py
  #@ text.py run.py delivery.py
  #@ playbook/callback_paths.py playbook/modules.py playbook/results.py playbook/paths.py playbook/differences.py playbook/masks.py playbook/servers.py playbook/report.py
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
