#!/bin/bash
# Usage: scripts/package_test.sh [SUITE...]     (root; needs debootstrap; minutes per suite)
# For Debian 12 and 13, or the suites given: builds the Debian package in a chroot, installs it in a
# clean one, and uses it there: a cluster, CREATE EXTENSION, a TVIEW that follows its source.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Below /src in the chroot, so that both chroots see it.
packages=$ROOT/build/packages

make_package() { # SUITE
  "$ROOT/scripts/in_chroot.sh" "$1" bash -ec '
    cmake -S /src -B /build/package -G Ninja && ninja -C /build/package && cd /build/package
    rm -rf packages && cpack && mkdir -p /src/build/packages/'"$1"' && rm -f /src/build/packages/'"$1"'/*
    cp packages/*.deb /src/build/packages/'"$1"
}

use_package() { # SUITE
  CLEAN=1 "$ROOT/scripts/in_chroot.sh" "$1" /src/scripts/package_smoke.sh "/src/build/packages/$1"
}

status=0
mkdir -p "$packages"
[ $# -gt 0 ] || set -- bookworm trixie
for suite in "$@"; do
  log=$packages/$suite.log
  if make_package "$suite" >"$log" 2>&1 && use_package "$suite" >>"$log" 2>&1; then
    printf 'test package_%-20s ... ok      %s\n' "$suite" "$(basename "$packages/$suite"/*.deb)"
  else
    printf 'test package_%-20s ... FAILED  %s\n' "$suite" "$log"
    tail -n 40 "$log"
    status=1
  fi
done
exit $status
