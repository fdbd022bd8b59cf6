
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
    SELECT work.pid, current_database() AS database, coalesce(replaced.entity, pg_tview_meta.entity) AS entity, fill.tview,
           CASE WHEN replaced.tview IS NULL THEN 'online fill' ELSE 'online replacement' END AS operation,
           CASE WHEN pg_tview_meta.state = 'quarantined' THEN 'in quarantine'
                WHEN behind.tview IS NOT NULL THEN 'left aside'
                WHEN fill.completed_by IS NOT NULL THEN 'ready to finish'
                WHEN fill.started_at IS NULL AND work.pid IS NULL THEN 'waiting'
                WHEN fill.in_one_go THEN 'filling in one go'
                ELSE 'filling' END AS phase,
           fill.rows_done + CASE WHEN fill.completed_by IS NULL THEN coalesce(work.rows_done, 0) ELSE 0 END AS rows_done,
           CASE WHEN fill.completed_by IS NULL THEN coalesce(fill.rows_expected, work.rows_total) ELSE fill.rows_done END AS rows_total,
           coalesce(fill.started_at, work.started_at, fill.created_at) AS started_at, fill.completed_at
    FROM tviews_internal.pg_tview_fill AS fill
    JOIN @extschema@.pg_tview_meta ON pg_tview_meta.tview = fill.tview
    LEFT JOIN @extschema@.pg_tview_behind AS behind ON behind.tview = fill.tview
    LEFT JOIN tviews_internal.pg_tview_replacement AS replacement
           ON replacement.shadow = fill.tview AND replacement.exchanged_at IS NULL
    LEFT JOIN @extschema@.pg_tview_meta AS replaced ON replaced.tview = replacement.tview
    LEFT JOIN work ON work.tview = fill.tview
    WHERE fill.completed_by IS NULL OR replaced.tview IS NOT NULL
), shown AS (
    SELECT work.*, NULL::timestamptz AS completed_at FROM work WHERE work.tview IS NULL OR work.tview NOT IN (SELECT fill.tview FROM fill)
    UNION ALL
    SELECT * FROM fill
), measured AS (
    SELECT shown.*, shown.rows_done
           / nullif(extract(epoch FROM coalesce(shown.completed_at, clock_timestamp()) - shown.started_at), 0) AS rate
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
