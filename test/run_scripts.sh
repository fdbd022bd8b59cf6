# Runs the Python tests of one folder: sourced by test/system/run.sh and test/stress/run.sh.
. "$(dirname "${BASH_SOURCE[0]}")/server.sh"

python_tests() { (cd "$ROOT/test/$1" && printf '%s\n' *_test.py | sed 's/_test\.py$//'); } # KIND

# Prints one line per test, like pg_regress; a test that fails shows its output, others theirs only
# if VERBOSE is set. TESTS= patterns choose. JOBS tests run at once, beginning with those that have a line
# `# Runs first: ` and the reason; those with `# Runs alone: ` come afterwards, one at a time.
run_scripts() { # KIND BUILD_DIR
  local test first=() together=() alone=() build stage status=0
  # shellcheck disable=SC2046
  check_tests_chosen "$1" $(python_tests "$1")
  build=$(realpath "$2")
  stage=$(server_place "$build/stage")
  mkdir -p "$build/test-$1"
  "$ROOT/scripts/pg_stage.sh" "$build" "$stage" || return 1
  for test in "$ROOT/test/$1"/*_test.py; do
    is_chosen "$(basename "$test" _test.py)" || continue
    case $(grep -o '^# Runs [a-z]*: ' "$test") in
    '# Runs first: ') first+=("$test") ;;
    '# Runs alone: ') alone+=("$test") ;;
    *) together+=("$test") ;;
    esac
  done
  run_in_pool "$JOBS" "$1" "$build" "${first[@]}" "${together[@]}" || status=1
  run_in_pool 1 "$1" "$build" "${alone[@]}" || status=1
  return $status
}

run_in_pool() { # JOBS KIND BUILD_DIR TEST...
  local jobs=$1 kind=$2 build=$3
  shift 3
  [ $# = 0 ] || printf '%s\0' "$@" | xargs -0 -n 1 -P "$jobs" "$ROOT/test/run_script.sh" "$kind" "$build"
}
