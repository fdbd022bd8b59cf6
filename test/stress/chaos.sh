#!/bin/bash
# Usage: test/stress/chaos.sh [BUILD_DIR [SECONDS [SEED]]]
#        test/stress/chaos.sh BUILD_DIR --replay FILE
# Random load and random faults for so long; prints what it did and how often, and records it in
# BUILD_DIR/chaos_schedule.jsonl. --replay does again what is recorded. See chaos_test.py.
set -uo pipefail
here=$(dirname "$0")
if [ "${2:-}" = --replay ]; then
  REPLAY=$(realpath "$3") || exit 1
  export REPLAY
  set -- "$1" 3600
fi
[ -z "${3:-}" ] || export SEED=$3
SECONDS_=${2:-120}
VERBOSE=1 TESTS=chaos TEST_TIMEOUT=$((SECONDS_ + 600)) exec env SECONDS="$SECONDS_" "$here/run.sh" "${1:-$here/../../build}"
