-- Lanes. VOLATILE: they read shared memory.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_lane_state(
    OUT lane text, OUT pid integer, OUT state text, OUT tview oid, OUT tview_started timestamptz,
    OUT retries bigint, OUT last_batch_at timestamptz, OUT last_batch_ms double precision)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_lanes';
COMMENT ON FUNCTION @extschema@.pg_tviews_lane_state() IS 'what the appliers of the lanes of this database do';

-- How much the lanes are owed, for those who may not read the table itself.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_lane_debts(OUT lane text, OUT batches bigint, OUT since timestamptz)
RETURNS SETOF record
LANGUAGE sql VOLATILE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT pg_tview_lane_owed.lane, count(*), min(pg_tview_lane_owed.written_at)
    FROM tviews_internal.pg_tview_lane_owed
    GROUP BY pg_tview_lane_owed.lane;
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_lane_debts() IS 'batches of the main lane that other lanes have not applied yet';

CREATE OR REPLACE VIEW @extschema@.pg_tviews_lanes AS
SELECT lane.lane,
       lane.tviews,
       make_interval(secs => lane.lag_target_ms / 1000.0) AS lag_target,
       pg_tview_frontier.snapshot,
       pg_tview_frontier.applied_at,
       coalesce(debt.batches, 0) AS batches_behind,
       clock_timestamp() - debt.since AS age,
       state.pid,
       coalesce(state.state, 'none') AS state,
       state.tview::regclass AS batch_at,
       state.tview_started AS batch_at_since,
       state.retries,
       state.last_batch_at,
       state.last_batch_ms
FROM (SELECT coalesce(pg_tview_meta.options ->> 'lane', 'main') AS lane, count(*) AS tviews,
             min(nullif((pg_tview_meta.options ->> 'lag_target')::bigint, 0)) AS lag_target_ms
      FROM @extschema@.pg_tview_meta GROUP BY 1) AS lane
LEFT JOIN @extschema@.pg_tview_frontier ON pg_tview_frontier.lane = lane.lane
LEFT JOIN @extschema@.pg_tviews_lane_state() AS state ON state.lane = lane.lane
LEFT JOIN @extschema@.pg_tviews_lane_debts() AS debt ON debt.lane = lane.lane;
COMMENT ON VIEW @extschema@.pg_tviews_lanes IS 'the lanes of this database: their frontiers, how far they are behind, and what their appliers do';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_check_lanes(OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'queue and lag', 'warning',
           format('Lane %s is %s behind (batches to apply: %s); its target is %s. See pg_tviews_lanes for what it is at.',
                  lanes.lane, date_trunc('milliseconds', lanes.age), lanes.batches_behind, lanes.lag_target)
    FROM @extschema@.pg_tviews_lanes AS lanes
    WHERE lanes.age > lanes.lag_target * 2
    UNION ALL
    SELECT 'queue and lag', 'warning', format('Lane %s is paused. SELECT pg_tviews_resume(%L) lets it go on.', lanes.lane, lanes.lane)
    FROM @extschema@.pg_tviews_lanes AS lanes
    WHERE lanes.lane <> 'main' AND lanes.state = 'paused'
    ORDER BY 3;
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_lanes() IS 'part of the health check: lanes that are paused or miss their target';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_check_lanes() FROM PUBLIC;
