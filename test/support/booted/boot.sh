#!/usr/bin/env bash
# Boots a throwaway copy of a Debian system with systemd, in a container: the same files, but what is written is gone afterwards; a
# network of its own with nothing but loopback; processes of its own.
#
#   boot.sh ROOT DIRECTORY PACKAGE
#
# ROOT is the system; / is this machine. DIRECTORY/session is there /session, and PACKAGE what npm installs in /usr/local. DIRECTORY
# gets the file `init` with the process ID of process 1, and `console`. SIGTERM ends the system.
set -euo pipefail
root=$1 directory=$2 package=$3
cd "$directory"
mkdir session groups memory

# A group of its own for its processes, in the hierarchy that systemd needs. It is there when this script has gone.
mount -t cgroup2 cgroup2 groups
group=$(mktemp -d "$directory/groups/booted-XXXXXX")
# Its processes are gone some milliseconds after they have been killed.
remove_group() {
  until find "$group" -depth -type d -exec rmdir {} + 2>/dev/null; do sleep 0.02; done
}

mount -t tmpfs tmpfs memory
mkdir memory/{upper,work,root}
mount -t overlay overlay -o "lowerdir=$root,upperdir=memory/upper,workdir=memory/work" memory/root
tr -d - </proc/sys/kernel/random/uuid >memory/root/etc/machine-id
# Images of containers have it to prevent that packages start services.
rm -f memory/root/usr/sbin/policy-rc.d
# There is no network to wait for.
for unit in systemd-networkd-wait-online NetworkManager-wait-online; do
  ln -sf /dev/null "memory/root/etc/systemd/system/$unit.service"
done

(
  echo "$BASHPID" >"$group/cgroup.procs"
  # shellcheck disable=SC2016 # The inner shell expands it.
  exec unshare --mount --mount-proc --pid --fork --kill-child --cgroup bash -c '
    umount --lazy /sys/fs/cgroup 2>/dev/null || true
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 exec systemd-nspawn --quiet --register=no --keep-unit --link-journal=no --console=read-only \
      --private-network --directory memory/root --bind "$PWD/session:/session" \
      --bind-ro "$1:/usr/local/lib/node_modules/gitops-status-server" --boot systemd.unit=basic.target' \
    bash "$package" </dev/null >console 2>&1
) &
container=$!
trap 'kill -KILL $container; wait $container 2>/dev/null || true; remove_group; exit' TERM

# Process 1 is in this group when it has begun.
until init=$(head -n 1 "$group/payload/init.scope/cgroup.procs" 2>/dev/null) && [ -n "$init" ]; do
  kill -0 "$container"
  sleep 0.02
done
echo "$init" >init.part
mv init.part init
wait "$container" || true
remove_group
