#!/bin/bash
# Usage: test/stress/chaos.sh [BUILD_DIR [SECONDS [SEED]]]
# Random load and random faults for so long; prints what it did and how often. See chaos_test.py.
set -uo pipefail
here=$(dirname "$0")
[ -z "${3:-}" ] || export SEED=$3
SECONDS_=${2:-180}
VERBOSE=1 TESTS=chaos TEST_TIMEOUT=$((SECONDS_ + 600)) exec env SECONDS="$SECONDS_" "$here/run.sh" "${1:-$here/../../build}"
