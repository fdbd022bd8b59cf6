#!/bin/bash
# Usage: test/stress/beside_pg_ivm.sh BUILD_DIR PG_IVM_SOURCE        SCALE=1: full size (default 0.05); ROUNDS=3
# The same views and changes with pg_tviews, with pg_ivm, and bare, in one server, in turns: how long a statement and the
# read after it take, and the rate of four writers. Every view is compared with its query at the end. pg_ivm is built from
# its source directory into the private copy of the server; nothing is written to /usr.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib.sh"
[ $# = 2 ] || fail "usage: beside_pg_ivm.sh BUILD_DIR PG_IVM_SOURCE"
build=$(cd "$1" && pwd)
stage=$(server_place "$build/stage")
"$ROOT/scripts/pg_stage.sh" "$build" "$stage"
make -s -C "$2" install PG_CONFIG="$(command -v pg_config)" with_llvm=no DESTDIR="$stage" >"$build/pg_ivm.log" 2>&1 || { tail -20 "$build/pg_ivm.log"; exit 1; }
chmod -R a+rX "$stage"
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$ROOT/test/support:$ROOT/test/stress/bench
exec /usr/bin/python3 "$ROOT/test/stress/bench/beside_pg_ivm.py" "$build"
