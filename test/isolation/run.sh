#!/bin/bash
# Usage: test/isolation/run.sh [BUILD_DIR]    TESTS='name pattern*' runs those only
# Interleavings of sessions: specs/*.spec against expected/*.out, in the order of the schedule.
set -euo pipefail
. "$(dirname "$0")/../server.sh"
BUILD=${1:-$ROOT/build}
start_test_server "$BUILD" isolation "$ROOT/test/isolation/isolation.conf"
run_schedule isolation isolation/pg_isolation_regress
