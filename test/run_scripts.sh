# Runs the Python tests of one folder: sourced by test/system/run.sh and test/stress/run.sh.
. "$(dirname "${BASH_SOURCE[0]}")/server.sh"

# Prints one line per test, like pg_regress; a test that fails shows its output, others theirs only
# if VERBOSE is set. TESTS= patterns choose.
run_scripts() { # KIND BUILD_DIR
  local test name pattern began wanted status=0 out
  out=$(realpath "$2")/test-$1
  mkdir -p "$out"
  for test in "$ROOT/test/$1"/*_test.py; do
    name=$(basename "$test" _test.py)
    wanted=no
    set -f
    for pattern in ${TESTS:-*}; do
      # shellcheck disable=SC2254
      case $name in $pattern) wanted=yes ;; esac
    done
    set +f
    [ $wanted = yes ] || continue
    began=$(date +%s%3N)
    if PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$ROOT/test/support \
      timeout -k 10 "${TEST_TIMEOUT:-900}" /usr/bin/python3 "$test" "$2" >"$out/$name.out" 2>&1; then
      printf 'test %-28s ... ok     %8d ms\n' "$name" $(($(date +%s%3N) - began))
      sed -n 's/^note: /note: '"$name"': /p' "$out/$name.out"
      [ -z "${VERBOSE:-}" ] || cat "$out/$name.out"
    else
      printf 'test %-28s ... FAILED %8d ms\n' "$name" $(($(date +%s%3N) - began))
      cat "$out/$name.out"
      status=1
    fi
    server_stop "$(server_place "$(realpath "$2")/server-$name")" "${STOP_MODE:-immediate}" || true
  done
  return $status
}
