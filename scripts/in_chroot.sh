#!/bin/bash
# Usage: scripts/in_chroot.sh SUITE COMMAND ARGUMENT...     (root; needs debootstrap)
# Runs a command in a Debian of its own (bookworm, trixie, sid: PostgreSQL 15, 17, 18) with this tree
# in /src and what build and tests need installed. The chroots are kept below $CHROOTS
# (/var/tmp/pg_tviews-chroots) for the next time; the command's build directory is best /build.
#
#     scripts/in_chroot.sh trixie scripts/check.sh
#     CLEAN=1 ... starts from a new chroot in which nothing is installed, and removes it afterwards
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ $# -ge 2 ] || fail "usage: in_chroot.sh SUITE COMMAND ARGUMENT..."
[ "$(id -u)" = 0 ] || fail "only root can use chroots"
suite=$1
shift
chroots=${CHROOTS:-/var/tmp/pg_tviews-chroots}
log=$chroots/$suite.log
mkdir -p "$chroots"

base() { # DIR
  [ ! -e "$1/.complete" ] || return 0
  rm -rf "$1"
  debootstrap --variant=minbase --include=ca-certificates "$suite" "$1" \
    "${MIRROR:-http://deb.debian.org/debian}" >>"$log" 2>&1
  printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d" # no services in a chroot
  chmod +x "$1/usr/sbin/policy-rc.d"
  # The snapshots of unstable that mirrors keep may be older than their signature allows.
  [ "$suite" != sid ] || echo 'Acquire::Check-Valid-Until "false";' >"$1/etc/apt/apt.conf.d/99snapshot"
  touch "$1/.complete"
}

leave() {
  umount -l "$root/src" "$root/dev" "$root/proc" 2>/dev/null || true
  [ -z "${CLEAN:-}" ] || rm -rf --one-file-system "$root"
}

base "$chroots/$suite-base"
root=$chroots/$suite
if [ -n "${CLEAN:-}" ]; then root=$(mktemp -d "$chroots/$suite-clean.XXXX"); fi
[ -e "$root/.complete" ] || cp -a "$chroots/$suite-base/." "$root"
chmod 755 "$root"
trap leave EXIT
mkdir -p "$root/src" "$root/build"
mount --bind "$ROOT" "$root/src"
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"
mount -t proc proc "$root/proc"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
if [ -z "${CLEAN:-}" ]; then
  # shellcheck disable=SC2016
  chroot "$root" bash -c '. /src/scripts/lib.sh
    apt_install /build/apt.log "${BUILD_PACKAGES[@]}" "${CHECK_PACKAGES[@]}" "${PACKAGE_PACKAGES[@]}"'
fi
chroot "$root" env -C /src HOME=/root LANG=C.UTF-8 "$@"
