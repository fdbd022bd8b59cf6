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
  if as_server grep -nE 'PANIC|terminated by signal|unguarded PostgreSQL error|outside a definition|memory context .* was left behind|TRAP:' "$SERVER/log"; then
    say "the lines above are in the server's log, $SERVER/log"
    return 1
  fi
}

# Runs a pg_regress-like program over the schedule in test/KIND, or over those of its tests that TESTS
# chooses. The lines of the schedule are spread over JOBS servers, each with a database of its own, which
# take the next line as soon as they are ready. Prints the differences of failed tests.
run_schedule() { # KIND PROGRAM CONF
  local kind=$1 out lanes lane pid pids=() status=0
  # shellcheck disable=SC2046
  check_tests_chosen "$kind" $(sed -n 's/^test: *//p' "$ROOT/test/$kind/schedule")
  out=$(realpath "$BUILD")/test-$kind
  rm -rf "$out"
  mkdir -p "$out"
  chosen_lines "$ROOT/test/$kind/schedule" >"$out/schedule"
  lanes=$(wc -l <"$out/schedule")
  [ "$lanes" -le "$JOBS" ] || lanes=$JOBS
  exec 8<"$out/schedule"  # the lanes share the place in it
  for ((lane = 1; lane <= lanes; lane++)); do
    (run_lane "$kind" "$2" "$3" "$out/$lane" "$kind$([ $lane = 1 ] || say "-$lane")") &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || status=1; done
  return $status
}

# The lines of a schedule, without the tests that are not chosen.
chosen_lines() { # SCHEDULE
  local line test tests
  sed -n 's/^test: *//p' "$1" | while read -r line; do
    tests=()
    for test in $line; do
      if is_chosen "$test"; then tests+=("$test"); fi
    done
    [ ${#tests[@]} = 0 ] || say "test: ${tests[*]}"
  done
}

run_lane() { # KIND PROGRAM CONF OUT SERVER_NAME
  local kind=$1 out=$4 status=0 is_ok line database=() program
  program="$(pg_config --pgxs | sed 's|/src/makefiles/.*||')/src/test/$2"
  mkdir -p "$out"
  exec 7<"${out%/*}"  # who has its lock may take a line, or speak
  start_test_server "$BUILD" "$5" "$3"
  while flock 7 && line=$(read -r line <&8 && say "$line"); do
    flock -u 7
    say "$line" >"$out/schedule"
    is_ok=yes
    "$program" --bindir="$(server_bin "$SERVER")" --host="$(server_socket "$SERVER")" --user="$SERVER_USER" \
      --inputdir="$ROOT/test/$kind" --outputdir="$out" --schedule="$out/schedule" --dbname="test_$kind" \
      --load-extension=pg_tviews --max-concurrent-tests=10 "${database[@]}" >"$out/log" 2>&1 || is_ok=no
    database=(--use-existing)
    flock 7
    if [ $is_ok = yes ]; then
      grep -E '^(test|    |ok) ' "$out/log"
    else
      cat "$out/log"
      status=1
    fi
    if [ -s "$out/regression.diffs" ]; then cat "$out/regression.diffs"; fi
    flock -u 7
  done
  flock -u 7
  check_server_log || status=1
  return $status
}
