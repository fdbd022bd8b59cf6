#!/bin/bash
# Usage: scripts/quickstart.sh
# From a fresh clone on Debian 12 to TVIEWs over real data: installs the packages, builds, starts a
# private PostgreSQL (nothing is written to /usr, no TCP port) and loads this machine's own Debian
# package catalogue. Run again, it starts over with a new database. Root, or a user with sudo.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

HERE=$ROOT/scripts/quickstart
BUILD=$ROOT/build/quickstart
DATABASE=catalogue
mkdir -p "$BUILD"
LOG=$BUILD/quickstart.log
: >"$LOG"

seconds_since() { awk -v a="$1" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f", b - a }'; } # START
grouped() { sed ':a; s/\B[0-9]\{3\}\($\|[^0-9]\)/,&/; ta' <<<"$1"; }                   # NUMBER
heading() { printf '\n%s\n' "$*"; }

# Runs a command with its output in the log. Until it ends, a line shows the time and what the function
# PROGRESS prints: in place on a terminal, else every ten seconds.
PROGRESS=:
step() { # LABEL COMMAND...
  local label=$1 start pid status=0 turns=0
  shift
  start=$(date +%s.%N)
  "$@" >>"$LOG" 2>&1 </dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    if [ -t 1 ]; then
      printf '\r\033[K  %-52s %6s s  %s' "$label" "$(seconds_since "$start")" "$($PROGRESS 2>/dev/null)"
    elif [ $((turns % 50)) = 49 ]; then
      printf '  ... %-48s %6s s  %s\n' "$label" "$(seconds_since "$start")" "$($PROGRESS 2>/dev/null)"
    fi
    turns=$((turns + 1))
    sleep 0.2
  done
  [ ! -t 1 ] || printf '\r\033[K'
  wait "$pid" || status=$?
  [ $status = 0 ] || {
    say "  $label: failed. The last lines of $LOG:"
    tail -n 30 "$LOG"
    exit 1
  }
  printf '  %-52s %6s s\n' "$label" "$(seconds_since "$start")"
}

last_log_line() { tail -c 300 "$LOG" | tr '\r' '\n' | tail -n 1 | cut -c1-50; }
query() { server_psql "$SERVER" -d "$DATABASE" -Atq "$@"; }
count() { query -c "SELECT count(*) FROM $1"; }

build() {
  configure_build "$BUILD" -DCMAKE_BUILD_TYPE=Release &&
    cmake --build "$BUILD" --target pg_tviews tviews_sql_script &&
    "$ROOT/scripts/pg_stage.sh" "$BUILD" "$STAGE"
}

start_server() {
  server_stop "$SERVER" immediate
  rm -rf "$SERVER"
  server_init "$SERVER" "$STAGE" "$HERE/quickstart.conf" && server_start "$SERVER" &&
    server_psql "$SERVER" -d postgres -c "CREATE DATABASE $DATABASE" &&
    server_psql "$SERVER" -d "$DATABASE" -c 'CREATE EXTENSION pg_tviews' -f "$HERE/schema.sql" \
      -f "$HERE/change.sql"
}

# The catalogue as stanzas: what apt knows, or what is installed.
read_catalogue() {
  local packages
  packages=$(apt-cache dumpavail 2>/dev/null | grep -c '^Package: ' || true)
  if [ "$packages" -lt 1000 ]; then
    as_root apt-get update -q || true
    packages=$(apt-cache dumpavail 2>/dev/null | grep -c '^Package: ' || true)
  fi
  if [ "$packages" -ge 1000 ]; then
    apt-cache dumpavail | "$HERE/catalogue.pl" "$BUILD"
  else
    touch "$BUILD/installed_only"
    dpkg-query -W -f='Package: ${Package}\nVersion: ${Version}\nMaintainer: ${Maintainer}\nSection: ${Section}\nArchitecture: ${Architecture}\nPriority: ${Priority}\nInstalled-Size: ${Installed-Size}\nHomepage: ${Homepage}\nDescription: ${binary:Summary}\nPre-Depends: ${Pre-Depends}\nDepends: ${Depends}\nRecommends: ${Recommends}\nSuggests: ${Suggests}\n\n' |
      "$HERE/catalogue.pl" "$BUILD"
  fi
}

load() { # TABLE COLUMNS
  server_psql "$SERVER" -d "$DATABASE" -c "\\copy tb_$1 ($2) from '$BUILD/$1.tsv'"
}

copied() { query -c "SELECT tuples_processed || ' rows' FROM pg_stat_progress_copy"; }

load_step() { # TABLE COLUMNS
  PROGRESS=copied step "tb_$1: $(grouped "$(wc -l <"$BUILD/$1.tsv")") rows" load "$@"
}

# Creates one TVIEW; the NOTICE lines say how each source table's changes find their documents.
create_tview() { # ENTITY
  local before
  before=$(wc -l <"$LOG")
  step "tv_$1" server_psql "$SERVER" -d "$DATABASE" -q -c "$(
    awk -v name="tv_$1" 'index($0, "CREATE TABLE " name " ") { on = 1 } on { print } on && /;$/ { exit }' \
      "$HERE/tviews.sql"
  )"
  say "    $(grouped "$(count "tv_$1")") documents"
  tail -n "+$((before + 1))" "$LOG" | sed -n 's/^.*NOTICE: */    /p; s/^DETAIL: */      /p'
}

