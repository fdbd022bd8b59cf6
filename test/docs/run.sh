#!/bin/bash
# Usage: test/docs/run.sh [BUILD_DIR]    TESTS='README.md docs/con*' runs those only; VERBOSE=1 shows output;
#        UPDATE=1 writes the real output into the documents
# Runs the SQL of README.md and docs/*.md against a staged server and compares what is shown.
set -uo pipefail
. "$(dirname "$0")/../server.sh"
BUILD=${1:-$ROOT/build}
start_test_server "$BUILD" docs "$ROOT/test/docs/docs.conf" || exit 1
status=0
cd "$ROOT" || exit 1
# shellcheck disable=SC2086
/usr/bin/python3 test/docs/run_documents.py --patterns "${TESTS:-*}" ${VERBOSE:+--verbose} ${UPDATE:+--update} -- \
  "$(server_bin "$SERVER")/psql" -X -q -h "$(server_socket "$SERVER")" -U "$SERVER_USER" || status=1
check_server_log || status=1
exit $status
