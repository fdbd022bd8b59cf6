#!/bin/bash
# Usage: test/postgres/run.sh [BUILD_DIR [SOURCE_DIR]]
# PostgreSQL's own regression suite, on a server without pg_tviews and on one that has it preloaded,
# with the extension in the database: every test must have the same output on both. SOURCE_DIR is an
# unpacked source package of the server; without it, `apt-get source` gets one (needs a deb-src line).
# Takes some minutes, so scripts/check.sh runs it only if POSTGRES_SUITE is set.
set -uo pipefail
. "$(dirname "$0")/../server.sh"
BUILD=$(realpath "${1:-$ROOT/build}")
OUT=$BUILD/test-postgres
rm -rf "$OUT"
make_server_dir "$OUT" || exit 1

source_of_server() {
  local package=postgresql-$(pg_config --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
  (cd "$OUT" && apt-get source -qq "$package" >apt.log 2>&1) || {
    tail -n 5 "$OUT/apt.log" >&2
    return 1
  }
  find "$OUT" -maxdepth 1 -type d -name "$package-*" | head -n 1
}

# Differences that are explained in docs/development/postgres-suite.md.
EXPLAINED='opr_sanity security_label type_sanity'

# The C functions that the tests load, next to those of the server's contrib modules.
build_library() { # REGRESS_DIR
  mkdir -p "$OUT/lib"
  cp "$(pg_config --pkglibdir)"/{autoinc,refint}.so "$OUT/lib" &&
    gcc -shared -fPIC -O2 -w -I"$(pg_config --includedir-server)" "$1/regress.c" -o "$OUT/lib/regress.so"
}

# Prints the name of each test that fails; leaves the differences in $OUT/NAME.
run_suite() { # NAME REGRESS_DIR PRELOAD [PG_REGRESS OPTION]
  local name=$1 regress=$2 preload=$3
  shift 3
  make_server_dir "$OUT/$name"
  # What the suite assumes of a server, besides defaults.
  printf '%s\n' "shared_preload_libraries = '$preload'" 'max_prepared_transactions = 10' 'fsync = off' \
    'max_connections = 60' "timezone = 'America/Los_Angeles'" >"$OUT/$name.conf"
  start_test_server "$BUILD" "postgres-$name" "$OUT/$name.conf"
  (cd "$OUT/$name" && as_server env PGUSER="$SERVER_USER" \
    "$(pg_config --pgxs | sed 's|/src/makefiles/.*||')/src/test/regress/pg_regress" \
    --bindir="$(server_bin "$SERVER")" --host="$(server_socket "$SERVER")" --user="$SERVER_USER" \
    --dlpath="$OUT/lib" --inputdir="$regress" --outputdir="$OUT/$name" \
    --schedule="$regress/parallel_schedule" --max-concurrent-tests=20 "$@") >"$OUT/$name.log" 2>&1
  server_stop "$SERVER" fast
  check_server_log || return 1
  grep -cE '\.\.\. (ok|FAILED)' "$OUT/$name.log" | sed "s/^/note: $name: tests: /"
  sed -nE 's/^(test)? +([a-z0-9_.]+) +\.\.\. FAILED.*/\2/p' "$OUT/$name.log" | sort >"$OUT/$name.failed"
  grep -q 'FAILED\|All [0-9]* tests passed' "$OUT/$name.log"
}

source_dir=${2:-$(source_of_server)} && [ -n "$source_dir" ] || exit 1
regress=$source_dir/src/test/regress
build_library "$regress" || exit 1
run_suite without "$regress" '' || { tail -n 20 "$OUT/without.log"; exit 1; }
run_suite with "$regress" pg_tviews --load-extension=pg_tviews || { tail -n 20 "$OUT/with.log"; exit 1; }

# Of the tests that fail on either, those whose output is not the same on both.
status=0
for test in $(sort -u "$OUT"/{without,with}.failed); do
  if [[ " $EXPLAINED " == *" $test "* ]]; then
    say "note: $test differs as docs/development/postgres-suite.md explains"
  elif cmp -s "$OUT/without/results/$test.out" "$OUT/with/results/$test.out"; then
    say "note: $test differs from what the source package expects, with and without pg_tviews alike"
  else
    say "test $test ... FAILED: with pg_tviews its output is another:"
    diff "$OUT/without/results/$test.out" "$OUT/with/results/$test.out"
    status=1
  fi
done
[ $status != 0 ] || say "test postgres ... ok"
exit $status
