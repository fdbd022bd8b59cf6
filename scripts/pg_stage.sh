#!/bin/bash
# Usage: scripts/pg_stage.sh BUILD_DIR STAGE_DIR
# Makes a private copy of the installed PostgreSQL in STAGE_DIR with our module in it, so that
# nothing is written to /usr, and the cluster that servers begin with. The server finds its files
# relative to its program, hence the same layout below STAGE_DIR. Run again, it copies the module only.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ $# = 2 ] || fail "usage: pg_stage.sh BUILD_DIR STAGE_DIR"
build=$1
stage=$2
PG_CONFIG=$(sed -n 's/^PG_CONFIG:[A-Z]*=//p' "$build/CMakeCache.txt")

# Tests that run side by side share a stage.
exec 9<"$build"
flock 9

# Also what packages of extensions have brought since.
wanted="$(pg_config --version) $(ls "$(pg_config --bindir)" "$(pg_config --sharedir)/extension" | cksum)"
if [ "$(cat "$stage/.version" 2>/dev/null)" != "$wanted" ] || [ ! -e "$stage/cluster.tar" ]; then
  rm -rf "$stage"
  for directory in $(pg_config --bindir --pkglibdir --sharedir); do
    mkdir -p "$stage$directory"
    tar -C "$directory" -ch --exclude=./pgxs --exclude=./man . | tar -C "$stage$directory" -x
  done
  pg_config --bindir >"$stage/.bindir"
  chmod -R a+rX "$stage"
  make_cluster "$stage"
  say "$wanted" >"$stage/.version"
fi
DESTDIR=$(cd "$stage" && pwd) cmake --install "$build" >/dev/null
chmod -R a+rX "$stage"
