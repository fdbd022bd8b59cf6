# The private server of a test run: sourced by the runners, never run.
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

# Stages the build and starts a new server. Sets SERVER (its directory, in the build directory),
# which is stopped when the script ends; the log stays.
start_test_server() { # BUILD_DIR NAME CONF
  local build stage
  build=$(realpath "$1")
  stage=$(server_place "$build/stage")
  "$ROOT/scripts/pg_stage.sh" "$build" "$stage"
  SERVER=$(server_place "$build/server-$2")
  server_stop "$SERVER" immediate
  rm -rf "$SERVER"
  trap 'server_stop "$SERVER" "${STOP_MODE:-immediate}"' EXIT
  server_init "$SERVER" "$stage" "$3"
  server_start "$SERVER"
}

# A run has failed, whatever the tests said, if the server's log shows one of these.
check_server_log() {
  if as_server grep -nE 'PANIC|terminated by signal|unguarded PostgreSQL error|TRAP:' "$SERVER/log"; then
    say "the lines above are in the server's log, $SERVER/log"
    return 1
  fi
}

# Runs a pg_regress-like program over the schedule in test/KIND, or over those of its tests that
# match one of the patterns in TESTS (TESTS='capture_* ddl'). Prints the differences of failed tests.
run_schedule() { # KIND PROGRAM
  local kind=$1 program=$2 out test pattern
  local schedule=$ROOT/test/$kind/schedule
  out=$(realpath "$BUILD")/test-$kind
  rm -rf "$out"
  mkdir -p "$out"
  if [ -n "${TESTS:-}" ]; then
    for test in $(sed -n 's/^test: *//p' "$schedule"); do
      set -f
      for pattern in $TESTS; do
        # shellcheck disable=SC2254
        case $test in $pattern) say "test: $test" ;; esac
      done
      set +f
    done >"$out/schedule"
    schedule=$out/schedule
  fi
  local status=0
  "$(pg_config --pgxs | sed 's|/src/makefiles/.*||')/src/test/$program" \
    --bindir="$(server_bin "$SERVER")" --host="$(server_socket "$SERVER")" --user="$SERVER_USER" \
    --inputdir="$ROOT/test/$kind" --outputdir="$out" --schedule="$schedule" \
    --dbname="test_$kind" --load-extension=pg_tviews --max-concurrent-tests=10 || status=1
  if [ -s "$out/regression.diffs" ]; then cat "$out/regression.diffs"; fi
  check_server_log || status=1
  return $status
}
