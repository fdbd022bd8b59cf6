#!/bin/bash
# Usage: scripts/check.sh [--quick] [--only KIND]...
# Installs what the build and the tests need (Debian 12, root or sudo), builds with g++ and clang++,
# and runs every test. One line per stage; the last line counts what ran: `N passed, M failed`.
# A stage that fails shows the end of its log and does not stop the others.
#   --quick      an answer within two minutes: one build, and only a few isolation and system tests
#   --only KIND  lints, unit, regress, isolation, system, docs, stress, clang or sanitize, with the build that it needs
# TESTS='name pattern* !other*' chooses among the tests of a kind, JOBS= says how many of them run at once.
# What takes hours, or packages of others, is not here: test/clients/run.sh build;
# scripts/soak.sh; SCALE=1 test/stress/run.sh build; scripts/cassert.sh, and
# its --only discard and --only valgrind; scripts/upgrade_test.sh build (docs/development/testing.md).
set -uo pipefail
. "$(dirname "$0")/lib.sh"

WORK=$ROOT/build
LOGS=$WORK/check-logs
PASSED=0
FAILED=0
FAILED_STAGES=()
STARTED=$SECONDS

KINDS=(lints unit regress isolation system docs stress clang sanitize)
QUICK_KINDS=(lints unit regress isolation system)
# One of each danger: interleavings with DDL, locks and savepoints; a crash, a restart, a lost session.
declare -A QUICK_TESTS=([regress]='!cost_*'
  [isolation]='drop_tview_vs_batch late_commit_vs_batch old_snapshot_vs_create reader_vs_lock rollback_vs_publish writer_vs_create'
  [system]='crash_backend crash_server database_copy drop_extension prepared restart wait_for')
WANTED=()
IS_QUICK=no
while [ $# -gt 0 ]; do
  case $1 in
  --quick) IS_QUICK=yes ;;
  --only)
    [[ " ${KINDS[*]} " == *" ${2:-} "* ]] || fail "--only takes one of: ${KINDS[*]}"
    WANTED+=("$2")
    shift
    ;;
  *) fail "usage: scripts/check.sh [--quick] [--only KIND]..." ;;
  esac
  shift
done
if [ ${#WANTED[@]} = 0 ]; then
  if [ $IS_QUICK = yes ]; then WANTED=("${QUICK_KINDS[@]}"); else WANTED=("${KINDS[@]}"); fi
fi
rm -rf "$LOGS"
mkdir -p "$LOGS"

# What would be worth making faster.
slowest() {
  sed -nE 's/^(test|ok [0-9]+ -| ) +([^ ]+) +(\.\.\. (ok|FAILED) +)?([0-9]+) ms$/\5 \2/p' "$LOGS"/*.log |
    sort -rn | head -n 8 | awk '{ printf "%s %s %.0f s", (NR > 1 ? "," : ""), $2, $1 / 1000 }'
}

# The names, once more at the end, of what failed.
failures() {
  sed -nE 's/^\[  FAILED  \] (.*) \([0-9]+ ms\)$/\1/p; s/^(test|    ) *([^ ]+) +\.\.\. FAILED.*/\2/p; s/^not ok [0-9]+ +[-+] ([^ ]+).*/\1/p' \
    "$LOGS"/*.log | sort -u
}

summary() {
  trap - EXIT
  [ "$FAILED" = 0 ] || printf '\nfailed stage: %s' "${FAILED_STAGES[@]}"
  [ "$FAILED" = 0 ] || printf '\nfailed test: %s' $(failures)
  printf '\n%d min %d s; the slowest tests:%s' $(((SECONDS - STARTED) / 60)) $(((SECONDS - STARTED) % 60)) "$(slowest)"
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
    FAILED_STAGES+=("$label")
    say "        the end of $log:"
    tail -n 80 "$log" | sed 's/^/        /'
  }
  return $((failed != 0))
}

# Whether one of these kinds shall run.
wanted() { # KIND...
  local kind
  for kind in "$@"; do
    [[ " ${WANTED[*]} " != *" $kind "* ]] || return 0
  done
  return 1
}

build() { # NAME TARGETS OPTION...
  local name=$1 targets=$2
  shift 2
  # shellcheck disable=SC2086
  configure_build "$WORK/$name" -DTVIEWS_WERROR=ON "$@" && cmake --build "$WORK/$name" --target $targets
}

unit() { # NAME
  UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 timeout -k 10 900 "$WORK/$1/test/unit/unit_tests"
}

# Interleavings with a fresh seed: fewer where an answer is wanted soon.
simulation() { # BUILD
  local runs=1000000
  [ $IS_QUICK = no ] || runs=200000
  timeout -k 10 900 "$WORK/$1/test/simulation/simulation" --runs "${SIMULATION_RUNS:-$runs}"
}

run() { # KIND BUILD SECONDS
  if [ $IS_QUICK = yes ]; then export TESTS="${TESTS:-${QUICK_TESTS[$1]:-}}"; fi
  timeout -k 30 "$3" "$ROOT/test/$1/run.sh" "$WORK/$2"
}

install_packages() {
  apt_install "$LOGS/apt.log" "${BUILD_PACKAGES[@]}" "${CHECK_PACKAGES[@]}"
}

# What is released.
build_gcc() { build check-gcc all -DCMAKE_CXX_COMPILER=g++; }

# For the compiler that checks thread safety, with assertions, and with the tripwire for errors that
# cross C++ frames. Optimised a little, because tests run on it.
build_clang() {
  build check-clang all -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Debug '-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1' \
    -DTVIEWS_CHECK_BOUNDARY=ON
}

build_sanitize() { build check-sanitize unit_tests -DCMAKE_BUILD_TYPE=Debug -DTVIEWS_SANITIZE=ON; }

tests_of() { # BUILD KIND...
  local build=$1
  shift
  stage check_exports "$ROOT/scripts/check_exports" "$WORK/$build"
  for kind in "$@"; do
    wanted "$kind" || continue
    case $kind in
    unit)
      stage "unit tests (${build#check-})" unit "$build"
      [ "$build" = check-clang ] && [ $IS_QUICK = no ] || stage 'simulation of the protocol' simulation "$build"
      ;;
    regress) stage 'regress tests' run regress "$build" 900 ;;
    isolation) stage 'isolation tests' run isolation "$build" 900 ;;
    system) stage 'system tests' run system "$build" 1500 ;;
    docs) stage 'documents' run docs "$build" 600 ;;
    stress) stage 'stress tests' run stress "$build" 2400 ;;
    esac
  done
}

stage 'packages' install_packages
if wanted lints; then
  for check in "$ROOT"/scripts/check_*; do
    [ "${check##*/}" = check_exports ] || stage "${check##*/}" "$check"
  done
fi
if [ $IS_QUICK = yes ]; then
  stage 'build with clang++ (thread safety, tripwire)' build_clang && tests_of check-clang "${WANTED[@]}"
else
  if wanted unit isolation system docs stress && stage 'build with g++' build_gcc; then
    tests_of check-gcc unit isolation system docs stress
  fi
  if wanted clang regress && stage 'build with clang++ (thread safety, tripwire)' build_clang; then
    tests_of check-clang $(wanted clang && say unit) regress
  fi
  if wanted sanitize && stage 'build with ASan and UBSan' build_sanitize; then
    stage 'unit tests with ASan and UBSan' unit check-sanitize
    stage 'fuzzing of parsers' "$ROOT/scripts/fuzz.sh"
  fi
fi
