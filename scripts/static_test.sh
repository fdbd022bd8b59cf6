#!/bin/bash
# Usage: scripts/static_test.sh [DIR]     (Debian; five minutes)
# Builds with TVIEWS_STATIC_DEPS in DIR (build/static), looks at what the module exports and needs, and
# runs regress tests on servers that also load a library with the system's Abseil and protobuf in front
# of it and behind it. TESTS= chooses other regress tests.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
mkdir -p "${1:-$ROOT/build/static}"
dir=$(cd "${1:-$ROOT/build/static}" && pwd)
build=$dir/build
export TESTS=${TESTS:-ddl_create capture_* refresh_failures}

"$ROOT/scripts/static_deps.sh" "$dir/deps"
{
  configure_build "$build" -DTVIEWS_WERROR=ON -DTVIEWS_STATIC_DEPS="$dir/deps"
  cmake --build "$build"
} >"$dir/build.log" 2>&1 || {
  tail -n 30 "$dir/build.log" >&2
  fail "the build failed: $dir/build.log"
}
"$ROOT/scripts/check_exports" "$build"

# Another extension with protobuf: the server opens every library with RTLD_GLOBAL.
other=$(server_place "$dir/other.so")
mkdir -p "${other%/*}"
g++ -std=c++20 -shared -fPIC -I"$(pg_config --includedir-server)" -o "$other" -x c++ - \
  -Wl,--no-as-needed -lprotobuf -labsl_cord -labsl_raw_hash_set -labsl_status -labsl_strings <<'CODE'
#include <google/protobuf/message_lite.h>
extern "C" {
#include "postgres.h"
#include "fmgr.h"
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
}
void _PG_init(void) {
  GOOGLE_PROTOBUF_VERIFY_VERSION;
  ereport(LOG, (errmsg("protobuf %s is here", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION).c_str())));
}
CODE
chmod a+r "$other"
for order in "$other, pg_tviews" "pg_tviews, $other"; do
  say "shared_preload_libraries = '${order//"${other%/*}"\//}'"
  SERVER_SETTINGS="shared_preload_libraries = '$order'" "$ROOT/test/regress/run.sh" "$build"
  grep -rqs 'protobuf .* is here' "$(server_place "$build/server-regress")"*/log ||
    fail "the other library was not loaded"
done
