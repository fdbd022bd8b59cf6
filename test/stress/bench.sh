#!/bin/bash
# Usage: test/stress/bench.sh [BUILD_DIR]    ROUNDS=3 SECONDS_PER_RUN=5 CLIENTS=2
# Measures, in one run and interleaved with the same work without TVIEWs: the write rate of single-row
# UPDATEs, the time from commit to visible, and a 100,000-row UPDATE until every document is current.
# Prints every value and the medians; ratios are to be trusted more than absolute figures.
set -euo pipefail
. "$(dirname "$0")/../server.sh"

BUILD=${1:-$ROOT/build}
ROUNDS=${ROUNDS:-3}
SECONDS_PER_RUN=${SECONDS_PER_RUN:-5}
CLIENTS=${CLIENTS:-2}
HERE=$ROOT/test/stress/bench
WORK=$(mktemp -d)

sql() { server_psql "$SERVER" -Atq -d "$1" "${@:2}"; } # DATABASE ARGUMENT...
median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

create_databases() {
  sql postgres -c 'CREATE DATABASE bare' -c 'CREATE DATABASE tviews'
  sql tviews -c 'CREATE EXTENSION pg_tviews' -f "$HERE/tables.sql" -f "$HERE/latency.sql" \
    -c "$(sql_create_tview)" 2>/dev/null
  # The bare database keeps its documents in a plain table of the same shape.
  sql bare -f "$HERE/tables.sql" -c 'CREATE TABLE plain_item AS SELECT * FROM documents' \
    -c 'ALTER TABLE plain_item ADD PRIMARY KEY (pk_item)' \
    -c 'CREATE INDEX ON plain_item (id)' -c 'CREATE INDEX ON plain_item (fk_owner)' \
    -c "ALTER TABLE plain_item SET (fillfactor = $(sql tviews -c "SELECT coalesce((SELECT option_value FROM pg_class, pg_options_to_table(reloptions) WHERE pg_class.oid = 'tv_item'::regclass AND option_name = 'fillfactor'), '100')"))" \
    -c 'VACUUM FULL plain_item'
  settle
}

sql_create_tview() { sed -n '/^CREATE VIEW/,$p' "$HERE/tables.sql" | sed 's/^CREATE VIEW documents/CREATE TABLE tv_item/'; }

# Both databases start a measurement vacuumed and with nothing left to apply or to write.
settle() {
  sql tviews -c 'SELECT pg_tviews_wait()' >/dev/null
  sql tviews -c 'VACUUM ANALYZE'
  sql bare -c 'VACUUM ANALYZE'
  sql postgres -c 'CHECKPOINT'
}

tps() { # DATABASE
  "$(server_bin "$SERVER")/pgbench" -h "$(server_socket "$SERVER")" -U "$SERVER_USER" -n -M prepared \
    -c "$CLIENTS" -j "$CLIENTS" -T "$SECONDS_PER_RUN" -f "$WORK/update.sql" "$1" 2>&1 |
    sed -n 's/^tps = \([0-9.]*\).*/\1/p'
}

write_rate() { # LABEL
  local bare=() tviews=() lag=() i began
  SECONDS_PER_RUN=1 tps bare >/dev/null
  SECONDS_PER_RUN=1 tps tviews >/dev/null
  for ((i = 0; i < ROUNDS; i++)); do
    settle
    bare+=("$(tps bare)")
    settle
    tviews+=("$(tps tviews)")
    began=$(date +%s%N)
    sql tviews -c 'SELECT pg_tviews_wait()' >/dev/null
    lag+=($((($(date +%s%N) - began) / 1000000)))
  done
  say "single-row UPDATEs, $CLIENTS clients, $1 (transactions per second)"
  say "  without TVIEWs:  ${bare[*]}   median $(median "${bare[@]}")"
  say "  with TVIEWs:     ${tviews[*]}   median $(median "${tviews[@]}")"
  say "  ratio of the medians: $(ratio "$(median "${tviews[@]}")" "$(median "${bare[@]}")")   (goal 0.85)"
  say "  until the last of them was visible, after the end: ${lag[*]} ms"
}

latency() {
  local p50=() p95=() i row
  for ((i = 0; i < ROUNDS; i++)); do
    settle
    row=$(sql tviews -c 'CALL measure_latency(200, NULL, NULL, NULL)')
    p50+=("$(cut -d'|' -f1 <<<"$row")")
    p95+=("$(cut -d'|' -f2 <<<"$row")")
  done
  say 'from commit to visible, idle server (ms)'
  say "  p50: ${p50[*]}   median $(median "${p50[@]}")   (goal 5)"
  say "  p95: ${p95[*]}   median $(median "${p95[@]}")"
}

milliseconds() { # DATABASE SQL...
  local began database=$1 arguments=() statement
  shift
  for statement in "$@"; do arguments+=(-c "$statement"); done
  began=$(date +%s%N)
  sql "$database" "${arguments[@]}" >/dev/null
  say $((($(date +%s%N) - began) / 1000000))
}

bulk() {
  local source=() bare=() tviews=() update='UPDATE tb_item SET amount = amount + 1' i
  local write='UPDATE plain_item p SET id = d.id, fk_owner = d.fk_owner, data = d.data FROM documents d WHERE d.pk_item = p.pk_item'
  for ((i = 0; i < ROUNDS; i++)); do
    settle
    source+=("$(milliseconds bare "$update")")
    settle
    bare+=("$(milliseconds bare "$update" "$write")")
    settle
    tviews+=("$(milliseconds tviews "$update" 'SELECT pg_tviews_wait()')")
  done
  say '100,000-row UPDATE until every document is current (ms)'
  say "  the UPDATE alone, no documents:             ${source[*]}   median $(median "${source[@]}")"
  say "  UPDATE, then one statement writes them:     ${bare[*]}   median $(median "${bare[@]}")"
  say "  UPDATE with the TVIEW until it is current:  ${tviews[*]}   median $(median "${tviews[@]}")"
  say "  ratio of the medians: $(ratio "$(median "${tviews[@]}")" "$(median "${bare[@]}")")   (goal 1.5)"
  say "  documents per second: $(awk -v t="$(median "${tviews[@]}")" 'BEGIN { printf "%d", 100000 * 1000 / t }')"
}

cat >"$WORK/update.sql" <<'SQL'
\set item random(1, 100000)
UPDATE tb_item SET amount = amount + 1 WHERE pk_item = :item;
SQL
cat >"$WORK/bench.conf" <<'CONF'
shared_buffers = 512MB
max_wal_size = 8GB
checkpoint_timeout = 1h
autovacuum = off
CONF
start_test_server "$BUILD" bench "$WORK/bench.conf"
create_databases
say "$(sql postgres -c 'SELECT version()'), $(nproc) cores, $(sql tviews -c "SELECT 'pg_tviews ' || pg_tviews_version()")"
write_rate 'synchronous_commit = on'
sql postgres -c 'ALTER SYSTEM SET synchronous_commit = off' -c 'SELECT pg_reload_conf()' >/dev/null
write_rate 'synchronous_commit = off'
sql postgres -c 'ALTER SYSTEM RESET synchronous_commit' -c 'SELECT pg_reload_conf()' >/dev/null
latency
bulk
say "differences at the end: $(sql tviews -c "SELECT count(*) FROM pg_tviews_verify('item')")"
rm -r "$WORK"
