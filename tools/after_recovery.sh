#!/bin/bash
# Usage: tools/after_recovery.sh [PSQL_ARGUMENT...]        TIMEOUT='10 minutes' for each database's backlog
# After a restore, a promotion or a crash: in every database that has pg_tviews, adopts what came with a dump, waits until
# the outbox is applied, and compares every TVIEW with its query. One line per TVIEW; fails if one differs, is in quarantine
# or cannot be adopted.
set -euo pipefail
ask() { psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }

check_database() { # DATABASE PSQL_ARGUMENT...
  local database=$1 schema
  shift
  schema=$(ask "$@" -d "$database" -c "SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace
    ON pg_namespace.oid = pg_extension.extnamespace WHERE pg_extension.extname = 'pg_tviews'")
  [ -n "$schema" ] || return 0
  ask "$@" -d "$database" -v timeout="${TIMEOUT:-10 minutes}" -F ' ' <<SQL
SET client_min_messages = warning;
SET search_path = $schema, public;
SELECT adopted, pending FROM pg_tviews_adopt() \\gset
SELECT pg_tviews_wait(:'timeout') \\g /dev/null
SELECT current_database(), format('%s tables wait to be adopted: see pg_tview_dead_letter', :pending), 'WRONG' WHERE :pending > 0;
SELECT current_database(), meta.tview::regclass,
       CASE WHEN meta.state <> 'active' OR letters.keys > 0 THEN 'in quarantine: pg_tview_dead_letter has the error'
            WHEN verified.differences > 0 THEN format('%s rows differ: pg_tviews_refresh', verified.differences)
            ELSE 'equal' END,
       CASE WHEN meta.state <> 'active' OR letters.keys > 0 OR verified.differences > 0 THEN 'WRONG' ELSE 'ok' END
FROM pg_tview_meta AS meta
CROSS JOIN LATERAL (SELECT count(*) AS keys FROM pg_tview_dead_letter AS letter WHERE letter.tview = meta.tview) AS letters
CROSS JOIN LATERAL (SELECT count(*) AS differences FROM pg_tviews_verify(
    (SELECT format('%I.%I', pg_namespace.nspname, pg_class.relname) FROM pg_class
     JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace WHERE pg_class.oid = meta.tview))
    WHERE meta.state = 'active' AND letters.keys = 0) AS verified
ORDER BY meta.tview::text;
SQL
}

databases=$(ask "$@" -d postgres -c "SELECT datname FROM pg_database WHERE datallowconn ORDER BY datname")
report=$(while read -r database; do check_database "$database" "$@" </dev/null; done <<<"$databases")
printf '%s\n' "${report:-no TVIEWs}"
! grep -q ' WRONG$' <<<"$report"
