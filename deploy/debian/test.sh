#!/bin/sh
# Runs the tests of the unit and of the package on Debian 13, as root on a Debian machine:
#
#   deploy/debian/test.sh [DIRECTORY]
#
# debootstrap installs Debian 13 into DIRECTORY, from the mirror in MIRROR if it is set. If DIRECTORY has it, that is used again. Needs
# what the tests need, `npm ci`, and: apt-get install debootstrap systemd-container
set -eu
system=$(realpath "${1:-/var/tmp/debian-13}")
cd "$(dirname "$0")/../.."

if [ ! -e "$system/usr/bin/node" ]; then
  debootstrap --variant=minbase --include=systemd,systemd-sysv,nodejs,curl,jq trixie "$system" ${MIRROR:+"$MIRROR"}
fi
DEBIAN_ROOT=$system npm test -- --disable-coverage test/integration/deploy/systemd.test.ts test/integration/deploy/debian.test.ts
