#!/bin/bash
# Usage: test/coexistence/run.sh [BUILD_DIR]   (Debian, root; fifteen minutes)   TESTS='pgaudit types' chooses; VERBOSE=1
# pg_tviews beside the extensions that servers have. Installs those that the archive has for the server of the build. With
# each library of test/coexistence/libraries in shared_preload_libraries, before us and after us, and with all of them at once,
# regress tests pass; then the Python tests: types, and what the extensions are for. Prints the table of
# docs/operations/coexistence.md. What is in PostgreSQL itself is also in the check: test/system/coexistence_test.py.
set -uo pipefail
. "$(dirname "$0")/../run_scripts.sh"
BUILD=$(realpath "${1:-$ROOT/build}")
PG_CONFIG=$(sed -n 's/^PG_CONFIG:[A-Z]*=//p' "$BUILD/CMakeCache.txt")
PG_MAJOR=$(pg_config --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
REGRESS='ddl_create ddl_alter capture_dml capture_partitions capture_transactions capture_statements feed read_session refresh_failures security_writes'
out=$BUILD/test-coexistence
mkdir -p "$out"
declare -A PACKAGES SETTINGS
LIBRARIES=()
while read -r library package settings; do
  case $library in '#'* | '' | 'and') continue ;; esac
  LIBRARIES+=("$library")
  PACKAGES[$library]=$package
  SETTINGS[$library]=${settings//; /$'\n'}
done < <(sed '/^#/d' "$ROOT/test/coexistence/libraries")
TYPES_PACKAGES=(postgis-3 pgvector)

tests=$(python_tests coexistence)
# shellcheck disable=SC2086
check_tests_chosen coexistence "${LIBRARIES[@]}" all $tests

install() {
  local package wanted=()
  for package in "${PACKAGES[@]}" "${TYPES_PACKAGES[@]}"; do
    [ "$package" != - ] || continue
    if apt-cache show "postgresql-$PG_MAJOR-$package" >/dev/null 2>&1; then wanted+=("postgresql-$PG_MAJOR-$package"); fi
  done
  apt_install "$out/apt.log" "${wanted[@]}"
}

version() { # LIBRARY
  if [ "${PACKAGES[$1]}" = - ]; then say "PostgreSQL's"; else dpkg-query -W -f='${Version}' "postgresql-$PG_MAJOR-${PACKAGES[$1]}" 2>/dev/null; fi
}

# pg_stat_kcache looks at what pg_stat_statements does, and has to come after it.
preloads() { # LIBRARY
  case $1 in pg_stat_kcache) say 'pg_stat_statements, pg_stat_kcache' ;; *) say "$1" ;; esac
}

regress() { # NAME PRELOAD SETTINGS
  SERVER_SETTINGS="shared_preload_libraries = '$2'
$3" TESTS=$REGRESS JOBS=1 "$ROOT/test/regress/run.sh" "$BUILD" >"$out/$1.log" 2>&1
}

# plprofiler takes a hook and does not call those who had it: it can only be the first.
FIRST=plprofiler
after_us() { # LIBRARIES
  case $1 in
  "$FIRST, "*) say "$FIRST, pg_tviews, ${1#"$FIRST, "}" ;;
  *) say "pg_tviews, $1" ;;
  esac
}

beside() { # NAME LIBRARIES SETTINGS VERSION
  local before=ok after=ok word=ok began
  began=$(date +%s%3N)
  regress "$1-before" "$2, pg_tviews" "$3" || before=FAILED
  regress "$1-after" "$(after_us "$2")" "$3" || after=FAILED
  if [ "$1" = "$FIRST" ]; then
    after=FAILED
    grep -q 'FATAL: *pg_tviews could not ask for shared memory' "$out/$1-after.log" && after='refused: the server says why'
  fi
  [[ $before$after != *FAILED* ]] || word=FAILED
  printf 'test %-28s ... %-6s %8d ms\n' "$1" $word $(($(date +%s%3N) - began))
  [ $word = ok ] || tail -n 40 "$out/$1-before.log" "$out/$1-after.log"
  say "| \`$1\` | $4 | $before | $after |" >>"$out/table"
  [ $word = ok ]
}

status=0
: >"$out/table"
install || exit 1
stage=$(server_place "$BUILD/stage")
"$ROOT/scripts/pg_stage.sh" "$BUILD" "$stage" || exit 1
present=()
for library in "${LIBRARIES[@]}"; do
  if [ ! -e "$stage$(pg_config --pkglibdir)/$library.so" ]; then
    is_chosen "$library" && say "note: $library is not in the archive for PostgreSQL $PG_MAJOR"
    continue
  fi
  if [ "$library" = $FIRST ]; then present=("$library" "${present[@]}"); else present+=("$library"); fi
  if is_chosen "$library"; then
    beside "$library" "$(preloads "$library")" "${SETTINGS[$library]}" "$(version "$library")" || status=1
  fi
done
if is_chosen all; then
  # Many of them have workers of their own.
  everything="" settings=$'max_worker_processes = 40\n' count=0
  for library in "${present[@]}"; do
    [ "$library" != plpgsql_check ] || continue # with it and pglogical the server crashes, also without pg_tviews
    count=$((count + 1))
    everything+="${everything:+, }$library"
    settings+="${SETTINGS[$library]}"$'\n'
  done
  beside all "$everything" "$settings" "$count libraries" || status=1
fi
export COEXISTENCE_LIBRARIES="${present[*]}"
chosen=
for test in $tests; do if is_chosen "$test"; then chosen+=" $test"; fi; done
[ -z "$chosen" ] || TESTS=$chosen run_scripts coexistence "$BUILD" || status=1
cat "$out/table"
exit $status
