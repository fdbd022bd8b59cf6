#!/bin/bash
# Usage: scripts/cassert.sh [--only KIND]... [--source TARBALL] [DIR]
#        KIND: regress, isolation, system, chaos (these four are the default), stress, discard, valgrind, server
# Builds the distribution's PostgreSQL with assertions, in DIR (build/cassert) and nowhere else, builds
# pg_tviews for it and runs the tests there. 0 failures, and no failed assertion in any server's log.
#
#   stress    all of test/stress, the generated queries among them; TESTS='query_fuzz' are some
#   discard   regress with debug_discard_caches = 1: each access to a catalog finds the caches empty
#   valgrind  regress under valgrind: fails for each report with a frame of pg_tviews in it
#   server    nothing but the two builds; prints the pg_config to give to other scripts
#
# The server is built once per version and set of options: a second run begins with the tests. TARBALL
# is a source tarball of PostgreSQL; without it, apt-get fetches the source package.
# TESTS='name pattern*' narrows every kind but chaos; CHAOS_SECONDS (180) and SEED are for chaos.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

# What the tests ask of a server: libraries behind contrib modules, TLS, compression, collations.
SERVER_PACKAGES=(gcc make bison flex perl dpkg-dev valgrind libreadline-dev zlib1g-dev libssl-dev
  libxml2-dev libicu-dev liblz4-dev libzstd-dev uuid-dev)
CONFIGURE_OPTIONS=(--enable-cassert --enable-debug --with-icu --with-libxml --with-lz4 --with-openssl
  --with-uuid=e2fs --with-zstd --with-system-tzdata=/usr/share/zoneinfo)
# USE_VALGRIND tells valgrind about memory contexts; without valgrind it costs next to nothing.
CONFIGURE_FLAGS=('CFLAGS=-O2 -g -fno-omit-frame-pointer' CPPFLAGS=-DUSE_VALGRIND)

# What takes too long, or measures time, where everything is 30 times slower. All of regress runs with
# `TESTS='*' scripts/cassert.sh --only valgrind`, in a night.
VALGRIND_TESTS='ddl_create capture_* refresh_failures refresh_narrow'

kinds=()
source=
dir=$ROOT/build/cassert
while [ $# -gt 0 ]; do
  case $1 in
  --only) kinds+=("${2:?--only needs a kind}") && shift 2 ;;
  --source) source=$(realpath "${2:?--source needs a tarball}") && shift 2 ;;
  -*) fail "unknown option $1" ;;
  *) dir=$(realpath -m "$1") && shift ;;
  esac
done
[ ${#kinds[@]} -gt 0 ] || kinds=(regress isolation system chaos)
for kind in "${kinds[@]}"; do
  case $kind in
  regress | isolation | system | chaos | stress | discard | valgrind | server) ;;
  *) fail "unknown kind $kind" ;;
  esac
done

# Fetches the newest source package that can be had: a mirror may list one that it does not hold.
# Only its tarball is used. Debian's patches write the distribution's directories into the server,
# which then looks for libraries there, and installs there, whatever its prefix.
fetch_source() {
  local version
  make_private_apt "$dir/apt" || return 1
  for version in $(private_apt "$dir/apt" apt-cache showsrc "postgresql-$PG_MAJOR" | sed -n 's/^Version: //p' |
    sort -rVu); do
    say "  fetching the source package of PostgreSQL $version"
    (cd "$dir/apt" && private_apt "$dir/apt" apt-get source -q --download-only "postgresql-$PG_MAJOR=$version") &&
      tarball=$(ls -t "$dir/apt/postgresql-$PG_MAJOR"_*.orig.tar.* | grep -v '\.asc$' | head -n 1) && return 0
  done
  say "no source package of postgresql-$PG_MAJOR: give --source, or add a deb-src line to apt's sources"
  return 1
}

make_server() { # TREE PREFIX
  (cd "$1" && ./configure --prefix="$2" "${CONFIGURE_OPTIONS[@]}" "${CONFIGURE_FLAGS[@]}" \
    CC="$(command -v ccache) gcc") &&
    nice make -C "$1" -s -j"$(nproc)" world-bin && make -C "$1" -s install-world-bin &&
    cp "$1/src/tools/valgrind.supp" "$2/share/"
}