change() { # LABEL STATEMENT
  local changed documents statement_ms visible_ms
  IFS='|' read -r changed documents statement_ms visible_ms \
    <<<"$(query -c "CALL run_change(\$\$$2\$\$, NULL, NULL, NULL, NULL)")"
  printf '  %-48s %7s rows  %7s documents  %8s ms  visible %8s ms later\n' "$1" \
    "$(grouped "$changed")" "$(grouped "$documents")" "$statement_ms" "$visible_ms"
}

differ() { query -c "SELECT count(*) FROM pg_tviews_verify('$1')" >"$BUILD/differences"; } # ENTITY

verify() { # ENTITY
  local differences
  step "tv_$1" differ "$1"
  differences=$(cat "$BUILD/differences")
  say "    $(grouped "$differences") differences in $(grouped "$(count "tv_$1")") documents"
  [ "$differences" = 0 ] || WRONG=yes
}

say 'About three minutes on two cores: most of it is the build. Of the system nothing changes but packages.'
heading '1. Packages and build'
if [ "$(id -u)" != 0 ]; then sudo -v 2>/dev/null || true; fi
PROGRESS=last_log_line step 'packages to build with' apt_install "$LOG" "${BUILD_PACKAGES[@]}"
STAGE=$(server_place "$BUILD")/stage
SERVER=$(server_place "$ROOT/.quickstart")
PROGRESS=last_log_line step 'build (CMake, Release)' build
step "private PostgreSQL in $SERVER" start_server

heading "2. Load this machine's Debian package catalogue"
rm -f "$BUILD/installed_only"
step 'read the catalogue' read_catalogue
[ ! -e "$BUILD/installed_only" ] ||
  say '  apt has no catalogue here (no network?): these are the installed packages only.'
load_step maintainer 'pk_maintainer, name, email'
load_step section 'pk_section, name'
load_step package 'pk_package, fk_maintainer, fk_section, name, version, architecture, priority, installed_size, download_size, homepage, description'
load_step dependency 'pk_dependency, fk_package, fk_target, kind, group_number, alternative, version_constraint'
step 'foreign keys and indexes' server_psql "$SERVER" -d "$DATABASE" -f "$HERE/keys.sql"

heading '3. Create TVIEWs (CREATE TABLE tv_... AS SELECT ...)'
for entity in maintainer section package; do create_tview "$entity"; done
example=$(query -c "SELECT fk_package FROM tb_dependency GROUP BY 1 HAVING count(*) = 3 ORDER BY fk_package LIMIT 1")
say "  One document, SELECT data FROM tv_package WHERE pk_package = $example:"
query -c "SELECT jsonb_pretty(data) FROM tv_package WHERE pk_package = ${example:-1}" | sed 's/^/    /'

heading '4. Change the source tables; the documents follow'
maintainer=$(query -c 'SELECT fk_maintainer FROM tb_package GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1')
package=$(query -c 'SELECT fk_target FROM tb_dependency GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1')
package_name=$(query -c "SELECT name FROM tb_package WHERE pk_package = $package")
victim=$(query -c 'SELECT fk_target FROM tb_dependency GROUP BY 1 ORDER BY abs(count(*) - 100), 1 LIMIT 1')
victim_name=$(query -c "SELECT name FROM tb_package WHERE pk_package = $victim")
change "rename a maintainer of $(grouped "$(query -c "SELECT count(*) FROM tb_package WHERE fk_maintainer = $maintainer")") packages" \
  "UPDATE tb_maintainer SET name = name || ' (renamed)' WHERE pk_maintainer = $maintainer"
change "bump the version of $package_name" \
  "UPDATE tb_package SET version = version || '+quickstart1' WHERE pk_package = $package"
change "rename $package_name" \
  "UPDATE tb_package SET name = name || '-renamed' WHERE pk_package = $package"
change "add a dependency to $package_name" \
  "INSERT INTO tb_dependency (fk_package, fk_target, kind, group_number, alternative) VALUES ($package, $victim, 'suggests', 99, 1)"
change 'remove it again' \
  "DELETE FROM tb_dependency WHERE fk_package = $package AND fk_target = $victim AND group_number = 99"
change "delete the package $victim_name" "DELETE FROM tb_package WHERE pk_package = $victim"
change '10,000-row UPDATE' \
  'UPDATE tb_package SET installed_size = coalesce(installed_size, 0) + 1 WHERE pk_package IN (SELECT pk_package FROM tb_package ORDER BY pk_package LIMIT 10000)'

heading '5. Compare every TVIEW with its query (pg_tviews_verify)'
WRONG=no
for entity in maintainer section package; do verify "$entity"; done

heading 'The server keeps running.'
say "  connect:  psql -h $(server_socket "$SERVER") -U $SERVER_USER $DATABASE"
say "  stop:     scripts/dev_server.sh stop $SERVER"
heading 'Three things to try there'
say "  1. SELECT data->'maintainer'->>'name', count(*) FROM tv_package GROUP BY 1 ORDER BY 2 DESC LIMIT 5;"
say "  2. UPDATE tb_maintainer SET name = 'Somebody else' WHERE pk_maintainer = $maintainer;  -- and 1. again"
say '  3. SELECT * FROM tviews;  and  SELECT * FROM pg_tviews_health_check();'
[ $WRONG = no ] || fail 'a TVIEW differs from its query'
