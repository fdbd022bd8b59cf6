#!/bin/bash
# Usage: tools/backup.sh save DATABASE DIRECTORY [CONNECTION_ARGUMENT...]
#        tools/backup.sh restore DIRECTORY NEW_DATABASE [CONNECTION_ARGUMENT...]
#        tools/backup.sh drill DATABASE [CONNECTION_ARGUMENT...]        JOBS=2 for pg_restore; TIMEOUT as after_recovery.sh
# save: a dump of the database, with what pg_dump leaves out: the audit log of pg_tviews, how the database was made, and its
# settings. Roles, and privileges on the database itself, are in pg_dumpall --globals-only and yours to keep.
# restore: makes the database anew from that, and fails if a TVIEW is missing or differs from its query.
# drill: both, into the database DATABASE_drill, which is dropped afterwards; the database itself is only read.
# CONNECTION_ARGUMENTs are those of psql (-h HOST -p PORT -U USER); a restore needs a superuser.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
fail() { printf 'backup: %s\n' "$1" >&2 && exit 1; }
ask() { psql -X -q -At -v ON_ERROR_STOP=1 "$@"; }
# As a name and nothing else: psql takes one such as host=elsewhere for a connection to there.
named() { # DATABASE
  local name=${1//\\/\\\\}
  printf "dbname='%s'" "${name//\'/\\\'}"
}
# Names are looked up where nobody else can create any: this may be a superuser.
safely() { ask "$@" -c "SET search_path = pg_catalog, pg_temp" -f -; }

schema_of() { # DATABASE CONNECTION_ARGUMENT...
  local database=$1
  shift
  safely "$@" -d "$(named "$database")" <<<"SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace
    ON pg_namespace.oid = pg_extension.extnamespace WHERE pg_extension.extname = 'pg_tviews'"
}

save() { # DATABASE DIRECTORY CONNECTION_ARGUMENT...
  local database=$1 directory=$2 partial=$2.partial schema
  shift 2
  [ ! -e "$directory" ] || fail "$directory exists"
  schema=$(schema_of "$database" "$@")
  [ -n "$schema" ] || fail "database $database does not have pg_tviews"
  rm -rf "$partial"
  mkdir -m 700 -p "$partial"
  safely "$@" -d "$(named "$database")" >"$partial/options" <<'SQL'
SELECT format('ENCODING %L LC_COLLATE %L LC_CTYPE %L', pg_encoding_to_char(encoding), datcollate, datctype)
  || CASE WHEN datlocprovider = 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L',
     coalesce(to_jsonb(pg_database) ->> 'daticulocale', to_jsonb(pg_database) ->> 'datlocale')) ELSE '' END
FROM pg_database WHERE datname = current_database()
SQL
  # A list is stored as text, whose names may be anything that has no comma and no blank: each is quoted for itself.
  safely "$@" -d "$(named "$database")" >"$partial/settings" <<'SQL'
SELECT format('ALTER %s SET %I = ', CASE WHEN setrole = 0 THEN 'DATABASE :"name"'
              ELSE format('ROLE %s IN DATABASE :"name"', setrole::regrole) END, split_part(setting, '=', 1))
    || CASE WHEN split_part(setting, '=', 1) IN ('search_path', 'session_preload_libraries', 'local_preload_libraries', 'temp_tablespaces')
       THEN coalesce(names, quote_literal('')) ELSE quote_literal(value) END || ';'
FROM pg_db_role_setting CROSS JOIN LATERAL unnest(setconfig) AS setting
CROSS JOIN LATERAL (SELECT substr(setting, strpos(setting, '=') + 1) AS value) AS given
CROSS JOIN LATERAL (
    SELECT string_agg(quote_literal(CASE WHEN name[1] LIKE '"%' THEN replace(substr(name[1], 2, length(name[1]) - 2), '""', '"')
                                         WHEN setting LIKE '%libraries=%' THEN name[1] ELSE lower(name[1]) END), ', ') AS names
    FROM regexp_matches(value, '"(?:[^"]|"")*"|[^",[:space:]][^,[:space:]]*', 'g') AS name
) AS listed
WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
SQL
  safely "$@" -d "$(named "$database")" >"$partial/tviews" <<<"SELECT translate(tview::regclass::text, E'\n', ' ') FROM $schema.pg_tview_meta"
  safely "$@" -d "$(named "$database")" >"$partial/audit_log.copy" <<<"COPY (SELECT log_id, operation, entity, performed_by, performed_at, details,
    client_addr, client_port FROM $schema.pg_tview_audit_log ORDER BY log_id) TO STDOUT"
  # TVIEWs as they stand: with strict a document in quarantine would end the dump.
  PGOPTIONS="${PGOPTIONS:-} -c pg_tviews.read_consistency=eventual" pg_dump "$@" -Fc -f "$partial/database.dump" -d "$(named "$database")"
  pg_restore -l "$partial/database.dump" >/dev/null
  mv "$partial" "$directory"
}

