-- How far TVIEWs are behind their sources. VOLATILE: it reads shared memory.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_lag_of_databases(
    OUT database_oid oid, OUT oldest_transaction xid8, OUT oldest_commit timestamptz,
    OUT records bigint, OUT keys bigint, OUT bytes bigint, OUT spilled_records bigint,
    OUT tviews_behind integer, OUT last_batch_at timestamptz, OUT last_batch_records bigint,
    OUT last_batch_ms double precision, OUT last_batch_rows bigint, OUT lane text)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_lag';
COMMENT ON FUNCTION @extschema@.pg_tviews_lag_of_databases() IS 'what waits in the change queue of each database, and the last batch';

-- Nobody but a superuser makes TVIEWs of other owners wait that have no target themselves.
CREATE OR REPLACE VIEW @extschema@.pg_tviews_lane_targets AS
SELECT member.lane, count(*) AS tviews,
       make_interval(secs => CASE WHEN bool_or(member.target IS NOT NULL AND member.is_superusers)
                                    OR coalesce(array_agg(member.owner) FILTER (WHERE member.target IS NULL), '{}')
                                       <@ array_agg(member.owner) FILTER (WHERE member.target IS NOT NULL)
                                  THEN min(member.target) END / 1000.0) AS lag_target
FROM (SELECT coalesce(meta.options ->> 'lane', 'main') AS lane, nullif((meta.options ->> 'lag_target')::bigint, 0) AS target,
             pg_class.relowner AS owner, pg_roles.rolsuper AS is_superusers
      FROM @extschema@.pg_tview_meta AS meta
      LEFT JOIN pg_catalog.pg_class ON pg_class.oid = meta.tview
      LEFT JOIN pg_catalog.pg_roles ON pg_roles.oid = pg_class.relowner) AS member
GROUP BY member.lane;
COMMENT ON VIEW @extschema@.pg_tviews_lane_targets IS 'the lanes of this database, and how late their TVIEWs may be';

-- What a lane is owed is known in its own database only. The condition of the full join is one equality, and of a column of
-- its own: where a reader asks for one lane, the server may leave an equality out, and then it cannot join by the rest.
CREATE OR REPLACE VIEW @extschema@.pg_tviews_lag AS
WITH slot AS (
    SELECT pg_database.datname AS database, lag.*, CASE WHEN pg_database.datname = current_database() THEN lag.lane END AS lane_here
    FROM @extschema@.pg_tviews_lag_of_databases() AS lag
    LEFT JOIN pg_catalog.pg_database ON pg_database.oid = lag.database_oid
), lane AS (
    SELECT target.lane, target.lag_target, debt.batches, debt.since
    FROM @extschema@.pg_tviews_lane_targets AS target
    LEFT JOIN @extschema@.pg_tviews_lane_debts() AS debt ON debt.lane = target.lane
)
SELECT coalesce(slot.database, current_database()) AS database,
       slot.oldest_transaction,
       least(slot.oldest_commit, lane.since) AS oldest_commit,
       clock_timestamp() - least(slot.oldest_commit, lane.since) AS age,
       coalesce(slot.records, 0) + coalesce(lane.batches, 0) AS records,
       coalesce(slot.keys, 0) AS keys, coalesce(slot.bytes, 0) AS bytes, coalesce(slot.spilled_records, 0) AS spilled_records,
       coalesce(slot.tviews_behind, 0) AS tviews_behind,
       slot.last_batch_at, slot.last_batch_records, slot.last_batch_ms, slot.last_batch_rows,
       coalesce(slot.lane, lane.lane) AS lane,
       lane.lag_target,
       clock_timestamp() - least(slot.oldest_commit, lane.since) > lane.lag_target AS is_late
FROM slot
FULL JOIN lane ON slot.lane_here = lane.lane;
COMMENT ON VIEW @extschema@.pg_tviews_lag IS 'committed changes that no batch has applied yet, and the last batch, of each lane of the databases that have a change queue';

-- The lanes of a database, and what is not well with them.
CREATE OR REPLACE VIEW @extschema@.pg_tviews_lanes AS
SELECT lane.lane,
       lane.tviews,
       lane.lag_target,
       pg_tview_frontier.snapshot,
       pg_tview_frontier.applied_at,
       coalesce(debt.batches, 0) AS batches_behind,
       lag.age,
       state.pid,
       coalesce(state.state, 'none') AS state,
       state.tview::regclass AS batch_at,
       state.tview_started AS batch_at_since,
       state.retries,
       state.last_batch_at,
       state.last_batch_ms
FROM @extschema@.pg_tviews_lane_targets AS lane
LEFT JOIN @extschema@.pg_tview_frontier ON pg_tview_frontier.lane = lane.lane
LEFT JOIN @extschema@.pg_tviews_lane_state() AS state ON state.lane = lane.lane
LEFT JOIN @extschema@.pg_tviews_lane_debts() AS debt ON debt.lane = lane.lane
LEFT JOIN @extschema@.pg_tviews_lag AS lag ON lag.lane = lane.lane AND lag.database = current_database();
COMMENT ON VIEW @extschema@.pg_tviews_lanes IS 'the lanes of this database: their frontiers, how far they are behind, and what their appliers do';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_check_lanes(patience interval, OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH late AS (
        SELECT lanes.* FROM @extschema@.pg_tviews_lanes AS lanes
        WHERE lanes.age > coalesce(lanes.lag_target * 2, CASE WHEN lanes.lane <> 'main' THEN coalesce(patience, '0') END)
    )
    SELECT 'queue and lag', 'warning',
           CASE WHEN late.pid IS NULL AND late.state = 'none'
                THEN format('No applier runs for lane %s, which is %s behind. Each lane with work takes a background worker: raise pg_tviews.max_workers (%s), and max_worker_processes (%s), then restart.',
                            late.lane, date_trunc('milliseconds', late.age), current_setting('pg_tviews.max_workers'), current_setting('max_worker_processes'))
                ELSE format('Lane %s is %s behind (batches to apply: %s); %s. See pg_tviews_lanes for what it is at.',
                            late.lane, date_trunc('milliseconds', late.age), late.batches_behind,
                            coalesce('its target is ' || late.lag_target, 'it has no target')) END
    FROM late
    UNION ALL
    SELECT 'queue and lag', 'error', format('TVIEWs are in %s lanes beside the main one, and there may be %s: not all have an applier. Raise pg_tviews.max_lanes, then restart; or ALTER TABLE ... SET (pg_tviews.lane = ...).',
                                            count(*), current_setting('pg_tviews.max_lanes'))
    FROM @extschema@.pg_tviews_lane_targets AS target WHERE target.lane <> 'main'
    HAVING count(*) > current_setting('pg_tviews.max_lanes')::int
    UNION ALL
    SELECT 'queue and lag', 'warning', format('Lane %s is paused. SELECT pg_tviews_resume(%L) lets it go on.', lanes.lane, lanes.lane)
    FROM @extschema@.pg_tviews_lanes AS lanes
    WHERE lanes.lane <> 'main' AND lanes.state = 'paused'
    UNION ALL
    SELECT 'queue and lag', 'info', format('Lane %s is %s behind; its target is %s.', lanes.lane, date_trunc('milliseconds', coalesce(lanes.age, '0')), lanes.lag_target)
    FROM @extschema@.pg_tviews_lanes AS lanes
    WHERE lanes.lag_target IS NOT NULL AND lanes.lane NOT IN (SELECT late.lane FROM late)
    ORDER BY 3;
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_lanes(interval) IS 'part of the health check: lanes that are paused or late, and how late those with a target are';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_check_lanes(interval) FROM PUBLIC;
