#!/bin/bash
# Usage: scripts/coverage.sh [--stress]
# Line coverage of src/ by the unit, regress, isolation and system tests together (--stress: and by
# the stress tests), per file and in total. Fails below MINIMUM percent (90). What sessions and
# background workers execute counts: every process adds its counters when it exits, so the servers
# are stopped in an orderly way; a process that a test kills takes its own along.
#
# TESTS='pattern*' and KINDS='unit regress' narrow it; REPORT=1 only prints what the last run found.
set -uo pipefail
. "$(dirname "$0")/lib.sh"
build=$ROOT/build/coverage
kinds=${KINDS:-unit regress isolation system}
[ "${1:-}" != --stress ] || kinds+=" stress"

# The server runs as another user than the compiler: counters go below a directory of that user.
counters=$(server_place "$build-counters")

run_kind() { # KIND
  local log=$build/$1.log status=0
  printf '%-10s ' "$1"
  if [ "$1" = unit ]; then
    GCOV_PREFIX=$counters "$build/test/unit/unit_tests" >"$log" 2>&1 || status=$?
    if [ "$(id -u)" = 0 ]; then chown -R "$SERVER_USER:" "$counters"; fi
  else
    # Instrumented code takes its time, and each process writes its counters when it ends.
    STOP_MODE=fast GCOV_PREFIX=$counters TEST_TIMEOUT=1800 "$ROOT/test/$1/run.sh" "$build" >"$log" 2>&1 || status=$?
  fi
  say "$([ $status = 0 ] && echo ok || echo "FAILED: $log")"
  return $status
}

status=0
if [ -z "${REPORT:-}" ]; then
  mkdir -p "$build"
  configure_build "$build" -DCMAKE_BUILD_TYPE=Debug -DTVIEWS_COVERAGE=ON >"$build.log" 2>&1 &&
    cmake --build "$build" >>"$build.log" 2>&1 || {
    tail -n 30 "$build.log"
    fail "the build failed: $build.log"
  }
  find "$build" -name '*.gcda' -delete
  rm -rf "$counters"
  make_server_dir "$counters"
  for kind in $kinds; do run_kind "$kind" || status=1; done
  cp -r "$counters/$build/." "$build/"
fi
"$ROOT/scripts/coverage_report.py" "$build" "${MINIMUM:-90}" || status=1
exit $status
