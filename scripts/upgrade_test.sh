#!/bin/bash
# Usage: scripts/upgrade_test.sh [BUILD_DIR]      (needs the repository's history; minutes)
# Upgrades and downgrades servers with TVIEWs, data and load between this tree's version and every
# released one, as packages do: stop, exchange the library, start, ALTER EXTENSION UPDATE. The old
# library is built from the commit that sql/releases/README.md names.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
build=$(realpath "${1:-$ROOT/build}")

releases() { sed -n 's/^| \([0-9.]*\) | \([0-9a-f]*\) |$/\1 \2/p' "$ROOT/sql/releases/README.md"; }

# A checkout of a commit, built in a place of the same relative name as `build`.
old_build() { # VERSION COMMIT
  local tree=$ROOT/build/release-$1
  [ -e "$tree/CMakeLists.txt" ] || {
    rm -rf "$tree"
    mkdir -p "$tree"
    git -C "$ROOT" archive "$2" | tar -x -C "$tree"
  }
  (
    export CCACHE_BASEDIR=$tree
    ROOT=$tree configure_build "$tree/build/check-gcc" -DTVIEWS_WERROR=ON -DCMAKE_CXX_COMPILER=g++
    cmake --build "$tree/build/check-gcc" --target pg_tviews tviews_sql_script
  ) >"$tree.log" 2>&1 || {
    tail -n 20 "$tree.log" >&2
    return 1
  }
  say "$tree/build/check-gcc"
}

status=0
while read -r version commit; do
  old=$(old_build "$version" "$commit")
  out=$build/upgrade-$version.out
  if PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$ROOT/test/support timeout -k 10 900 \
    /usr/bin/python3 "$ROOT/test/system/old_library.py" "$build" "$old" "$version" >"$out" 2>&1; then
    say "test library_of_$version ... ok"
  else
    say "test library_of_$version ... FAILED"
    cat "$out"
    status=1
  fi
done < <(releases)
exit $status