restore() { # DIRECTORY DATABASE CONNECTION_ARGUMENT...
  local directory=$1 database=$2 schema missing
  shift 2
  [ -r "$directory/database.dump" ] || fail "$directory is no backup"
  safely "$@" -d postgres -v name="$database" <<<"CREATE DATABASE :\"name\" TEMPLATE template0 $(cat "$directory/options")"
  # The log before the TVIEWs come to life, which is written down in it.
  pg_restore "$@" --exit-on-error --section=pre-data -d "$(named "$database")" "$directory/database.dump"
  { printf 'COPY tviews_internal.pg_tview_audit_log FROM STDIN;\n' && cat "$directory/audit_log.copy" && printf '\\.\n' &&
    printf "SELECT setval('tviews_internal.pg_tview_audit_log_log_id_seq', max(log_id)) FROM tviews_internal.pg_tview_audit_log \\\\g /dev/null\n"
  } | safely "$@" -d "$(named "$database")"
  pg_restore "$@" --exit-on-error --section=data --section=post-data -j "${JOBS:-2}" -d "$(named "$database")" "$directory/database.dump"
  safely "$@" -d postgres -v name="$database" <"$directory/settings"
  DATABASES=$database "$here/after_recovery.sh" "$@" || fail "database $database is not what it should be"
  schema=$(schema_of "$database" "$@")
  missing=$(safely "$@" -d "$(named "$database")" <<<"SELECT translate(tview::regclass::text, E'\n', ' ') FROM $schema.pg_tview_meta" |
    awk 'FILENAME == "-" { here[$0] = 1; next } !($0 in here)' - "$directory/tviews")
  [ -z "$missing" ] || fail "TVIEWs are missing: $missing"
}

drill() { # DATABASE CONNECTION_ARGUMENT...
  local database=$1 started=$SECONDS saved
  shift
  place=$(mktemp -d)
  copy=${database}_drill
  connection=("$@")
  trap 'rm -rf "$place"; ask "${connection[@]}" -d postgres -v name="$copy" <<<"DROP DATABASE IF EXISTS :\"name\" WITH (FORCE)" 2>/dev/null' EXIT
  [ -z "$(safely "$@" -d postgres -v name="$copy" <<<"SELECT 1 FROM pg_database WHERE datname = :'name'")" ] ||
    { trap 'rm -rf "$place"' EXIT && fail "database $copy exists"; }
  save "$database" "$place/backup" "$@"
  saved=$((SECONDS - started))
  restore "$place/backup" "$copy" "$@"
  printf 'drill: saved in %d s (%s), restored and compared in %d s: %d TVIEWs\n' "$saved" "$(du -sh "$place" | cut -f1)" \
    $((SECONDS - started - saved)) "$(wc -l <"$place/backup/tviews")"
}

case ${1:-} in
save) [ $# -ge 3 ] || fail "usage: backup.sh save DATABASE DIRECTORY [CONNECTION_ARGUMENT...]" ;;
restore) [ $# -ge 3 ] || fail "usage: backup.sh restore DIRECTORY NEW_DATABASE [CONNECTION_ARGUMENT...]" ;;
drill) [ $# -ge 2 ] || fail "usage: backup.sh drill DATABASE [CONNECTION_ARGUMENT...]" ;;
*) fail "usage: backup.sh save|restore|drill ..." ;;
esac
"$@"
