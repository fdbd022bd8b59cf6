#!/bin/bash
# Usage: test/isolation/run.sh [BUILD_DIR]    TESTS='name pattern* !other*' chooses; JOBS=1 servers at once
# Interleavings of sessions: specs/*.spec against expected/*.out: see run_schedule.
set -euo pipefail
. "$(dirname "$0")/../server.sh"
BUILD=${1:-$ROOT/build}
run_schedule isolation isolation/pg_isolation_regress "$ROOT/test/isolation/isolation.conf"
