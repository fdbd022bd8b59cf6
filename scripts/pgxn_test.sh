#!/bin/bash
# Usage: scripts/pgxn_test.sh [COMMIT]     (Debian; some minutes)
# `pgxn install` of the distribution of a commit (HEAD) into a private copy of the server, which then
# uses it. PGXN's client is Debian's pgxnclient.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
dir=$(server_place "$ROOT/build/pgxn")
rm -rf "$dir"
mkdir -p "$dir"
apt_install "$dir/apt.log" pgxnclient make "${BUILD_PACKAGES[@]}"
zip=$("$ROOT/scripts/pgxn_dist.sh" "${1:-HEAD}" "$dir")

# A copy whose pg_config names directories of the copy, because a server finds its files relative to
# its programs. Headers are those of the system.
stage=$dir/stage
for directory in $(pg_config --bindir --pkglibdir --sharedir); do
  mkdir -p "$stage$directory"
  tar -C "$directory" -ch --exclude=./man . | tar -C "$stage$directory" -x
done
include=$(pg_config --includedir)
mkdir -p "$stage${include%/*}"
ln -s "$include" "$stage$include"
pg_config --bindir >"$stage/.bindir"
rm -f "$stage$(pg_config --pkglibdir)"/pg_tviews.so "$stage$(pg_config --sharedir)"/extension/pg_tviews*
[ "$("$stage$(pg_config --bindir)/pg_config" --pkglibdir)" = "$stage$(pg_config --pkglibdir)" ] ||
  fail "pg_config of $stage does not name its own directories"

# The client looks whether it may write to the directory of libpq.
mkdir -p "$("$stage$(pg_config --bindir)/pg_config" --libdir)"
HOME=$dir pgxn --verbose install --nosudo --pg_config "$stage$(pg_config --bindir)/pg_config" "$zip" >"$dir/install.log" 2>&1 || {
  tail -n 30 "$dir/install.log" >&2
  fail "pgxn install failed: $dir/install.log"
}
chmod -R a+rX "$dir"
make_cluster "$stage"
server_init "$dir/server" "$stage"
trap 'server_stop "$dir/server" immediate' EXIT
server_start "$dir/server"
server_psql "$dir/server" -d postgres -q -f "$ROOT/scripts/smoke.sql"
say "pgxn install: $(basename "$zip") works"
