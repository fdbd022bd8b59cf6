#!/bin/bash
# Usage: scripts/package_test.sh [--rpm] [SUITE...]     (root; needs debootstrap; minutes per suite)
# For Debian 12 and 13, or the suites given: builds the Debian package in a chroot, with its bill of
# materials, installs it in a clean one, and uses it there: a cluster, CREATE EXTENSION, a TVIEW that
# follows its source. --rpm does that with an RPM, which has Abseil and protobuf linked in.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# Below /src in the chroot, so that both chroots see it.
packages=$ROOT/build/packages
format=deb
if [ "${1:-}" = --rpm ]; then
  format=rpm
  shift
fi

# Of the commit, for packages and bills that come out the same again; the chroot may not reach the repository.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$ROOT" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

make_package() { # SUITE
  "$ROOT/scripts/in_chroot.sh" "$1" bash -ec '
    build=/build/package-'$format' options=
    if [ '$format' = rpm ]; then
      scripts/static_deps.sh /build/static
      options=-DTVIEWS_STATIC_DEPS=/build/static
    fi
    cmake -S /src -B $build -G Ninja -DTVIEWS_TESTS=OFF $options && ninja -C $build
    scripts/check_exports $build
    rm -rf $build/packages
    (cd $build && cpack -G '${format^^}')
    out=/src/build/packages/'"$1"'
    mkdir -p $out && rm -f $out/*.'$format'*
    cp $build/packages/*.'$format' $out
    scripts/sbom $build $out/*.'$format' >$build/sbom.json
    cp $build/sbom.json "$(echo $out/*.'$format').spdx.json"'
}

use_package() { # SUITE
  CLEAN=1 "$ROOT/scripts/in_chroot.sh" "$1" /src/scripts/package_smoke.sh "/src/build/packages/$1" $format
}

status=0
mkdir -p "$packages"
[ $# -gt 0 ] || set -- bookworm trixie
for suite in "$@"; do
  log=$packages/$suite-$format.log
  if make_package "$suite" >"$log" 2>&1 && use_package "$suite" >>"$log" 2>&1; then
    printf 'test package_%-20s ... ok      %s\n' "$suite" "$(basename "$packages/$suite"/*."$format")"
  else
    printf 'test package_%-20s ... FAILED  %s\n' "$suite" "$log"
    tail -n 40 "$log"
    status=1
  fi
done
exit $status
