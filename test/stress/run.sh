#!/bin/bash
# Usage: test/stress/run.sh [BUILD_DIR]    TESTS='name pattern*' runs those only; VERBOSE=1 shows output
set -uo pipefail
. "$(dirname "$0")/../run_scripts.sh"
run_scripts stress "${1:-$ROOT/build}"
