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

#@ settings.sh
#@ delivery.sh

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
  #@ text.py run.py delivery.py
  #@ tools/outcome.py tools/documents.py tools/listings.py tools/managers.py tools/presets.py tools/command.py tools/tool.py
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
