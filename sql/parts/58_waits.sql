-- Who waits for whom.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_wait_counters(
    OUT tview oid, OUT batch_ms double precision, OUT waits bigint, OUT avg_wait_ms double precision,
    OUT max_wait_ms double precision, OUT p50_wait_ms double precision, OUT p95_wait_ms double precision,
    OUT p99_wait_ms double precision, OUT waited_for_others_ms double precision, OUT held_up bigint,
    OUT held_up_ms double precision, OUT last_held_up timestamptz, OUT stats_since timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_wait_counters';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait_counters() IS 'what shared memory counts of the waits for each TVIEW of this database';

CREATE OR REPLACE VIEW @extschema@.pg_tviews_waits AS
SELECT pg_tview_meta.entity,
       pg_tview_meta.tview,
       coalesce(counters.batch_ms, 0) AS batch_ms,
       round((coalesce(counters.batch_ms, 0) / nullif(sum(counters.batch_ms) OVER (PARTITION BY coalesce(pg_tview_meta.options ->> 'lane', 'main')), 0))::numeric, 4)::double precision AS batch_share,
       coalesce(counters.waits, 0) AS waits,
       counters.avg_wait_ms,
       counters.max_wait_ms,
       counters.p50_wait_ms,
       counters.p95_wait_ms,
       counters.p99_wait_ms,
       coalesce(counters.waited_for_others_ms, 0) AS waited_for_others_ms,
       coalesce(counters.held_up, 0) AS held_up,
       coalesce(counters.held_up_ms, 0) AS held_up_ms,
       counters.last_held_up,
       counters.stats_since,
       coalesce(pg_tview_meta.options ->> 'lane', 'main') AS lane
FROM @extschema@.pg_tview_meta
LEFT JOIN @extschema@.pg_tviews_wait_counters() AS counters ON counters.tview = pg_tview_meta.tview;
COMMENT ON VIEW @extschema@.pg_tviews_waits IS 'how long readers of each TVIEW waited, and which TVIEW they were held up by';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_sessions_waiting(OUT pid integer, OUT tviews oid[], OUT since timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_sessions_waiting';
COMMENT ON FUNCTION @extschema@.pg_tviews_sessions_waiting() IS 'sessions of this database that wait for TVIEWs now';

CREATE OR REPLACE VIEW @extschema@.pg_tviews_waiting AS
SELECT session.pid,
       session.tviews::regclass[] AS tviews,
       session.since,
       work.tview::regclass AS batch_at,
       work.started_at AS batch_at_since
FROM @extschema@.pg_tviews_sessions_waiting() AS session
LEFT JOIN LATERAL (
    SELECT work.tview, work.started_at
    FROM @extschema@.pg_tviews_work_in_progress() AS work
    JOIN @extschema@.pg_tview_meta AS refreshed ON refreshed.tview = work.tview
    WHERE work.operation <> 'creation'
      AND work.database_oid = (SELECT pg_database.oid FROM pg_catalog.pg_database WHERE pg_database.datname = current_database())
      AND (session.tviews IS NULL
           OR EXISTS (SELECT FROM @extschema@.pg_tview_meta AS waited
                      WHERE waited.tview::oid = ANY (session.tviews)
                        AND coalesce(waited.options ->> 'lane', 'main') = coalesce(refreshed.options ->> 'lane', 'main')))
    ORDER BY work.started_at LIMIT 1) AS work ON true;
COMMENT ON VIEW @extschema@.pg_tviews_waiting IS 'sessions that wait for TVIEWs now, and the TVIEW that the batch is at';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_check_waits(OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'queue and lag', 'warning',
           format('TVIEW %s takes %s %% of the time that batches of lane %s spend on TVIEWs, and readers of others waited for it (waits so far: %s), %s s in all, the last at %s. ALTER TABLE %s SET (pg_tviews.lane = %L) lets the others go on without it. See pg_tviews_waits, and "A TVIEW that holds up the others" in the runbooks; then SELECT pg_tviews_stats_reset().',
                  waits.entity, round((waits.batch_share * 100)::numeric), waits.lane, waits.held_up, round((waits.held_up_ms / 1000)::numeric, 1),
                  waits.last_held_up::timestamptz(0), waits.tview, free.lane)
    FROM @extschema@.pg_tviews_waits AS waits
    CROSS JOIN LATERAL (
        -- In one that there is, it might hold up others.
        SELECT name.lane FROM (SELECT 'slow' || coalesce('_' || nullif(n, 1), '') AS lane, n FROM generate_series(1, 100) AS n) AS name
        WHERE NOT EXISTS (SELECT FROM @extschema@.pg_tviews_lane_targets AS taken WHERE taken.lane = name.lane)
        ORDER BY name.n LIMIT 1) AS free
    WHERE waits.batch_share > 0.5 AND waits.held_up_ms > 1000 AND waits.last_held_up > now() - interval '1 hour';
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_waits() IS 'part of the health check: TVIEWs that hold up the readers of others';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_check_waits() FROM PUBLIC;
