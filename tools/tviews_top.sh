#!/bin/bash
# Usage: tools/tviews_top.sh [PSQL_ARGUMENT...]    INTERVAL=1 seconds; COUNT=n ends after n screens
# What the TVIEWs of a database cost and wait for, again and again, in the terminal.
set -euo pipefail
query="
\\pset footer off
\\pset null ''
SET search_path = pg_catalog, pg_temp;
SELECT coalesce((SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pg_tviews'), 'tviews') AS schema \\gset
SELECT current_database() AS database, clock_timestamp()::timestamptz(0) AS now,
       (SELECT count(*) FROM :\"schema\".pg_tviews_queue_realtime WHERE database = current_database() AND state = 'collecting') AS collecting,
       (SELECT count(*) FROM :\"schema\".pg_tviews_queue_realtime WHERE database = current_database() AND state <> 'collecting') AS queued;
SELECT pid, kind, lane, state, entity, keys_done, keys_total, retries, restarts, round(last_batch_ms::numeric, 1) AS last_ms
FROM :\"schema\".pg_tviews_workers WHERE database = current_database() OR kind = 'launcher' ORDER BY kind, lane;
SELECT pid, entity, operation, phase, rows_done, rows_total, percent FROM :\"schema\".pg_tviews_progress WHERE database = current_database();
SELECT entity, total_refreshes AS refreshes, round(avg_refresh_ms::numeric, 2) AS avg_ms, round(p99_refresh_ms::numeric, 2) AS p99_ms,
       round(p50_lag_ms::numeric, 1) AS lag_p50, round(p99_lag_ms::numeric, 1) AS lag_p99, keys,
       rows_inserted + rows_updated + rows_deleted AS written, rows_unchanged AS same, errors, round(hot_share::numeric, 2) AS hot
FROM :\"schema\".pg_tviews_performance_summary ORDER BY total_refreshes * avg_refresh_ms DESC NULLS LAST LIMIT 20;
SELECT severity, component, message FROM :\"schema\".pg_tviews_health_check() WHERE severity <> 'info';"
for ((screen = 0; screen < ${COUNT:-2147483647}; screen++)); do
  [ "$screen" = 0 ] || sleep "${INTERVAL:-1}"
  text=$(psql -X -q -v ON_ERROR_STOP=1 "$@" <<<"$query")
  [ ! -t 1 ] || printf '\033[H\033[2J'
  printf '%s\n' "$text"
done
