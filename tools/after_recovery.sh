#!/bin/bash
# Usage: tools/after_recovery.sh [PSQL_ARGUMENT...]        TIMEOUT='10 minutes' for each database's backlog
#                                                      DATABASES=$'one\ntwo' checks these only
# After a restore, a promotion or a crash: in every database that has pg_tviews, adopts what came with a dump, waits until
# the outbox is applied, and compares every TVIEW with its query. One line per TVIEW; fails if one differs, is in quarantine
# or cannot be adopted, or if a database cannot be asked.
set -euo pipefail
ask() { psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }

# As a name and nothing else: psql takes one such as host=elsewhere for a connection to there.
named() { # DATABASE
  local name=${1//\\/\\\\}
  printf "dbname='%s'" "${name//\'/\\\'}"
}

check_database() { # DATABASE PSQL_ARGUMENT...
  local database=$1 schema
  shift
  schema=$(ask "$@" -d "$(named "$database")" -c "SET search_path = pg_catalog, pg_temp" -c "SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace
    ON pg_namespace.oid = pg_extension.extnamespace WHERE pg_extension.extname = 'pg_tviews'") || return 1
  [ -n "$schema" ] || return 0
  ask "$@" -d "$(named "$database")" -v timeout="${TIMEOUT:-10 minutes}" -F ' ' <<SQL
SET client_min_messages = warning;
SET search_path = pg_catalog, pg_temp; -- in others, functions of anybody might be found, and this may be a superuser
DO \$\$
BEGIN  -- the applier may be about it at this moment, and has the locks
  FOR attempt IN 1 .. 50 LOOP
    EXIT WHEN (SELECT pending = 0 FROM $schema.pg_tviews_adopt());
    COMMIT;
    PERFORM pg_sleep(0.1);
  END LOOP;
END \$\$;
SELECT adopted, pending FROM $schema.pg_tviews_adopt() \\gset
SELECT $schema.pg_tviews_wait(:'timeout') \\g /dev/null
SELECT current_database(), format('%s to be adopted: see pg_tview_dead_letter', CASE :pending WHEN 1 THEN '1 table waits' ELSE :pending || ' tables wait' END), 'WRONG' WHERE :pending > 0;
SELECT current_database(), meta.tview::regclass,
       CASE WHEN meta.state <> 'active' OR letters.keys > 0 THEN 'in quarantine: pg_tview_dead_letter has the error'
            WHEN verified.differences > 0 THEN format('%s rows differ: pg_tviews_refresh', verified.differences)
            ELSE 'equal' END,
       CASE WHEN meta.state <> 'active' OR letters.keys > 0 OR verified.differences > 0 THEN 'WRONG' ELSE 'ok' END
FROM $schema.pg_tview_meta AS meta
CROSS JOIN LATERAL (SELECT count(*) AS keys FROM $schema.pg_tview_dead_letter AS letter WHERE letter.tview = meta.tview) AS letters
CROSS JOIN LATERAL (SELECT count(*) AS differences FROM $schema.pg_tviews_verify(
    (SELECT format('%I.%I', pg_namespace.nspname, pg_class.relname) FROM pg_class
     JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace WHERE pg_class.oid = meta.tview))
    WHERE meta.state = 'active' AND letters.keys = 0) AS verified
ORDER BY meta.tview::text;
SQL
}

databases=${DATABASES:-$(ask "$@" -d postgres -c "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn ORDER BY datname")}
report=$(while IFS= read -r database; do check_database "$database" "$@" </dev/null || printf '%s could not be checked WRONG\n' "$database"; done <<<"$databases")
printf '%s\n' "${report:-no TVIEWs}"
! grep -q ' WRONG$' <<<"$report"
