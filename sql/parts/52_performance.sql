
-- How long refreshes take, and how far TVIEWs are behind.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_stats(
    OUT tview oid, OUT total_refreshes bigint, OUT full_refreshes bigint, OUT errors bigint,
    OUT keys bigint, OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint,
    OUT rows_unchanged bigint, OUT avg_refresh_ms double precision,
    OUT min_refresh_ms double precision, OUT max_refresh_ms double precision,
    OUT p50_refresh_ms double precision, OUT p95_refresh_ms double precision,
    OUT p99_refresh_ms double precision, OUT avg_lag_ms double precision,
    OUT max_lag_ms double precision, OUT p50_lag_ms double precision,
    OUT p95_lag_ms double precision, OUT p99_lag_ms double precision,
    OUT last_refresh timestamptz, OUT stats_since timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_stats';
COMMENT ON FUNCTION @extschema@.pg_tviews_stats() IS 'what shared memory counts for each TVIEW of this database';

-- A TVIEW that no batch has refreshed since counting began has zeros.
CREATE OR REPLACE VIEW @extschema@.pg_tviews_performance_summary AS
SELECT pg_tview_meta.entity,
       pg_tview_meta.tview,
       coalesce(stats.total_refreshes, 0) AS total_refreshes,
       stats.avg_refresh_ms,
       stats.last_refresh,
       stats.min_refresh_ms,
       stats.max_refresh_ms,
       stats.p50_refresh_ms,
       stats.p95_refresh_ms,
       stats.p99_refresh_ms,
       stats.avg_lag_ms,
       stats.max_lag_ms,
       stats.p50_lag_ms,
       stats.p95_lag_ms,
       stats.p99_lag_ms,
       coalesce(stats.keys, 0) AS keys,
       coalesce(stats.rows_inserted, 0) AS rows_inserted,
       coalesce(stats.rows_updated, 0) AS rows_updated,
       coalesce(stats.rows_deleted, 0) AS rows_deleted,
       coalesce(stats.rows_unchanged, 0) AS rows_unchanged,
       coalesce(stats.full_refreshes, 0) AS full_refreshes,
       coalesce(stats.errors, 0) AS errors,
       round(pg_stat_get_tuples_hot_updated(pg_tview_meta.tview)::numeric
             / nullif(pg_stat_get_tuples_updated(pg_tview_meta.tview), 0), 4)::double precision AS hot_share,
       stats.stats_since
FROM @extschema@.pg_tview_meta
LEFT JOIN @extschema@.pg_tviews_stats() AS stats ON stats.tview = pg_tview_meta.tview;
COMMENT ON VIEW @extschema@.pg_tviews_performance_summary IS 'what refreshing each TVIEW costs, and how long changes take to become visible';

-- No SET search_path: the entity is looked up in the caller's.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_stats_reset(entity text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_stats_reset';
COMMENT ON FUNCTION @extschema@.pg_tviews_stats_reset(text) IS 'begins the statistics of one TVIEW, or of all of this database, again';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_stats_reset(text) FROM PUBLIC;
