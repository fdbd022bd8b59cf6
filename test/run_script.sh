#!/bin/bash
# Usage: test/run_script.sh KIND BUILD_DIR TEST.py      (run_scripts.sh runs it for each test)
# Runs one Python test, says how it went, and stops its server.
set -uo pipefail
. "$(dirname "$0")/../scripts/lib.sh"
kind=$1 build=$2 test=$3
name=$(basename "$test" _test.py)
out=$build/test-$kind/$name.out
began=$(date +%s%3N)
word=ok
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$ROOT/test/support \
  timeout -k 10 "${TEST_TIMEOUT:-900}" /usr/bin/python3 "$test" "$build" >"$out" 2>&1 </dev/null || word=FAILED
{
  flock 9 # one test at a time speaks
  printf 'test %-28s ... %-6s %8d ms\n' "$name" $word $(($(date +%s%3N) - began))
  if [ $word != ok ] || [ -n "${VERBOSE:-}" ]; then cat "$out"; else sed -n 's/^note: /note: '"$name"': /p' "$out"; fi
} 9<"$build/test-$kind"
server_stop "$(server_place "$build/server-$name")" "${STOP_MODE:-immediate}" || true
[ $word = ok ]