# Sets PG_CONFIG. The marker is written last, so a build that was interrupted begins anew.
build_server() {
  local options prefix log=$dir/server.log
  options=$(printf '%s\n' "${CONFIGURE_OPTIONS[@]}" "${CONFIGURE_FLAGS[@]}" "$source" | cksum | cut -d' ' -f1)
  prefix=$(server_place "$dir/server")/$PG_MAJOR-$options
  PG_CONFIG=$prefix/bin/pg_config
  [ ! -e "$prefix/complete" ] || return 0
  say "building PostgreSQL $PG_MAJOR with assertions in $prefix" >&2
  local tarball=$source
  {
    apt_install "$log" "${SERVER_PACKAGES[@]}" && { [ -n "$tarball" ] || fetch_source; } &&
      rm -rf "$prefix" "$dir/source" && mkdir -p "$dir/source" &&
      tar -C "$dir/source" --strip-components=1 -xf "$tarball" &&
      make_server "$dir/source" "$prefix" && touch "$prefix/complete"
  } >"$log" 2>&1 </dev/null || {
    tail -n 30 "$log"
    fail "the server could not be built: $log"
  }
  rm -rf "$dir/source" "$dir/apt"
}

build_module() {
  build=$dir/build
  configure_build "$build" -DTVIEWS_WERROR=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo >"$dir/build.log" 2>&1 &&
    cmake --build "$build" --target pg_tviews tviews_sql_script late_writer rude_functions >>"$dir/build.log" 2>&1 || {
    tail -n 30 "$dir/build.log"
    fail "pg_tviews could not be built: $dir/build.log"
  }
}

# The log of each server of this kind of tests is searched: a test that kills backends may not notice one more.
failed_assertions() {
  ! find "$(server_place "$build/server-x" | sed 's|/[^/]*$||')" -mindepth 2 -maxdepth 2 \
    -path '*/server-*/log' -newer "$dir/began" -exec grep -Hn 'TRAP:' {} + | grep .
}

# The server's program for pg_ctl: the staged one under valgrind, with every process that it forks.
make_valgrind_program() {
  valgrind_logs=$(server_place "$build/valgrind")
  rm -rf "$valgrind_logs"
  make_server_dir "$valgrind_logs"
  cat >"$build/postgres-valgrind" <<END
#!/bin/sh
exec valgrind --quiet --leak-check=no --num-callers=60 --trace-children=yes \\
  --suppressions="${PG_CONFIG%/bin/*}/share/valgrind.supp" --log-file="$valgrind_logs/%p.log" \\
  --error-markers=REPORT-BEGIN,REPORT-END \\
  "$(server_place "$build/stage")$(pg_config --bindir)/postgres" "\$@"
END
  chmod 755 "$build/postgres-valgrind"
}

# Prints the reports with a frame of ours, from the first line to the last one.
valgrind_reports() {
  ! as_server bash -c 'cat "$1"/*.log' bash "$valgrind_logs" |
    awk '/REPORT-BEGIN/ { report = ""; inside = 1 }
         inside { report = report $0 "\n" }
         /REPORT-END/ { if (report ~ /tviews/) printf "%s\n", report; inside = 0 }' | grep .
}

run_kind() { # KIND
  local status=0
  touch "$dir/began"
  case $1 in
  chaos) (unset TESTS && "$ROOT/test/stress/chaos.sh" "$build" "${CHAOS_SECONDS:-180}" ${SEED:+"$SEED"}) || status=1 ;;
  discard) SERVER_SETTINGS=$'debug_discard_caches = 1\nautovacuum = off' "$ROOT/test/regress/run.sh" "$build" || status=1 ;;
  valgrind)
    make_valgrind_program
    TESTS=${TESTS:-$VALGRIND_TESTS} STOP_MODE=fast SERVER_PROGRAM=$build/postgres-valgrind \
      "$ROOT/test/regress/run.sh" "$build" || status=1
    valgrind_reports || status=1
    ;;
  *) TEST_TIMEOUT=${TEST_TIMEOUT:-1800} "$ROOT/test/$1/run.sh" "$build" || status=1 ;;
  esac
  failed_assertions || status=1
  return $status
}

mkdir -p "$dir"
export PG_CONFIG
build_server
build_module
status=0
for kind in "${kinds[@]}"; do
  [ "$kind" != server ] || { say "$PG_CONFIG"; continue; }
  began=$SECONDS word=ok
  run_kind "$kind" >"$dir/$kind.log" 2>&1 </dev/null || word=FAILED status=1
  printf '%-10s %-6s %4d tests passed %3d failed %5d s\n' "$kind" $word \
    "$(grep -cE '^(test|    ) .* \.\.\. ok |^ok [0-9]' "$dir/$kind.log")" \
    "$(grep -cE '^(test|    ) .* \.\.\. FAILED|^not ok [0-9]' "$dir/$kind.log")" $((SECONDS - began))
  [ $word = ok ] || tail -n 60 "$dir/$kind.log"
done
exit $status
