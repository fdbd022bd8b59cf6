#!/bin/bash
# Usage: test/stress/bench/statistics.sh BUILD_DIR [TRANSACTIONS]        (needs valgrind; about a minute)
# What do statistics cost? Counts the instructions of a session that changes one row per transaction (500 of them) and
# waits for it, and of its applier, under callgrind, and prints which share of them is spent in the functions that keep
# statistics, notes and caches' counts, write the performance log, and show what a worker does. One batch per transaction
# and one document per batch: their share is never larger. The clock has no part in it, so another load does no harm.
set -euo pipefail
. "$(dirname "$0")/../../server.sh"
transactions=${2:-500}
command -v callgrind_annotate >/dev/null || fail "apt-get install valgrind"
start_test_server "$1" statistics <(say "max_parallel_workers_per_gather = 0")
counts=$SERVER/counts
make_server_dir "$counts"
server_psql "$SERVER" -q <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION pg_tviews;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int NOT NULL, title text NOT NULL);
INSERT INTO tb_user SELECT i, 'user ' || i FROM generate_series(1, 100) AS i;
INSERT INTO tb_post SELECT i, i % 100 + 1, 'title ' || i FROM generate_series(1, 1000) AS i;
CREATE INDEX ON tb_post (fk_user);
CREATE TABLE tv_post AS
SELECT tb_post.pk_post, tb_post.fk_user, jsonb_build_object('title', tb_post.title, 'author', tb_user.name) AS data
FROM tb_post JOIN tb_user ON tb_user.pk_user = tb_post.fk_user;
SQL
server_stop "$SERVER"

say '#!/bin/sh
exec valgrind -q --tool=callgrind --callgrind-out-file='"$counts"'/%p '"$(server_bin "$SERVER")"'/postgres "$@"' >"$SERVER/postgres"
chmod 755 "$SERVER/postgres"
as_server "$(server_bin "$SERVER")/pg_ctl" -p "$SERVER/postgres" -D "$SERVER/data" -l "$SERVER/log" -w -t 120 start >"$SERVER/pg_ctl.log" 2>&1

# A session and an applier of their own; prints the files with their counts.
part() { # TRANSACTIONS
  local pids=$SERVER/pids number
  {
    say "SET pg_tviews.read_consistency = eventual;"
    for ((number = 1; number <= $1; number++)); do
      say "UPDATE tb_post SET title = title || '.' WHERE pk_post = $number % 1000 + 1; SELECT pg_tviews_wait() \\g /dev/null"
    done
    say "SELECT pg_backend_pid(), pid FROM pg_tviews_workers WHERE kind = 'applier' AND database = 'postgres' \\gset"
    say "SELECT pg_terminate_backend(:pid, 60000) \\g /dev/null"
    say "\\echo $counts/:pg_backend_pid $counts/:pid"
  } | server_psql "$SERVER" -q
}

read -r session_once applier_once < <(part 50)
read -r session applier < <(part $((50 + transactions)))
server_stop "$SERVER"

statistics='tviews::pg::stats::(Count|Keep)\(|tviews::worker::RefreshLog::(Begin|Add|Write|Keep)\('
statistics+='|tviews::pg::session_notes::(NoteChange|NoteKeys|Clear)\(|tviews::pg::cache_stats::(Hit|Miss|Evict|SetSize|Flush)\('
statistics+='|tviews::worker::Show(Search|Refresh|Idle)\('
# What connecting, planning and the first transactions took is in both parts, and is taken away. The total of a forked
# process is in the line `totals` of its file; the one that callgrind_annotate prints is its parent's.
for process in session applier; do
  once=${process}_once
  for file in "${!once}" "${!process}"; do
    as_server grep '^totals:' "$file"
    callgrind_annotate --inclusive=yes --threshold=100 "$file"
  done |
    awk -v process=$process -v statistics="$statistics" -v transactions="$transactions" '
      /^totals:/ { total = $2 - total; file++ }
      match($0, statistics) && !/\.cold|lambda/ {
        name = substr($0, RSTART, RLENGTH - 1); gsub(",", "", $1); part[name] += (file == 2 ? 1 : -1) * $1 }
      END {
        for (name in part) sum += part[name]
        printf "%s: %.0f instructions per transaction, statistics %.0f, %.2f %%\n", process, total / transactions,
               sum / transactions, 100 * sum / total
        for (name in part)
          printf "  %-40s %6.0f  %5.2f %%\n", name, part[name] / transactions, 100 * part[name] / total | "sort"
        close("sort")
        exit !(file == 2 && total > 0 && sum > 0)
      }'
done
