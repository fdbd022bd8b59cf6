#!/bin/bash
# Usage: test/regress/run.sh [BUILD_DIR]    TESTS='name pattern*' runs those only
# SQL tests: sql/*.sql against expected/*.out, in the order of the schedule.
set -euo pipefail
. "$(dirname "$0")/../server.sh"
BUILD=${1:-$ROOT/build}
start_test_server "$BUILD" regress "$ROOT/test/regress/regress.conf"
run_schedule regress regress/pg_regress
