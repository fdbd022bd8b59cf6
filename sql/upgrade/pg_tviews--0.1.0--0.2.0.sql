-- pg_tviews 0.1.0 to 0.2.0. What is new here is, word for word, in sql/parts; a test compares.
\echo Use "ALTER EXTENSION pg_tviews UPDATE TO '0.2.0'" to load this file. \quit

-- The library changes under a database: what it answers is no constant.
ALTER FUNCTION @extschema@.pg_tviews_version() STABLE;

-- TVIEWs that came with a dump or in a copy of a database. The applier calls it by itself. VOLATILE:
-- it writes metadata. The short lock_timeout lets a restore that meets it go first.
CREATE FUNCTION @extschema@.pg_tviews_adopt(OUT adopted integer, OUT pending integer)
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET lock_timeout = '10ms'
AS 'MODULE_PATHNAME', 'tviews_adopt';
COMMENT ON FUNCTION @extschema@.pg_tviews_adopt() IS 'makes TVIEWs of restored tables and of those of a copied database; done by the applier too';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_adopt() FROM PUBLIC;
-- How long refreshes take, and how far TVIEWs are behind.
CREATE FUNCTION @extschema@.pg_tviews_stats(
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
CREATE VIEW @extschema@.pg_tviews_performance_summary AS
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
       pg_stat_get_tuples_hot_updated(pg_tview_meta.tview)::double precision
           / nullif(pg_stat_get_tuples_updated(pg_tview_meta.tview), 0) AS hot_share,
       stats.stats_since
FROM @extschema@.pg_tview_meta
LEFT JOIN @extschema@.pg_tviews_stats() AS stats ON stats.tview = pg_tview_meta.tview;
COMMENT ON VIEW @extschema@.pg_tviews_performance_summary IS 'what refreshing each TVIEW costs, and how long changes take to become visible';

-- No SET search_path: the entity is looked up in the caller's.
CREATE FUNCTION @extschema@.pg_tviews_stats_reset(entity text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'tviews_stats_reset';
COMMENT ON FUNCTION @extschema@.pg_tviews_stats_reset(text) IS 'begins the statistics of one TVIEW, or of all of this database, again';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_stats_reset(text) FROM PUBLIC;

-- Written by the applier in the batch's own transaction. No identifying key, because rows are never
-- addressed: retention deletes by time.
CREATE TABLE @extschema@.pg_tview_performance_log (
    logged_at           timestamptz NOT NULL,
    entity              text NOT NULL,
    tview               regclass NOT NULL,
    refresh_duration_ms double precision NOT NULL,
    keys                bigint NOT NULL,
    rows_inserted       bigint NOT NULL,
    rows_updated        bigint NOT NULL,
    rows_deleted        bigint NOT NULL,
    rows_unchanged      bigint NOT NULL,
    full_refresh        boolean NOT NULL,
    errors              bigint NOT NULL,
    lag_ms              double precision        -- NULL: somebody asked for the refresh
);
CREATE INDEX pg_tview_performance_log_time ON @extschema@.pg_tview_performance_log (logged_at);
ALTER TABLE @extschema@.pg_tview_performance_log REPLICA IDENTITY FULL;
COMMENT ON TABLE @extschema@.pg_tview_performance_log IS 'slow refreshes, and a sample of the others';

-- As public as pg_stat_all_tables is.
GRANT SELECT ON @extschema@.pg_tviews_performance_summary, @extschema@.pg_tview_performance_log TO PUBLIC;

-- What takes long. Public, as pg_stat_progress_create_index is: of other databases only the name of
-- a TVIEW that is being created.
CREATE FUNCTION @extschema@.pg_tviews_work_in_progress(
    OUT pid integer, OUT database_oid oid, OUT tview oid, OUT entity text, OUT operation text,
    OUT phase text, OUT rows_done bigint, OUT rows_total bigint, OUT started_at timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_progress';
COMMENT ON FUNCTION @extschema@.pg_tviews_work_in_progress() IS 'TVIEWs that are being created or refreshed now, in all databases';

CREATE VIEW @extschema@.pg_tviews_progress AS
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
GRANT SELECT ON @extschema@.pg_tviews_progress TO PUBLIC;

-- TVIEWs that batches have to leave aside, because a relation that they need is locked by a session.
-- Written by the applier only, in the transaction of the batch that leaves them aside or catches up.
CREATE TABLE @extschema@.pg_tview_behind (
    tview    regclass PRIMARY KEY,
    snapshot pg_snapshot,                     -- as of which it stands; NULL: not filled yet
    reason   text NOT NULL,
    since    timestamptz NOT NULL,
    batches  bigint NOT NULL DEFAULT 1        -- that changed its sources meanwhile
);
COMMENT ON TABLE @extschema@.pg_tview_behind IS 'TVIEWs that do not stand at the frontier, because a relation that they need is locked';

-- What happened to their sources meanwhile: one change record per batch.
CREATE TABLE @extschema@.pg_tview_owed (
    tview   regclass NOT NULL,
    id      bigint GENERATED ALWAYS AS IDENTITY,
    payload bytea NOT NULL,
    PRIMARY KEY (tview, id)
);
ALTER TABLE @extschema@.pg_tview_owed ALTER COLUMN payload SET STORAGE EXTERNAL;
COMMENT ON TABLE @extschema@.pg_tview_owed IS 'changes that TVIEWs in pg_tview_behind do not contain yet';

GRANT SELECT ON @extschema@.pg_tview_behind TO PUBLIC;
-- Keys of users' rows.
REVOKE ALL ON @extschema@.pg_tview_owed FROM PUBLIC;

-- Statement triggers instead of row triggers. Not for everybody: they lock every source.
CREATE FUNCTION @extschema@.pg_tviews_install_stmt_triggers() RETURNS integer
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_install_statement_triggers';
COMMENT ON FUNCTION @extschema@.pg_tviews_install_stmt_triggers() IS 'captures changes by statement where a source has neither partitions nor children; returns the number of such sources';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_install_stmt_triggers() FROM PUBLIC;

CREATE FUNCTION @extschema@.pg_tviews_uninstall_stmt_triggers() RETURNS integer
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_uninstall_statement_triggers';
COMMENT ON FUNCTION @extschema@.pg_tviews_uninstall_stmt_triggers() IS 'captures changes by row again; returns the number of sources that had statement triggers';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_uninstall_stmt_triggers() FROM PUBLIC;
