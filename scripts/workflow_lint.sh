#!/bin/bash
# Usage: scripts/workflow_lint.sh     (needs go and its module proxy; half a minute the first time)
# Lints .github/workflows by actionlint, and the shell in them by shellcheck where that is installed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
command -v go >/dev/null || fail "needs go: apt-get install golang-go"
mkdir -p "$ROOT/build/tools"
[ -x "$ROOT/build/tools/actionlint" ] ||
  GOBIN=$ROOT/build/tools GOFLAGS=-modcacherw go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7
cd "$ROOT"
build/tools/actionlint
say "workflows: actionlint finds nothing"
