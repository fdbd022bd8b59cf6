#!/bin/bash
# Usage: [FUZZ_SECONDS=30] [FUZZ_SEED=N] scripts/fuzz.sh [TARGET]...      (clang++ with its runtime, libclang-rt-dev)
# Runs our parsers over bytes that libFuzzer makes up, with AddressSanitizer and UBSan: labels, options, change records,
# source keys, messages, settings, and what writes names and values (test/fuzz/targets.h). FUZZ_SECONDS for each, 30 if
# nothing is said, all of them side by side. What breaks a target is left in build/check-fuzz/found/; `fuzz_targets FILE`
# with TVIEWS_FUZZ_TARGET repeats it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
build=$ROOT/build/check-fuzz
seed=${FUZZ_SEED:-$((RANDOM * 32768 + RANDOM + 1))}

configure_build "$build" -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Debug '-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1' \
  -DTVIEWS_WERROR=ON -DTVIEWS_SANITIZE=ON -DTVIEWS_FUZZ=ON
cmake --build "$build" --target fuzz_targets
program=$build/test/fuzz/fuzz_targets
if [ $# = 0 ]; then mapfile -t targets < <("$program"); else targets=("$@"); fi
[ ${#targets[@]} -gt 0 ] || fail "there are no targets"

fuzz() { # TARGET
  local target=$1 began corpus log word=ok runs
  began=$(date +%s%3N)
  corpus=$(mktemp -d)
  log=$build/found/$target.log
  TVIEWS_FUZZ_TARGET=$target TVIEWS_FUZZ_SEEDS=$corpus UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
    "$program" -seed="$seed" -max_total_time="${FUZZ_SECONDS:-30}" -max_len=4096 -timeout=60 -rss_limit_mb=1024 \
    -artifact_prefix="$build/found/$target-" -print_final_stats=1 "$corpus" >"$log" 2>&1 || word=FAILED
  rm -rf "$corpus"
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  [ "${runs:-0}" -gt 1000 ] || word=FAILED
  {
    flock 9 # one target at a time speaks
    printf 'test %-28s ... %-6s %8d ms\n' "$target" $word $(($(date +%s%3N) - began))
    say "note: $target: ${runs:-no} runs, FUZZ_SEED=$seed"
    [ $word = ok ] || tail -n 40 "$log"
  } 9<"$build/found"
  [ $word = ok ]
}

mkdir -p "$build/found"
pids=()
for target in "${targets[@]}"; do
  fuzz "$target" &
  pids+=($!)
done
status=0
for pid in "${pids[@]}"; do wait "$pid" || status=1; done
exit $status
