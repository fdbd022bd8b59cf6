#!/bin/bash
# Usage: scripts/soak.sh [MINUTES [MACHINE...]]      (30 minutes for each machine, all of them)
# Runs what makes up its own tests for hours, one machine after the other: definitions, changes, DDL, settings, kills,
# bytes. Each run prints its seed, and has its output in build/soak/MACHINE-N.out. The end is a summary: one line for each machine,
# with what it did last; a machine without a time of its own runs again and again. SEED= is for the first run of each.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

MINUTES=${1:-30}
[[ $MINUTES =~ ^[0-9]+$ ]] || fail "usage: scripts/soak.sh [MINUTES [MACHINE...]]"
shift
LIMIT=$((MINUTES * 60))
BUILD=$ROOT/build/check-gcc
OUT=$ROOT/build/soak

# Name, and what makes it run that long (none: it is repeated).
declare -A MACHINES=(
  [feature_fuzz]="SHARE=1 SECONDS=$LIMIT"
  [ddl_fuzz]="STEPS=0 SECONDS=$LIMIT"
  [sqllogic]="QUERIES=10000"
  [query_fuzz]="MINUTES=$MINUTES"
  [chaos]="SECONDS=$LIMIT"
  [elle]="SECONDS=$LIMIT"
  [simulation]="RUN_SECONDS=$LIMIT"
  [random_dml]=""
  [snapshot]=""
  [read_your_writes]=""
  [lineage_lookups]="QUERIES=$((MINUTES * 150))"
  [sqlsmith]="SECONDS=$LIMIT"
  [fuzz.sh]="FUZZ_SECONDS=$LIMIT"
)
ORDER=(feature_fuzz ddl_fuzz sqllogic query_fuzz simulation chaos elle random_dml snapshot read_your_writes lineage_lookups sqlsmith fuzz.sh)
WANTED=("$@")
[ $# -gt 0 ] || WANTED=("${ORDER[@]}")
for machine in "${WANTED[@]}"; do
  [ -n "${MACHINES[$machine]+is}" ] || fail "there is no machine $machine, only: ${ORDER[*]}"
done

# One run of a machine.
machine() { # NAME
  local settings
  read -r -a settings <<<"${MACHINES[$1]}"
  case $1 in
  simulation) "$BUILD/test/simulation/simulation" --seconds "$LIMIT" --runs 1000000000 ;;
  fuzz.sh) env "${settings[@]}" "$ROOT/scripts/fuzz.sh" ;;
  sqlsmith) env "${settings[@]}" PYTHONPATH="$ROOT/test/support" /usr/bin/python3 "$ROOT/test/stress/sqlsmith.py" "$BUILD" ;;
  *) env "${settings[@]}" TESTS="$1" VERBOSE=1 TEST_TIMEOUT=$((LIMIT * 2 + 3600)) "$ROOT/test/stress/run.sh" "$BUILD" ;;
  esac
}

make_ready() {
  apt_install "$OUT/apt.log" "${BUILD_PACKAGES[@]}" "${CHECK_PACKAGES[@]}" sqlsmith &&
    configure_build "$BUILD" -DCMAKE_CXX_COMPILER=g++ -DTVIEWS_WERROR=ON && cmake --build "$BUILD"
}

rm -rf "$OUT"
mkdir -p "$OUT"
make_ready >"$OUT/build.out" 2>&1 || {
  tail -n 20 "$OUT/build.out"
  fail "the build failed"
}

summary=()
failures=0
for name in "${WANTED[@]}"; do
  began=$SECONDS
  runs=0
  failed=0
  while [ $runs = 0 ] || { [ -z "${MACHINES[$name]}" ] && [ $((SECONDS - began)) -lt "$LIMIT" ]; }; do
    runs=$((runs + 1))
    out=$OUT/$name-$runs.out
    machine "$name" >"$out" 2>&1 </dev/null || {
      failed=$((failed + 1))
      say "FAILED: $out"
    }
    unset SEED
  done
  failures=$((failures + failed))
  line=$(printf '%-18s %3d runs %3d failed %6d s  %s' "$name" $runs $failed $((SECONDS - began)) \
    "$(grep -ahE '^note: | interleavings, ' "$out" | tail -n 1 | sed 's/^note: //')")
  say "$line"
  summary+=("$line")
done

printf '\nSoaked for %d min:\n' $((SECONDS / 60))
printf '%s\n' "${summary[@]}"
[ $failures = 0 ]
