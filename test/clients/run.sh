#!/bin/bash
# Usage: test/clients/run.sh [BUILD_DIR]    TESTS='name pattern*' runs those only; VERBOSE=1 shows output
# Programs of others, which npm and pip fetch: needs node and npm, and for dbt Python with venv.
set -uo pipefail
. "$(dirname "$0")/../run_scripts.sh"
require() { command -v "$1" >/dev/null || { say "test/clients/run.sh needs $1: apt-get install $2"; exit 1; }; }
# shellcheck disable=SC2046
check_tests_chosen clients $(python_tests clients)
if is_chosen node || is_chosen live || is_chosen zero; then
  require node nodejs
  require npm npm
fi
if is_chosen live; then require chromium chromium; fi
if is_chosen debezium; then
  require javac default-jdk-headless
  require mvn maven
fi
if is_chosen dbt; then require python3 python3-venv; fi
run_scripts clients "${1:-$ROOT/build}"
