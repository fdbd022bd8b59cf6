
-- What takes long. Public, as pg_stat_progress_create_index is: of other databases only the name of
-- a TVIEW that is being created.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_work_in_progress(
    OUT pid integer, OUT database_oid oid, OUT tview oid, OUT entity text, OUT operation text,
    OUT phase text, OUT rows_done bigint, OUT rows_total bigint, OUT started_at timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_progress';
COMMENT ON FUNCTION @extschema@.pg_tviews_work_in_progress() IS 'TVIEWs that are being created or refreshed now, in all databases';

CREATE OR REPLACE VIEW @extschema@.pg_tviews_progress AS
SELECT work.pid,
       pg_database.datname AS database,
       coalesce(work.entity, pg_tview_meta.entity) AS entity,
       work.operation,
       work.phase,
       work.rows_done,
       coalesce(work.rows_total, pg_class.reltuples::bigint) AS rows_total,
       least(100, 100.0 * work.rows_done
           / nullif(greatest(coalesce(work.rows_total, pg_class.reltuples::bigint), 0), 0))::numeric(5, 2) AS percent,
       work.started_at
FROM @extschema@.pg_tviews_work_in_progress() AS work
LEFT JOIN pg_catalog.pg_database ON pg_database.oid = work.database_oid
LEFT JOIN @extschema@.pg_tview_meta
       ON pg_tview_meta.tview = work.tview AND pg_database.datname = current_database()
LEFT JOIN pg_catalog.pg_class ON pg_class.oid = pg_tview_meta.tview AND pg_class.reltuples >= 0;
COMMENT ON VIEW @extschema@.pg_tviews_progress IS 'how far the creation or the refresh of a TVIEW is; totals of creations and full refreshes are estimates';
