#!/bin/bash
# Usage: test/clients/run.sh [BUILD_DIR]    needs node and npm, which fetches the clients
set -uo pipefail
. "$(dirname "$0")/../run_scripts.sh"
require() { command -v "$1" >/dev/null || { say "test/clients/run.sh needs $1: apt-get install nodejs npm"; exit 1; }; }
require node
require npm
run_scripts clients "${1:-$ROOT/build}"
