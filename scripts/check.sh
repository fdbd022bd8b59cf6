#!/bin/bash
# Usage: scripts/check.sh
# Installs what the build and the tests need (Debian 12, root or sudo), builds with g++ and clang++,
# and runs every test. One line per stage; the last line counts what ran: `N passed, M failed`.
# A stage that fails shows the end of its log and does not stop the others.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

WORK=$ROOT/build
LOGS=$WORK/check-logs
PASSED=0
FAILED=0
STARTED=$SECONDS
rm -rf "$LOGS"
mkdir -p "$LOGS"

summary() {
  trap - EXIT
  printf '\n%d passed, %d failed\n' "$PASSED" "$FAILED"
  [ "$FAILED" = 0 ] && [ "$PASSED" -gt 0 ]
  exit $?
}
trap summary EXIT
trap 'FAILED=$((FAILED + 1)); exit 1' INT TERM HUP

# Runs a command, adds what it counted and prints one line. Tests are counted by what their runner
# says about each; a stage without tests counts as one check.
stage() { # LABEL COMMAND...
  local label=$1 log began=$SECONDS status=0 passed failed word=ok
  log=$LOGS/$(tr -cs 'a-z0-9\n' _ <<<"${label,,}").log
  shift
  printf '[%02d:%02d] %-42s ' $(((SECONDS - STARTED) / 60)) $(((SECONDS - STARTED) % 60)) "$label"
  ("$@") >"$log" 2>&1 </dev/null || status=$?
  # pg_regress says `test NAME ... ok`, and from 16 on `ok 1 - NAME`.
  passed=$(grep -cE '^\[       OK \]|^(test|    ) .* \.\.\. ok |^ok [0-9]' "$log")
  failed=$(grep -cE '^\[  FAILED  \] .* \([0-9]+ ms\)$|^(test|    ) .* \.\.\. FAILED|^not ok [0-9]' "$log")
  if [ $status != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
  if [ $status = 0 ] && [ "$passed$failed" = 00 ]; then passed=1; fi
  PASSED=$((PASSED + passed))
  FAILED=$((FAILED + failed))
  [ "$failed" = 0 ] || word=FAILED
  printf '%-6s %4d passed %3d failed %5d s\n' $word "$passed" "$failed" $((SECONDS - began))
  grep -E '^(warning|note): ' "$log" | sed 's/^/        /'
  [ "$failed" = 0 ] || {
    say "        the end of $log:"
    tail -n 80 "$log" | sed 's/^/        /'
  }
  return $((failed != 0))
}

# False while a kind of test has no test yet.
have() { compgen -G "$ROOT/test/$1" >/dev/null; }

build() { # NAME TARGETS OPTION...
  local name=$1 targets=$2
  shift 2
  # shellcheck disable=SC2086
  configure_build "$WORK/$name" -DTVIEWS_WERROR=ON "$@" && cmake --build "$WORK/$name" --target $targets
}

unit() { # NAME
  UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 timeout -k 10 900 "$WORK/$1/test/unit/unit_tests"
}

run() { # KIND BUILD SECONDS
  timeout -k 30 "$3" "$ROOT/test/$1/run.sh" "$WORK/$2"
}

install_packages() {
  apt_install "$LOGS/apt.log" "${BUILD_PACKAGES[@]}" "${CHECK_PACKAGES[@]}"
}

stage 'packages' install_packages
for check in check_layers check_schedules check_format check_sizes check_shared_fields check_sql_parts check_sql_support check_errors_documented \
  check_api_documented check_settings_documented check_qualified_columns; do
  stage "$check" "$ROOT/scripts/$check"
done

if stage 'build with g++' build check-gcc all -DCMAKE_CXX_COMPILER=g++; then
  stage check_exports "$ROOT/scripts/check_exports" "$WORK/check-gcc"
  have 'unit/*_test.cc' && stage 'unit tests' unit check-gcc
  have 'regress/sql/*.sql' && stage 'regress tests' run regress check-gcc 900
  have 'isolation/specs/*.spec' && stage 'isolation tests' run isolation check-gcc 900
  have 'system/*_test.py' && stage 'system tests' run system check-gcc 1500
  have 'docs/run.sh' && stage 'documents' run docs check-gcc 600
  have 'stress/*_test.py' && stage 'stress tests' run stress check-gcc 2400
fi
stage 'build with clang++ (thread safety)' build check-clang all -DCMAKE_CXX_COMPILER=clang++ \
  -DCMAKE_BUILD_TYPE=Debug
if have 'unit/*_test.cc' &&
  stage 'build with ASan and UBSan' build check-sanitize unit_tests -DCMAKE_BUILD_TYPE=Debug \
    -DTVIEWS_SANITIZE=ON; then
  stage 'unit tests with ASan and UBSan' unit check-sanitize
fi
if have 'regress/sql/*.sql' &&
  stage 'build with the boundary tripwire' build check-tripwire 'pg_tviews tviews_sql_script' \
    -DCMAKE_BUILD_TYPE=Debug -DTVIEWS_CHECK_BOUNDARY=ON; then
  stage 'regress tests with the tripwire' run regress check-tripwire 900
fi
