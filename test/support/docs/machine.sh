#!/usr/bin/env bash
# A throwaway copy of this machine: the same files, but what is written is gone afterwards; a network of its own with nothing but
# loopback; processes of its own. Run it in new namespaces, as `machine.ts` does.
#
#   machine.sh CLONE SESSION
#
# CLONE is a clone of this repository, built. SESSION is a directory with the scripts to run, see session.sh.
set -euo pipefail
clone=$1 session=$2
here=$(dirname "$(realpath "$0")")

memory=$(mktemp -d)
mount -t tmpfs tmpfs "$memory"

# overlay FROM TO: at TO stands FROM, and what is written there goes into memory.
overlay() {
  local layers
  layers=$(mktemp -d -p "$memory")
  mkdir "$layers/upper" "$layers/work"
  mkdir -p "$2"
  mount -t overlay overlay -o "lowerdir=$1,upperdir=$layers/upper,workdir=$layers/work" "$2"
}

root=$memory/root
overlay / "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
for own in /tmp /run; do ! mountpoint -q "$own" || mount --rbind "$own" "$root$own"; done

# The reader's home, with a clone in it. Names are those that the pages use.
home=$root/home/you
mkdir -p "$home" "$root/run/session"
overlay "$clone" "$home/gitops-status-server"
rm -rf "$home/gitops-status-server/data"
mkdir "$home/gitops-status-server/data"
mount --bind "$session" "$root/run/session"
rm -f "$root/etc/hosts"
echo '127.0.0.1 localhost status.example.net git.example.net' >"$root/etc/hosts"
printf '%s\n' silent show-error >"$home/.curlrc"
chmod +x "$home/gitops-status-server/dist/cli.js"
ln -sf /home/you/gitops-status-server/dist/cli.js "$root/usr/local/bin/gitops-status-server"
cp "$here/session.sh" "$root/usr/local/bin/session.sh"
if command -v ip >/dev/null; then ip link set lo up; else busybox ip link set lo up; fi

exec chroot "$root" env -i PATH="$PATH:/usr/sbin:/sbin" HOME=/home/you LANG=C.UTF-8 TERM=dumb bash /usr/local/bin/session.sh
