#!/bin/bash
# Usage: test/docs/run.sh [BUILD_DIR]    TESTS='README.md docs/con* !docs/r*' chooses; VERBOSE=1 shows output;
#        UPDATE=1 writes the real output into the documents
# Runs the SQL of README.md and docs/ against a staged server, and a second one where a document uses it,
# and compares what is shown.
set -uo pipefail
. "$(dirname "$0")/../server.sh"
BUILD=${1:-$ROOT/build}
# shellcheck disable=SC2046
check_tests_chosen document $(cd "$ROOT" && /usr/bin/python3 test/docs/run_documents.py --list)
start_test_server "$BUILD" docs "$ROOT/test/docs/docs.conf" || exit 1
SECOND=$(server_place "$(realpath "$BUILD")/server-docs-second")
trap 'server_stop "$SERVER" immediate; server_stop "$SECOND" immediate' EXIT
server_stop "$SECOND" immediate
rm -rf "$SECOND"
server_init "$SECOND" "$(cat "$SERVER/stage_path")" "$ROOT/test/docs/docs.conf" && server_start "$SECOND" || exit 1
status=0
cd "$ROOT" || exit 1
/usr/bin/python3 test/docs/run_documents.py --patterns "${TESTS:-}" ${VERBOSE:+--verbose} ${UPDATE:+--update} \
  --second "$(server_socket "$SECOND")" --first "$(server_socket "$SERVER")" -- \
  "$(server_bin "$SERVER")/psql" -X -q -h "$(server_socket "$SERVER")" -U "$SERVER_USER" || status=1
check_server_log || status=1
exit $status
