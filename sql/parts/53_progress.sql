
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
WITH work AS (
    SELECT work.pid, pg_database.datname AS database, coalesce(work.entity, pg_tview_meta.entity) AS entity,
           pg_tview_meta.tview, work.operation, work.phase, work.rows_done,
           coalesce(work.rows_total, pg_class.reltuples::bigint) AS rows_total, work.started_at
    FROM @extschema@.pg_tviews_work_in_progress() AS work
    LEFT JOIN pg_catalog.pg_database ON pg_database.oid = work.database_oid
    LEFT JOIN @extschema@.pg_tview_meta
           ON pg_tview_meta.tview = work.tview AND pg_database.datname = current_database()
    LEFT JOIN pg_catalog.pg_class ON pg_class.oid = pg_tview_meta.tview AND pg_class.reltuples >= 0
), fill AS (
    SELECT work.pid, current_database() AS database, pg_tview_meta.entity, fill.tview, 'online fill' AS operation,
           CASE WHEN pg_tview_meta.state = 'quarantined' THEN 'in quarantine'
                WHEN behind.tview IS NOT NULL THEN 'left aside'
                WHEN fill.started_at IS NULL AND work.pid IS NULL THEN 'waiting'
                WHEN fill.in_one_go THEN 'filling in one go'
                ELSE 'filling' END AS phase,
           fill.rows_done + coalesce(work.rows_done, 0) AS rows_done,
           coalesce(fill.rows_expected, work.rows_total) AS rows_total,
           coalesce(fill.started_at, work.started_at, fill.created_at) AS started_at
    FROM tviews_internal.pg_tview_fill AS fill
    JOIN @extschema@.pg_tview_meta ON pg_tview_meta.tview = fill.tview
    LEFT JOIN @extschema@.pg_tview_behind AS behind ON behind.tview = fill.tview
    LEFT JOIN work ON work.tview = fill.tview
    WHERE fill.completed_by IS NULL
), shown AS (
    SELECT * FROM work WHERE work.tview IS NULL OR work.tview NOT IN (SELECT fill.tview FROM fill)
    UNION ALL
    SELECT * FROM fill
), measured AS (
    SELECT shown.*, shown.rows_done / nullif(extract(epoch FROM clock_timestamp() - shown.started_at), 0) AS rate
    FROM shown
)
SELECT measured.pid,
       measured.database,
       measured.entity,
       measured.operation,
       measured.phase,
       measured.rows_done,
       measured.rows_total,
       (CASE WHEN measured.rows_total > 0
             THEN least(100, 100.0 * measured.rows_done / measured.rows_total) END)::numeric(5, 2) AS percent,
       measured.started_at,
       measured.rate::numeric(20, 1) AS rate,
       CASE WHEN measured.rate > 0
            THEN make_interval(secs => round(greatest(measured.rows_total - measured.rows_done, 0) / measured.rate)::float8) END AS remaining
FROM measured;
COMMENT ON VIEW @extschema@.pg_tviews_progress IS 'how far the creation, the fill or the refresh of a TVIEW is; totals of creations, fills and full refreshes are estimates';
