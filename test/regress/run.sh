#!/bin/bash
# Usage: test/regress/run.sh [BUILD_DIR]    TESTS='name pattern* !other*' chooses; JOBS=1 servers at once
# SQL tests: sql/*.sql against expected/*.out: see run_schedule.
set -euo pipefail
. "$(dirname "$0")/../server.sh"
BUILD=${1:-$ROOT/build}
run_schedule regress regress/pg_regress "$ROOT/test/regress/regress.conf"
