#!/bin/bash
# Usage: test/stress/bench/without_tviews.sh BUILD_DIR [TRANSACTIONS]        (needs valgrind; about a minute)
# What does pg_tviews cost where a table has no TVIEW? Counts the instructions of a session, per transaction (500 of each
# kind), under callgrind: on a server without the library, with it in a database without the extension, and in one that has
# the extension and a TVIEW of another table. The clock has no part in it, so another load does no harm.
set -euo pipefail
. "$(dirname "$0")/../../server.sh"
transactions=${2:-500}
command -v valgrind >/dev/null || fail "apt-get install valgrind"
start_test_server "$1" without_tviews <(say "max_parallel_workers_per_gather = 0"; say "autovacuum = off")
counts=$SERVER/counts
make_server_dir "$counts"

# A database of its own for each: what updates leave in the pages must be the same.
tables='CREATE TABLE tb_plain (pk_plain int PRIMARY KEY, name text NOT NULL);
INSERT INTO tb_plain SELECT i, $$name $$ || i FROM generate_series(1, 1000) AS i;
VACUUM ANALYZE tb_plain;'
for database in none library extension; do server_psql "$SERVER" -qc "CREATE DATABASE $database"; done
for database in none library; do say "$tables" | server_psql "$SERVER" -qd $database; done
say "SET client_min_messages = warning; CREATE EXTENSION pg_tviews; CREATE TABLE tb_other (pk_other int PRIMARY KEY);
CREATE TABLE tv_other AS SELECT pk_other FROM tb_other; $tables" | server_psql "$SERVER" -qd extension
server_stop "$SERVER"
say '#!/bin/sh
exec valgrind -q --tool=callgrind --callgrind-out-file='"$counts"'/%p '"$(server_bin "$SERVER")"'/postgres "$@"' >"$SERVER/postgres"
chmod 755 "$SERVER/postgres"

start() { # SHARED_PRELOAD_LIBRARIES
  as_server "$(server_bin "$SERVER")/pg_ctl" -p "$SERVER/postgres" -D "$SERVER/data" -o "-c shared_preload_libraries=$1" \
    -l "$SERVER/log" -w -t 120 start >"$SERVER/pg_ctl.log" 2>&1
}

# The instructions of a session of its own with so many transactions.
session() { # DATABASE STATEMENT TRANSACTIONS
  local number file
  file=$({
    say "PREPARE change AS $2;"
    for ((number = 1; number <= $3; number++)); do say "EXECUTE change($((number % 1000 + 1))) \\g /dev/null"; done
    say "SELECT pg_backend_pid() \\gset"
    say "\\echo $counts/:pg_backend_pid"
  } | server_psql "$SERVER" -qd "$1" | tail -1)
  while ! as_server grep -qs '^totals:' "$file"; do sleep 0.1; done  # written at its end
  as_server awk '/^totals:/ { print $2 }' "$file"
}

# What connecting, planning and the first transactions take is in both sessions, and is taken away.
per_transaction() { # DATABASE STATEMENT
  say $((($(session "$1" "$2" $((50 + transactions))) - $(session "$1" "$2" 50)) / transactions))
}

declare -A found
measure() { # DATABASE
  session "$1" 'SELECT $1::int' 1 >/dev/null  # the first session of a database fills the server's files of its catalog
  found[select:$1]=$(per_transaction "$1" 'SELECT name FROM tb_plain WHERE pk_plain = $1')
  found[update:$1]=$(per_transaction "$1" "UPDATE tb_plain SET name = name || '.' WHERE pk_plain = \$1")
}

start ''
measure none
server_stop "$SERVER"
start pg_tviews
measure library
measure extension
server_stop "$SERVER"
for kind in select update; do
  none=${found[$kind:none]}
  for label in none library extension; do
    count=${found[$kind:$label]}
    awk -v kind=$kind -v label=$label -v count="$count" -v none="$none" \
      'BEGIN { printf "%s, %s: %d instructions per transaction (%.4f)\n", kind, label, count, count / none }'
  done
done
